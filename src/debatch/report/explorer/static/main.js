"use strict";

// Put the page together.
debatch.start = async () => {
  const { make, byId, number } = debatch.dom;
  if (!("DecompressionStream" in window))
    throw new Error("This browser is too old for the page: one of 2023 or newer shows it.");
  const model = await debatch.openModel();
  const app = debatch.makeApp(model);
  const { state } = app;
  const { about } = model;
  const [, many] = about.noun;
  const plates = about.places.plates.length;
  const pictures = debatch.makePictures(model);
  const tooltip = debatch.makeTooltip(byId("tooltip"), app);
  const scatters = [0, 1].map((panel) => {
    const scatter = debatch.makeScatter(byId(`points-${panel}`), byId(`marks-${panel}`), app, panel);
    debatch.addGestures(scatter, app, tooltip);
    return scatter;
  });
  const plate = debatch.makePlate(byId("plate"), app, tooltip);
  const legend = debatch.makeLegend(byId("legend"), app);
  const chips = debatch.makeChips(byId("chips"), app);
  const gallery = debatch.makeGallery(app, pictures);
  const channels = debatch.makeChannels(byId("channels"), app, pictures);

  document.title = `${about.title}: explorer`;
  byId("title").textContent = about.title;
  byId("label").textContent = about.label;
  byId("simulated").hidden = !about.simulated;
  byId("channel-panel").hidden = !pictures.any;
  byId("images-heading").textContent = pictures.any ? "Images" : `Chosen ${many}`;
  const titled = about.views.map((view) => [view.key, view.title]);
  fillSelect(byId("view"), titled);
  fillSelect(byId("beside"), [["", "nothing"], ...titled]);
  fillSelect(
    byId("palette"),
    Object.entries(debatch.colours.PALETTES).map(([key, palette]) => [key, palette.title]),
  );
  fillSelect(
    byId("plates"),
    about.places.plates.map((name, at) => [String(at), name]),
  );
  if (about.views.length === 0) {
    document.body.classList.add("no-views");
    byId("no-views").hidden = false;
  }

  const choose = (id, act) => byId(id).addEventListener("change", (event) => act(event.target.value));
  choose("view", (key) => app.show(0, key).catch(told));
  choose("beside", (key) => app.show(1, key).catch(told));
  choose("colour", (key) => set({ colour: key }, "style"));
  choose("palette", (key) => set({ palette: key }, "style"));
  choose("mode", (mode) => set({ mode }));
  choose("plates", (value) => set({ plate: +value }, "plate"));
  byId("search").addEventListener("input", async (event) => {
    state.search = event.target.value;
    await model.imageIds();
    app.change("filter", "style");
  });
  const click = (id, act) => byId(id).addEventListener("click", act);
  click("tool-move", () => set({ tool: "move" }, "tool"));
  click("tool-lasso", () => set({ tool: "lasso" }, "tool"));
  click("home", () => scatters.forEach((scatter) => scatter.moveTo(null)));
  click("clear", () => app.select([], "new"));
  click("export", () => debatch.exportRows(app));
  click("plate-before", () => turnPlate(-1));
  click("plate-after", () => turnPlate(1));
  click("help", () => byId("help-box").showModal());
  click("copy", async () => {
    await navigator.clipboard
      ?.writeText(location.href)
      .then(() => debatch.tell("The address is copied. It opens this view in a copy of the same folder."))
      .catch(() => debatch.tell("Copy the address from the address bar."));
  });

  function set(values, ...what) {
    Object.assign(state, values);
    app.change(...(what.length ? what : ["mode"]));
  }

  function turnPlate(by) {
    set({ plate: (state.plate + by + plates) % plates }, "plate");
  }

  function fillSelect(select, options) {
    select.replaceChildren(...options.map(([value, text]) => make("option", { value }, text)));
  }

  function told(error) {
    debatch.tell(error.message);
  }

  app.add((changed) => {
    const has = (...names) => names.some((name) => changed.has(name));
    // (what is laid out changes first: to ask for a size afterwards costs a layout each time)
    if (has("view"))
      fillSelect(
        byId("colour"),
        model.columnsOf(state.view).map((own) => [own.key, own.title]),
      );
    if (has("tool", "mode", "view", "style", "plate")) controls();
    if (has("style", "filter", "view")) {
      legend.update(changed);
      chips();
    }
    byId("beside-panel").hidden = !state.beside;
    scatters.forEach((scatter, panel) => update(scatter, panel, has));
    if (has("style", "filter", "selection", "view", "plate", "hover", "focus")) plate.draw();
    gallery.update(changed);
    if (has("pictures", "view")) channels.update();
    if (has("filter", "selection", "view", "plate")) words();
    save();
  });

  function update(scatter, panel, has) {
    const style = () => {
      scatter.style();
      scatter.draw();
      caption(scatter, panel);
    };
    if (has("view")) scatter.open().then(style).catch(told);
    else if (has("style", "filter", "selection")) style();
    else if (has("place")) scatter.draw();
    else if (has("hover", "focus")) scatter.mark();
  }

  function controls() {
    for (const [id, value] of Object.entries({
      view: state.view,
      beside: state.beside,
      colour: state.colour,
      palette: state.palette,
      mode: state.mode,
      plates: state.plate,
    })) {
      byId(id).value = value;
    }
    if (byId("search").value !== state.search) byId("search").value = state.search;
    byId("tool-move").setAttribute("aria-pressed", state.tool === "move");
    byId("tool-lasso").setAttribute("aria-pressed", state.tool === "lasso");
    document.body.dataset.tool = state.tool;
  }

  function caption({ key, drawn }, panel) {
    const view = model.views.get(key());
    if (!view) return;
    const whole = view.count === model.count ? "" : ` of ${number(model.count)}`;
    const held = app.selectedCount ? `; ${number(drawn.held)} of ${number(app.selectedCount)} selected` : "";
    byId(`caption-${panel}`).textContent =
      `${view.title} (${view.projection} of ${number(view.count)}${whole} ${many}${held})`;
  }

  function words() {
    const chosen = app.selectedCount > 0;
    byId("status").textContent =
      `${number(app.shownCount)} of ${number(model.count)} ${many} shown, ${number(app.selectedCount)} selected`;
    byId("export").textContent = chosen
      ? `Export ${number(app.selectedCount)} selected`
      : `Export ${number(app.shownCount)} shown`;
    byId("clear").disabled = !chosen;
    const held = new Set();
    app.selection.forEach((flag, image) => flag && held.add(model.plate[image]));
    const others = held.size - (held.has(state.plate) ? 1 : 0);
    byId("plate-words").textContent = chosen
      ? `Selected ${many} lie on ${number(held.size)} of ${number(plates)} plates${others ? "" : ": this one"}.`
      : "";
  }

  let saving = 0;
  let saved = "";
  function save() {
    clearTimeout(saving);
    saving = setTimeout(() => {
      const now = debatch.address.write(app, pictures.channels);
      if (now !== saved) history.replaceState(null, "", `#${now}`);
      saved = now;
    }, 150);
  }

  async function restore() {
    const text = location.hash.slice(1);
    if (text === saved && saved) return;
    if (new URLSearchParams(text).get("search")) await model.imageIds();
    const warning = await debatch.address.read(text, app, pictures.channels);
    state.places.forEach((place, panel) => scatters[panel].moveTo(place));
    app.change("view", "style", "filter", "selection", "focus", "plate", "pictures", "tool", "tab");
    if (warning) debatch.tell(warning);
  }

  addEventListener("hashchange", () => restore().catch(told));
  addEventListener("resize", () => app.change("place", "plate"));
  debatch.addKeys(app, { turnPlate, set });
  debatch.addTheme(byId("theme"), () => app.change("style"));
  await restore();
  debatch.app = Object.assign(app, { scatters });
};

debatch.start().catch((error) => debatch.tell(error.message));
