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
  const tooltip = debatch.makeTooltip(byId("tooltip"));
  app.words = debatch.makeWords(app);
  const scatters = [0, 1].map((panel) => {
    const scatter = debatch.makeScatter(byId(`points-${panel}`), byId(`marks-${panel}`), app, panel);
    debatch.addGestures(scatter, app, tooltip);
    return scatter;
  });
  const plate = debatch.makePlate(byId("plate"), app, tooltip);
  const legend = debatch.makeLegend(byId("legend"), app);
  const chips = debatch.makeChips(byId("chips"), app);
  const enlarge = debatch.makeEnlarged(byId("enlarged"), app, pictures);
  const gallery = debatch.makeGallery(app, pictures, enlarge);
  const channels = debatch.makeChannels(byId("channels"), app, pictures);

  document.title = `${about.title}: explorer`;
  byId("title").textContent = about.title;
  byId("label").textContent = about.label;
  byId("simulated").hidden = !about.simulated;
  byId("channel-panel").hidden = !pictures.any;
  byId("images-heading").textContent = pictures.any ? "Images" : `Chosen ${many}`;
  byId("view").append(...viewOptions());
  byId("beside").append(make("option", { value: "" }, "nothing"), ...viewOptions());
  byId("terms").prepend(
    ...about.terms.flatMap(([term, words]) => [make("dt", {}, term), make("dd", {}, words)]),
  );
  fillSelect(
    byId("palette"),
    Object.entries(debatch.colours.PALETTES).map(([key, palette]) => [key, palette.title]),
  );
  fillSelect(
    byId("plates"),
    about.places.plates.map((name, at) => [String(at), name]),
  );
  const plateOptions = [...byId("plates").options];
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
  const copied =
    location.protocol === "file:"
      ? "The address is copied. It opens this view in a copy of this folder: a colleague replaces all before index.html# with the place of the copy."
      : "The address is copied. It opens this view.";
  const click = (id, act) => byId(id).addEventListener("click", act);
  click("tool-move", () => set({ tool: "move" }, "tool"));
  click("tool-lasso", () => set({ tool: "lasso" }, "tool"));
  click("home", () => scatters.forEach((scatter) => scatter.moveTo(null)));
  click("clear", app.clear);
  click("select-shown", () => {
    const found = [];
    app.shown.forEach((flag, image) => flag && found.push(image));
    app.gather(found);
  });
  for (const which of ["shown", "selected"]) click(`export-${which}`, () => debatch.exportRows(app, which).catch(told));
  click("plate-before", () => turnPlate(-1));
  click("plate-after", () => turnPlate(1));
  click("help", () => byId("help-box").showModal());
  click("copy", async () => {
    await navigator.clipboard
      ?.writeText(location.href)
      .then(() => debatch.tell(copied))
      .catch(() => debatch.tell("Copy the address from the address bar."));
  });

  function set(values, ...what) {
    Object.assign(state, values);
    app.change(...(what.length ? what : ["mode"]));
  }

  // The next plate of which something is shown.
  function turnPlate(by) {
    let plate = (state.plate + by + plates) % plates;
    while (app.shownCount > 0 && app.shownOnPlate[plate] === 0) plate = (plate + by + plates) % plates;
    set({ plate }, "plate");
  }

  // Looks at embeddings, in groups by what the methods were trained on.
  function viewOptions() {
    const option = (view) => {
      const words = view.correction ? `${view.method}, ${view.correction}` : view.method;
      return make("option", { value: view.key, title: view.title }, words);
    };
    const splits = [...new Set(about.views.map((view) => view.split))];
    const label = (split) => split[0].toUpperCase() + split.slice(1);
    return splits.flatMap((split) => {
      const options = about.views.filter((view) => view.split === split).map(option);
      return split ? [make("optgroup", { label: label(split) }, ...options)] : options;
    });
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
    if (has("focus") && !has("restored")) scatters.forEach((scatter) => scatter.reveal(state.focus));
    gallery.update(changed);
    enlarge.update(changed);
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
    const shown = drawn.count - drawn.faint;
    const passing = app.shownCount === model.count ? "" : `; ${number(shown)} shown`;
    const held = app.selectedCount ? `; ${number(drawn.held)} of ${number(app.selectedCount)} selected` : "";
    byId(`caption-${panel}`).textContent =
      `${view.title} (${view.projection} of ${number(view.count)}${whole} ${many}${passing}${held})`;
    byId(`empty-${panel}`).textContent = shown > 0 || app.shownCount === 0 ? "" : untested(view);
  }

  function untested(view) {
    const reason = `this method was not tested on the ${number(app.shownCount)} ${many} that the filters leave`;
    return `0 of ${number(view.count)} points: ${reason}. The plate shows them.`;
  }

  function words() {
    const { shownCount, selectedCount } = app;
    byId("status").textContent =
      `${number(shownCount)} of ${number(model.count)} ${many} shown${app.wellWords(app.shownWells)}, ` +
      `${number(selectedCount)} selected${selectedCount ? app.wellWords(app.selectedWells) : ""}`;
    byId("status").title = app.unscored
      ? `The method on the first panel did not score ${number(app.unscored)} of the ${number(shownCount)} shown.`
      : "";
    byId("export-shown").textContent = `Export ${number(shownCount)} shown`;
    byId("export-selected").textContent = `Export ${number(selectedCount)} selected`;
    byId("export-selected").hidden = selectedCount === 0;
    byId("clear").disabled = byId("export-selected").disabled = selectedCount === 0;
    byId("export-shown").disabled = byId("select-shown").disabled = shownCount === 0;
    const filtered = shownCount < model.count;
    plateOptions.forEach((option, at) => {
      const shown = app.shownOnPlate[at];
      const text = filtered ? `${about.places.plates[at]}: ${number(shown)} shown` : about.places.plates[at];
      if (option.textContent !== text) option.textContent = text;
      option.classList.toggle("silent", shown === 0);
    });
    const held = new Set();
    app.selection.forEach((flag, image) => flag && held.add(model.plate[image]));
    const others = held.size - (held.has(state.plate) ? 1 : 0);
    byId("plate-words").textContent = selectedCount
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
    app.change("view", "style", "filter", "selection", "focus", "plate", "pictures", "tool", "tab", "restored");
    if (warning) debatch.tell(warning);
  }

  addEventListener("hashchange", () => restore().catch(told));
  addEventListener("resize", () => app.change("place", "plate"));
  debatch.addKeys(app, { turnPlate, set, enlarge });
  debatch.addTheme(byId("theme"), () => app.change("style"));
  await restore();
  debatch.app = Object.assign(app, { scatters });
};

debatch.start().catch((error) => debatch.tell(error.message));
