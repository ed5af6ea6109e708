"use strict";

// The images of a well or of the selection, and one of them in full.
debatch.makeGallery = (app, pictures) => {
  const { make, byId, number } = debatch.dom;
  const PAGE = 24;
  const grid = byId("gallery");
  const detail = byId("detail");
  const more = byId("more");
  const [one, many] = app.model.about.noun;
  let count = PAGE;
  let asked = 0;
  let listed = "";

  const inWell = (image) => {
    const { model } = app;
    const { width } = model.wells;
    return [...model.wells.of(model.plate[image], model.row[image] * width + model.column[image])];
  };

  function chosen() {
    const { state, selection } = app;
    if (state.tab === "well") return state.focus < 0 ? [] : inWell(state.focus);
    const found = [];
    selection.forEach((flag, image) => flag && found.push(image));
    return found;
  }

  function update(changed) {
    const { state } = app;
    byId("tab-well").setAttribute("aria-pressed", state.tab === "well");
    byId("tab-selection").setAttribute("aria-pressed", state.tab === "selection");
    byId("tab-selection").textContent = `Selection (${number(app.selectedCount)})`;
    if (changed.has("tab") || (changed.has("selection") && state.tab === "selection")) count = PAGE;
    if (["selection", "focus", "tab", "pictures", "view", "more"].some((each) => changed.has(each)))
      fill(changed.has("pictures"));
  }

  // What comes while pictures are still being loaded has the last word.
  async function fill(repaint) {
    const turn = ++asked;
    const images = chosen();
    const shown = images.slice(0, count);
    more.hidden = images.length <= count;
    more.textContent = `Show ${number(Math.min(PAGE, images.length - count))} more of ${number(images.length)}`;
    byId("gallery-words").textContent = heading(images);
    const list = `${shown}|${app.state.focus}|${app.state.view}`;
    if (repaint || list !== listed) {
      await fillGrid(shown, turn);
      if (turn === asked) listed = list;
    }
    if (turn === asked) await fillDetail(turn);
  }

  function heading(images) {
    const { state } = app;
    if (state.tab === "selection")
      return images.length ? "" : `Draw a line around points with the lasso, or click a well: its ${many} come here.`;
    if (state.focus < 0) return `Click a point or a well: its ${many} come here.`;
    return `${app.said("plate", state.focus)}, well ${app.said("well", state.focus)}`;
  }

  async function fillGrid(images, turn) {
    const cards = images.map((image) => ({ image, canvas: pictures.any ? make("canvas", {}) : null }));
    await Promise.all(cards.map(paintCard));
    if (turn !== asked) return;
    grid.replaceChildren(...cards.map(card));
  }

  async function paintCard(each) {
    if (!each.canvas) return;
    try {
      if (!(await pictures.paint(each.canvas, each.image))) each.canvas = null;
    } catch (error) {
      each.canvas = null;
      debatch.tell(error.message);
    }
  }

  function card({ image, canvas }) {
    const right = app.columnOf("right");
    const score = right ? right.names[right.codes[image]] : "";
    const place = app.state.tab === "well" ? `site ${app.said("site", image)}` : app.said("well", image);
    const words = app.state.tab === "well" ? place : `${place}, ${app.said("perturbation", image)}`;
    const caption = make("span", { class: "caption", title: words }, words);
    const told = score && score !== "not scored" ? [make("span", { class: `caption ${score}` }, score)] : [];
    return make(
      "button",
      {
        type: "button",
        class: "card",
        "data-image": image,
        "aria-pressed": image === app.state.focus,
        "aria-label": `Look at ${one} ${words} ${score}`,
        onclick: () => look(image),
      },
      ...(canvas ? [canvas] : []),
      caption,
      ...told,
    );
  }

  // Look at an image without leaving the list that it is in.
  function look(image) {
    const { tab } = app.state;
    app.focus(image);
    app.state.tab = tab;
  }

  async function fillDetail(turn) {
    const { state, model } = app;
    if (state.focus < 0) {
      detail.replaceChildren();
      return;
    }
    const ids = await model.imageIds();
    const canvas = make("canvas", {
      class: "large",
      role: "img",
      "aria-label": `${one} ${ids[state.focus]} in false colour`,
    });
    const drawn = pictures.any && (await pictures.paint(canvas, state.focus).catch(() => false));
    if (turn !== asked) return;
    detail.replaceChildren(...(drawn ? [canvas] : []), facts(ids[state.focus], state.focus));
  }

  function facts(id, image) {
    const rows = [["image_id", id]];
    for (const own of app.model.columnsOf(app.state.view)) {
      if (["experiment", "row", "column", "qc"].includes(own.key)) continue;
      rows.push([own.title, app.said(own.key, image)]);
    }
    const flags = app.model.flagsOf(image);
    if (flags) rows.push(["QC flags", flags]);
    return make("dl", {}, ...rows.flatMap(([name, value]) => [make("dt", {}, name), make("dd", {}, value)]));
  }

  more.addEventListener("click", () => {
    count += PAGE;
    app.change("more");
  });
  for (const tab of ["well", "selection"]) {
    byId(`tab-${tab}`).addEventListener("click", () => {
      app.state.tab = tab;
      app.change("tab");
    });
  }

  return { update };
};

// Switches, colours and contrast of the channels.
debatch.makeChannels = (host, app, pictures) => {
  const { make } = debatch.dom;
  const rows = pictures.channels.map((channel) => {
    const on = make("input", { type: "checkbox", onchange: () => set(channel, { on: on.checked }) });
    const colour = make("input", {
      type: "color",
      "aria-label": `Colour of ${channel.name}`,
      oninput: () => set(channel, { colour: colour.value }),
    });
    const [low, high] = ["Black", "White"].map((end) =>
      make("input", {
        type: "range",
        min: 0,
        max: 1,
        step: 0.01,
        "aria-label": `${end} point of ${channel.name}`,
        title: `${end} point`,
        oninput: ranged,
      }),
    );
    function ranged() {
      set(channel, { low: Math.min(+low.value, 0.98), high: Math.max(+high.value, Math.min(+low.value, 0.98) + 0.02) });
    }
    const element = make(
      "div",
      { class: "channel" },
      make("label", {}, on, make("span", { class: "name" }, channel.name)),
      colour,
      low,
      high,
    );
    return { channel, on, colour, low, high, element };
  });

  function set(channel, values) {
    Object.assign(channel, values);
    app.change("pictures");
  }

  function update() {
    for (const { channel, on, colour, low, high } of rows) {
      on.checked = channel.on;
      colour.value = channel.colour;
      low.value = channel.low;
      high.value = channel.high;
    }
  }

  const reset = make(
    "button",
    {
      type: "button",
      onclick: () => {
        pictures.channels.forEach((channel) =>
          Object.assign(channel, { on: true, low: 0, high: 1, colour: channel.initial }),
        );
        app.change("pictures");
      },
    },
    "Reset channels",
  );
  host.append(
    make(
      "div",
      { class: "channel heads" },
      make("span", {}, "channel"),
      make("span", {}),
      make("span", {}, "black"),
      make("span", {}, "white"),
    ),
    ...rows.map((row) => row.element),
    reset,
  );
  return { update };
};
