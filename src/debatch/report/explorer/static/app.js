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
    shownWells: model.wells.count,
    // of the images that are shown: points of the first panel, and those that its method did not score
    shownPoints: 0,
    unscored: 0,
    shownOnPlate: new Uint32Array(model.about.places.plates.length),
    selectedCount: 0,
    selectedWells: 0,
    shown: new Uint8Array(model.count).fill(1),
    selection: new Uint8Array(model.count),
  };
  // the selection before the last change of it
  let before = new Uint8Array(model.count);
  const parts = [];
  let pending = new Set();

  // A part of the page: called with the set of what changed.
  app.add = (part) => parts.push(part);

  // Say what changed: view, style, filter, selection, focus, plate, pictures, place, hover; and restored, where an
  // address says what is looked at.
  app.change = (...what) => {
    if (pending.size === 0) requestAnimationFrame(app.update);
    what.forEach((each) => pending.add(each));
  };

  app.update = () => {
    const changed = pending;
    pending = new Set();
    if (changed.has("filter") || changed.has("view")) {
      app.shown = model.mask(state.filters, state.search, state.view);
      count();
      if (!changed.has("restored") && follow()) changed.add("plate");
    }
    if (changed.has("selection")) {
      app.selectedCount = sum(app.selection);
      app.selectedWells = model.wellsAmong(app.selection);
    }
    parts.forEach((part) => part(changed));
  };

  function count() {
    const { shown, shownOnPlate } = app;
    const scored = model.isScored(state.view);
    app.unscored = 0;
    shownOnPlate.fill(0);
    for (let at = 0; at < shown.length; at++) {
      if (!shown[at]) continue;
      shownOnPlate[model.plate[at]]++;
      if (scored && !scored[at]) app.unscored++;
    }
    app.shownCount = sum(shownOnPlate);
    app.shownWells = model.wellsAmong(shown);
    app.shownPoints = 0;
    for (const image of model.pointsOf(state.view)?.rows ?? []) app.shownPoints += shown[image];
  }

  // Leave a plate of which nothing is shown for the first one with a point that is, else with an image that is.
  function follow() {
    if (app.shownCount === 0 || app.shownOnPlate[state.plate] > 0) return false;
    const points = model.pointsOf(state.view)?.has;
    let [first, withPoint] = [app.shownOnPlate.length, app.shownOnPlate.length];
    app.shown.forEach((flag, at) => {
      if (!flag) return;
      first = Math.min(first, model.plate[at]);
      if (points?.[at]) withPoint = Math.min(withPoint, model.plate[at]);
    });
    state.plate = withPoint < app.shownOnPlate.length ? withPoint : first;
    return true;
  }

  function sum(flags) {
    let total = 0;
    for (let at = 0; at < flags.length; at++) total += flags[at];
    return total;
  }

  // Show the points of a look at embeddings on the first or second panel; an empty key closes the second.
  app.show = async (panel, key) => {
    if (key) await model.openView(key);
    const old = model.views.get(state.view);
    state[panel === 0 ? "view" : "beside"] = key;
    if (!model.columnOf(state.colour, state.view)) state.colour = "batch";
    app.change("view", "style", "filter");
    if (panel === 0 && old?.predictions !== model.views.get(key).predictions) tellOfFilters(old.key);
  };

  // Filters on predictions hold on with another method, and ask that one.
  function tellOfFilters(old) {
    const asked = [...state.filters.keys()].map((key) => model.columnOf(key, old)).filter((own) => own?.predicted);
    if (asked.length === 0) return;
    const { number } = debatch.dom;
    const now = sum(model.mask(state.filters, state.search, state.view));
    const titles = asked.map((own) => `“${own.title}”`).join(" and ");
    const [, many] = model.about.noun;
    const view = model.views.get(state.view);
    debatch.tell(
      view.predictions
        ? `The filter on ${titles} now asks ${view.title}: ${number(now)} ${many} are shown, ${number(app.shownCount)} were before. Select ${many} first to keep them in view.`
        : `${view.title} predicts nothing, so the filter on ${titles} is not used.`,
    );
  }

  // Select images: alone, beside those that are selected, or take them out.
  app.select = (images, mode = state.mode) => {
    before.set(app.selection);
    if (mode === "new") app.selection.fill(0);
    const value = mode === "remove" ? 0 : 1;
    for (const image of images) app.selection[image] = value;
    app.change("selection");
  };

  // Select images, and list them.
  app.gather = (images, mode) => {
    app.select(images, mode);
    if (images.length > 0) state.tab = "selection";
  };

  // Take images in, or out where all of them are selected.
  app.toggle = (images) => app.select(images, images.every((image) => app.selection[image]) ? "remove" : "add");

  // Take the last change of the selection back.
  app.undo = () => {
    [app.selection, before] = [before, app.selection];
    app.change("selection");
  };

  app.clear = () => {
    if (app.selectedCount === 0) return;
    app.select([], "new");
    debatch.tell("The selection is cleared.", { Undo: app.undo });
  };

  // What a click does beside looking: nothing, or with Shift, Ctrl or Alt select images.
  app.clicked = (images, event) => {
    if (event.altKey) app.select(images, "remove");
    else if (event.shiftKey) app.select(images, "add");
    else if (event.ctrlKey || event.metaKey) app.toggle(images);
    else return false;
    return true;
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

  // "57 images (44 wells)"; wells are left out where each image is one by itself.
  app.wellWords = (wells) =>
    model.wells.several ? ` (${debatch.dom.number(wells)} ${wells === 1 ? "well" : "wells"})` : "";

  // All images of an image's well.
  app.inWell = (image) =>
    Array.from(model.wells.of(model.plate[image], model.row[image] * model.wells.width + model.column[image]));

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
