"use strict";

// What the reader chose, and the one place where it changes: every part of the page hears of a change once a frame.
debatch.makeApp = (model) => {
  const first = model.about.views[0]?.key ?? "";
  const state = {
    view: first,
    beside: "",
    colour: "batch",
    palette: "okabe",
    filters: new Map(),
    search: "",
    tool: "move",
    mode: "new",
    plate: 0,
    focus: -1,
    tab: "well",
    places: [null, null],
  };
  const app = {
    model,
    state,
    hovered: -1,
    shownCount: model.count,
    selectedCount: 0,
    shown: new Uint8Array(model.count).fill(1),
    selection: new Uint8Array(model.count),
  };
  const parts = [];
  let pending = new Set();

  // A part of the page: called with the set of what changed.
  app.add = (part) => parts.push(part);

  // Say what changed: view, style, filter, selection, focus, plate, pictures, place, hover.
  app.change = (...what) => {
    if (pending.size === 0) requestAnimationFrame(app.update);
    what.forEach((each) => pending.add(each));
  };

  app.update = () => {
    const changed = pending;
    pending = new Set();
    if (changed.has("filter") || changed.has("view")) {
      app.shown = model.mask(state.filters, state.search, state.view);
      app.shownCount = sum(app.shown);
    }
    if (changed.has("selection")) app.selectedCount = sum(app.selection);
    parts.forEach((part) => part(changed));
  };

  function sum(flags) {
    let total = 0;
    for (let at = 0; at < flags.length; at++) total += flags[at];
    return total;
  }

  // Show the points of a look at embeddings on the first or second panel; an empty key closes the second.
  app.show = async (panel, key) => {
    if (key) await model.openView(key);
    state[panel === 0 ? "view" : "beside"] = key;
    if (!model.columnOf(state.colour, state.view)) state.colour = "batch";
    app.change("view", "style", "filter");
  };

  // Select images: alone, beside those that are selected, or take them out.
  app.select = (images, mode = state.mode) => {
    if (mode === "new") app.selection.fill(0);
    const value = mode === "remove" ? 0 : 1;
    for (const image of images) app.selection[image] = value;
    if (images.length > 0) state.tab = "selection";
    app.change("selection");
  };

  // Look at one image: its plate, its well, its picture.
  app.focus = (image) => {
    state.focus = image;
    if (image >= 0) {
      state.plate = model.plate[image];
      state.tab = "well";
    }
    app.change("focus", "plate");
  };

  app.hover = (image) => {
    if (app.hovered === image) return;
    app.hovered = image;
    app.change("hover");
  };

  // Set the filter of a column; null takes it away.
  app.filter = (key, filter) => {
    if (filter === null || filter.off?.size === 0) state.filters.delete(key);
    else state.filters.set(key, filter);
    app.change("filter", "style");
  };

  app.columnOf = (key = state.colour, view = state.view) => model.columnOf(key, view);
  app.colouring = (view) =>
    debatch.colours.by(app.columnOf(state.colour, view), state.palette, state.filters.get(state.colour));

  // A column's value of an image, in words.
  app.said = (key, image, view = state.view) => {
    const own = app.columnOf(key, view);
    if (!own) return "";
    if (own.kind === "number") return Number.isNaN(own.values[image]) ? "not known" : own.values[image].toFixed(3);
    return own.names[own.codes[image]] ?? "not known";
  };

  return app;
};

debatch.dom = (() => {
  // An element with attributes and children; text is text, whatever it looks like.
  function make(tag, attributes = {}, ...children) {
    const element = document.createElement(tag);
    for (const [name, value] of Object.entries(attributes)) {
      if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
      else if (typeof value === "boolean") element.toggleAttribute(name, value);
      else element.setAttribute(name, value);
    }
    element.append(...children);
    return element;
  }

  const byId = (id) => document.getElementById(id);
  const number = (value) => value.toLocaleString("en");
  return { make, byId, number };
})();
