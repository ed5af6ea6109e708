"use strict";

// What the colours mean, how many images have each, and which are shown: the legend is the filter.
debatch.makeLegend = (host, app) => {
  const { make, number } = debatch.dom;
  const MOST = 300;
  const list = make("div", { class: "values", role: "group", "aria-label": "Values" });
  const find = make("input", {
    type: "search",
    class: "find",
    "aria-label": "Find a value",
    placeholder: "Find a value",
    oninput: fill,
  });
  const note = make("p", { class: "note" });
  const all = make("button", { type: "button", onclick: () => app.filter(column().key, null) }, "Show all");
  const none = make("button", { type: "button", onclick: hideAll }, "Hide all");
  const buttons = make("div", { class: "row" }, all, none);
  host.append(find, buttons, list, note);
  let rows = [];
  let built = null;
  let scored = null;

  const column = () => app.columnOf();

  function update(changed) {
    const own = column();
    if (!own) {
      list.replaceChildren();
      built = null;
      return;
    }
    const names = own.kind === "names";
    find.hidden = !names || own.names.length < 12;
    buttons.hidden = !names;
    if (built !== own || scored !== app.model.isScored(app.state.view)) {
      if (built !== own) find.value = "";
      fill();
    }
    if (names) refresh(own);
    else note.textContent = ofView();
    if (changed.has("style") && !names) drawBar();
  }

  function ofView() {
    const view = app.model.views.get(app.state.view);
    const before = view?.correction ? ", before the correction" : "";
    return column()?.predicted && view ? `Predicted by: ${view.title}${before}.` : "";
  }

  function fill() {
    const own = column();
    built = own;
    scored = app.model.isScored(app.state.view);
    rows = [];
    list.replaceChildren();
    if (!own) return;
    if (own.kind === "number") {
      fillRange(own);
      return;
    }
    const wanted = find.value.toLowerCase();
    const codes = own.names
      .map((_, code) => code)
      .filter((code) => (own.names[code] ?? "not known").toLowerCase().includes(wanted));
    const untold = notTold(own);
    for (const code of codes.slice(0, MOST)) rows.push(row(own, code, untold));
    list.append(heads(), ...rows.map((each) => each.element));
    if (own.key === "right" && app.model.wells.several) list.append(both());
    if (codes.length > MOST)
      list.append(make("p", { class: "note" }, `${number(codes.length - MOST)} more: type above to find them.`));
    refresh(own);
  }

  function heads() {
    const [, many] = app.model.about.noun;
    const of = [many, ...(app.model.wells.several ? ["wells"] : [])];
    return make("div", { class: "over" }, ...of.map((each) => make("span", {}, each)));
  }

  // Names of which the method tells nothing: [whether, in words], or null where it tells of all.
  function notTold(own) {
    const { model, state } = app;
    if (own.predicted || !scored) return null;
    const words = model.columnOf("right", state.view) ? "not scored" : "no points";
    return { words, counts: model.countsOf(own, scored).images };
  }

  // Of wells alone, which the plate draws between the two colours.
  function both() {
    const swatch = make("span", { class: "swatch" });
    const [, wrong, right] = debatch.colours.ofNames(column(), app.state.palette);
    swatch.style.background = `linear-gradient(to right, ${wrong}, ${debatch.colours.mixed(right, wrong, 0.5)}, ${right})`;
    return make("p", { class: "both" }, swatch, make("span", {}, "a well of both, on the plate"));
  }

  function row(own, code, untold) {
    const name = own.names[code] ?? "not known";
    const box = make("input", { type: "checkbox", onchange: () => toggle(own, code) });
    const swatch = make("span", { class: "swatch" });
    const count = make("span", { class: "count" });
    const wells = make("span", { class: "wells" });
    const only = make(
      "button",
      { type: "button", class: "only", "aria-label": `Show ${name} only`, onclick: () => showOnly(own, code) },
      "only",
    );
    const silent = untold && untold.counts[code] === 0;
    const label = make(
      "label",
      {},
      box,
      swatch,
      make("span", { class: "name", title: name }, name),
      ...(silent ? [make("small", { class: "tag", title: "The method shown was not tested on them." }, untold.words)] : []),
    );
    const counts = app.model.wells.several ? [count, wells] : [count];
    const element = make("div", { class: `value${silent ? " silent" : ""}` }, label, only, ...counts);
    return { code, box, swatch, count, wells, element };
  }

  // Counts are of the images that pass all other filters.
  function refresh(own) {
    const { state, model } = app;
    const off = state.filters.get(own.key)?.off;
    const others = off ? model.mask(state.filters, state.search, state.view, own.key) : app.shown;
    const counts = model.countsOf(own, others);
    const colours = debatch.colours.ofNames(own, state.palette, off);
    // (on the second panel points may be of a name that the first method's filter leaves out)
    const always = own.predicted && state.beside;
    for (const { code, box, swatch, count, wells, element } of rows) {
      box.checked = !off?.has(code);
      swatch.style.backgroundColor = box.checked || always ? colours[code] : "transparent";
      count.textContent = number(counts.images[code]);
      wells.textContent = number(counts.wells[code]);
      element.classList.toggle("off", !box.checked || counts.images[code] === 0);
    }
    const repeated = debatch.colours.repeats(own, state.palette, off);
    note.textContent = [
      ofView(),
      repeated
        ? "More names than colours: colours come again. Show a few names, and each gets its own; or take another palette."
        : "",
    ]
      .join(" ")
      .trim();
  }

  function toggle(own, code) {
    const off = new Set(app.state.filters.get(own.key)?.off);
    if (!off.delete(code)) off.add(code);
    app.filter(own.key, { off });
  }

  function showOnly(own, code) {
    app.filter(own.key, { off: new Set([...own.names.keys()].filter((each) => each !== code)) });
  }

  function hideAll() {
    const own = column();
    app.filter(own.key, { off: new Set(own.names.keys()) });
  }

  function fillRange(own) {
    const { low, high } = app.state.filters.get(own.key) ?? { low: 0, high: 1 };
    const inputs = [low, high].map((value, at) =>
      make("input", {
        type: "range",
        min: 0,
        max: 1,
        step: 0.01,
        value,
        "aria-label": at ? "At most" : "At least",
        oninput: ranged,
      }),
    );
    const said = make("output", {});
    function ranged() {
      const [from, to] = inputs.map((input) => +input.value);
      const range = { low: Math.min(from, to), high: Math.max(from, to) };
      app.filter(own.key, range.low > 0 || range.high < 1 ? range : null);
      said.textContent = words(range);
    }
    const words = (range) => `shown: ${range.low.toFixed(2)} to ${range.high.toFixed(2)}`;
    said.textContent = words({ low, high });
    list.append(
      make("div", { class: "bar" }),
      make("div", { class: "ends" }, make("span", {}, "0"), make("span", {}, "1")),
      make("label", { class: "range" }, "at least", inputs[0]),
      make("label", { class: "range" }, "at most", inputs[1]),
      said,
    );
    drawBar();
  }

  function drawBar() {
    const bar = list.querySelector(".bar");
    if (bar)
      bar.style.background = `linear-gradient(to right, ${debatch.colours
        .ofNumbers(app.state.palette)
        .filter((_, at) => at % 15 === 0)
        .join(", ")})`;
  }

  return { update };
};

// The filters that are on, each with a button that takes it away.
debatch.makeChips = (host, app) => {
  const { make, number } = debatch.dom;

  function words(own, filter) {
    if (own.kind === "number") return `${own.title}: ${filter.low.toFixed(2)} to ${filter.high.toFixed(2)}`;
    const kept = own.names.filter((_, code) => !filter.off.has(code));
    return kept.length === 1
      ? `${own.title}: ${kept[0] ?? "not known"}`
      : `${own.title}: ${number(kept.length)} of ${number(own.names.length)}`;
  }

  return () => {
    const chips = [];
    for (const [key, filter] of app.state.filters) {
      const own = app.columnOf(key);
      if (!own) continue;
      const text = words(own, filter);
      chips.push(
        make(
          "button",
          {
            type: "button",
            class: "chip",
            "aria-label": `Take away the filter ${text}`,
            onclick: () => app.filter(key, null),
          },
          text,
          " ×",
        ),
      );
    }
    host.replaceChildren(...chips);
    host.hidden = chips.length === 0;
  };
};
