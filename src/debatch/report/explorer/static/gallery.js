"use strict";

// The images of a well or of the selection, and one of them in full.
debatch.makeGallery = (app, pictures, enlarge) => {
  const { make, byId, number } = debatch.dom;
  const PAGE = 24;
  const grid = byId("gallery");
  const detail = byId("detail");
  const selectWell = byId("select-well");
  const more = byId("more");
  const [one, many] = app.model.about.noun;
  let count = PAGE;
  let asked = 0;
  let listed = "";

  function chosen() {
    const { state, selection } = app;
    if (state.tab === "well") return state.focus < 0 ? [] : app.inWell(state.focus);
    const found = [];
    selection.forEach((flag, image) => flag && found.push(image));
    return found;
  }

  function update(changed) {
    const { state } = app;
    byId("tab-well").setAttribute("aria-pressed", state.tab === "well");
    byId("tab-selection").setAttribute("aria-pressed", state.tab === "selection");
    byId("tab-selection").textContent = `Selection (${number(app.selectedCount)})`;
    const well = state.focus < 0 ? [] : app.inWell(state.focus);
    const held = well.length > 0 && well.every((image) => app.selection[image]);
    selectWell.disabled = well.length === 0;
    selectWell.textContent = held ? "Take this well out" : "Select this well";
    if (changed.has("tab") || (changed.has("selection") && state.tab === "selection")) count = PAGE;
    if (["selection", "focus", "tab", "pictures", "view", "filter", "more"].some((each) => changed.has(each)))
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
    const list = `${shown}|${app.state.focus}|${app.state.view}|${app.state.tab}`;
    if (repaint || list !== listed) {
      await fillGrid(shown, turn);
      if (turn === asked) listed = list;
    }
    if (turn === asked) await fillDetail(turn);
  }

  function heading(images) {
    const { state } = app;
    if (state.tab === "selection")
      return images.length
        ? ""
        : `Draw a line around points with the lasso, or drag over wells of the plate: their ${many} come here.`;
    if (state.focus < 0) return `Click a point or a well: its ${many} come here.`;
    const hidden = images.filter((image) => !app.shown[image]).length;
    const words = hidden ? `; the filters hide ${hidden === images.length ? `its ${many}` : `${hidden} of ${images.length}`}` : "";
    return `${app.said("plate", state.focus)}, well ${app.said("well", state.focus)}${words}`;
  }

  async function fillGrid(images, turn) {
    const cards = images.map((image) => ({ image, canvas: pictures.any ? make("canvas", {}) : null }));
    await Promise.all(cards.map(paintCard));
    if (turn !== asked) return;
    const several = app.state.tab === "selection" && platesDiffer();
    grid.replaceChildren(...cards.map((each) => card(each, several)));
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

  function card({ image, canvas }, several) {
    const { state } = app;
    const lines = linesOf(image, several);
    const right = app.columnOf("right");
    const score = right ? right.names[right.codes[image]] : "";
    const told = score && score !== "not scored" ? `${score}: ${app.said("predicted", image)}` : score;
    const line = (words, kind = "") => make("span", { class: `caption ${kind}`, title: words }, words);
    return make(
      "button",
      {
        type: "button",
        class: "card",
        "data-image": image,
        "aria-pressed": String(image === state.focus),
        "aria-label": ["Look at", one, ...lines, told].join(" "),
        onclick: () => look(image),
      },
      ...(canvas ? [canvas] : []),
      ...lines.map((words) => line(words)),
      ...(told ? [line(told, score.replace(" ", "-"))] : []),
    );
  }

  function platesDiffer() {
    const { plate } = app.model;
    const first = app.selection.indexOf(1);
    return app.selection.some((flag, at) => flag && plate[at] !== plate[first]);
  }

  // What is written under an image: where it is, its plate too where a selection spans several, and what it shows.
  function linesOf(image, several) {
    if (app.state.tab === "well") return [`site ${app.said("site", image)}`];
    const words = `${app.said("well", image)}, ${app.said("perturbation", image)}`;
    return several ? [app.said("plate", image), words] : [words];
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
      byId("facts-panel").hidden = true;
      return;
    }
    const ids = await model.imageIds();
    const canvas = make("canvas", {});
    const drawn = pictures.any && (await pictures.paint(canvas, state.focus).catch(() => false));
    if (turn !== asked) return;
    const picture = make(
      "button",
      {
        type: "button",
        class: "large",
        "aria-label": `Enlarge ${one} ${ids[state.focus]}, in false colour`,
        title: "Enlarge",
        onclick: enlarge.open,
      },
      canvas,
    );
    const views = [state.view, state.beside].filter(Boolean);
    const told = views.map((view) => verdicts(view, state.focus, views.length > 1));
    detail.replaceChildren(...(drawn ? [picture] : []), make("div", { class: "verdicts" }, truth(state.focus), ...told));
    byId("facts").replaceChildren(facts(ids[state.focus], state.focus));
    byId("facts-panel").hidden = false;
  }

  const list = (rows) =>
    make("dl", {}, ...rows.flatMap(([name, ...value]) => [make("dt", {}, name), make("dd", {}, ...value)]));

  function truth(image) {
    return list([["perturbation", app.said("perturbation", image)]]);
  }

  // What a method predicted of an image and of its well.
  function verdicts(view, image, titled) {
    const { title, correction } = app.model.views.get(view);
    const heading = titled ? [make("h3", {}, title)] : [];
    if (!app.columnOf("right", view)) return make("div", {}, ...heading, "no predictions");
    if (app.said("right", image, view) === "not scored")
      return make("div", {}, ...heading, make("span", { title: "It is none of the images that this method was tested on." }, "not scored by this method"));
    const verdict = (right, predicted) => {
      const word = app.said(right, image, view);
      return [`${app.said(predicted, image, view)}, `, make("b", { class: word }, word)];
    };
    const rows = [[one, ...verdict("right", "predicted")]];
    if (app.columnOf("well_right", view)) rows.push(["well", ...verdict("well_right", "predicted_well")]);
    rows.push(["probability", `${app.said("probability", image, view)} for ${app.said("perturbation", image)}`]);
    const note = correction ? [make("p", { class: "note" }, "predicted before the correction")] : [];
    return make("div", {}, ...heading, list(rows), ...note);
  }

  function facts(id, image) {
    const rows = [["image_id", id]];
    for (const own of app.model.columns.values()) {
      if (["experiment", "row", "column", "qc"].includes(own.key)) continue;
      rows.push([own.title, app.said(own.key, image)]);
    }
    const flags = app.model.flagsOf(image);
    if (flags) rows.push(["QC flags", flags]);
    return list(rows);
  }

  selectWell.addEventListener("click", () => app.toggle(app.inWell(app.state.focus)));
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

// One picture as large as the place of the points allows, beside the switches of its channels.
debatch.makeEnlarged = (box, app, pictures) => {
  const { make, byId } = debatch.dom;
  const canvas = make("canvas", { onclick: close });
  const caption = make("p", {});
  const shut = make("button", { type: "button", onclick: close }, "Close (Esc)");
  box.append(make("div", { class: "row" }, caption, shut), canvas);

  const isOpen = () => !box.hidden;

  function open() {
    box.hidden = false;
    paint();
    shut.focus();
  }

  function close() {
    box.hidden = true;
    byId("detail").querySelector("button")?.focus();
  }

  async function paint() {
    const image = app.state.focus;
    const drawn = image >= 0 && (await pictures.paint(canvas, image).catch(() => false));
    if (!drawn) box.hidden = true;
    caption.textContent = image < 0 ? "" : app.words.ofImage(image, app.state.view);
  }

  const update = (changed) => {
    if (isOpen() && ["focus", "pictures", "view"].some((each) => changed.has(each))) paint();
  };

  return { open, close, isOpen, update };
};
