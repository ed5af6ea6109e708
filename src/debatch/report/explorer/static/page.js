"use strict";

// Small things of the page: messages, what is under the mouse, keys, day and night, and the export.
// A message, with buttons that do something about it.
debatch.tell = (text, acts = {}) => {
  const { make, byId } = debatch.dom;
  const message = byId("message");
  const done = () => (message.hidden = true);
  const button = ([name, act]) =>
    make("button", { type: "button", onclick: () => (done(), act()) }, name);
  message.replaceChildren(text, ...Object.entries(acts).flatMap((each) => [" ", button(each)]));
  message.hidden = !text;
  clearTimeout(debatch.telling);
  debatch.telling = setTimeout(done, 12000);
};

// What is under the mouse. Beside it, or above an element that it would hide.
debatch.makeTooltip = (element) => (text, event, above) => {
  element.hidden = !text || !event;
  if (element.hidden) return;
  element.textContent = text;
  const left = Math.min(event.clientX + 14, innerWidth - element.offsetWidth - 8);
  const top = (above ? above.getBoundingClientRect().top : event.clientY - 10) - element.offsetHeight;
  element.style.transform = `translate(${Math.max(8, left)}px, ${Math.max(8, top)}px)`;
};

debatch.makeWords = (app) => {
  const { model } = app;

  function place(image) {
    const [batch, plate] = ["batch", "plate"].map((key) => app.said(key, image));
    return [app.said("perturbation", image), ...(plate.startsWith(batch) ? [] : [batch]), plate, app.said("well", image)];
  }

  // What a method says of an image and its well: empty where it did not score it.
  function verdicts(image, view) {
    const said = (key) => model.columnOf(key, view) && app.said(key, image, view);
    const [right, wellRight] = [said("right"), said("well_right")];
    if (!right) return [];
    if (right === "not scored") return ["not scored by this method"];
    return [`${model.about.noun[0]} ${right}`, ...(wellRight ? [`well ${wellRight}`] : [])];
  }

  // A point, with what the method of its panel says.
  const ofImage = (image, view) => [...place(image), ...verdicts(image, view)].filter(Boolean).join(" · ");

  // A well: of its images those that pass the filters.
  function ofWell(images) {
    const [one, many] = model.about.noun;
    const shown = images.filter((image) => app.shown[image]);
    const words = place(images[0]);
    if (shown.length === 0) words.push("hidden by the filters");
    else if (shown.length < images.length) words.push(`${shown.length} of ${images.length} ${many} shown`);
    const right = model.columnOf("right", app.state.view);
    const scored = right ? shown.filter((image) => right.codes[image] > 0) : [];
    if (right && shown.length > 0 && scored.length === 0) words.push("not scored by this method");
    if (scored.length > 0) {
      const wrong = scored.filter((image) => right.codes[image] === 1).length;
      words.push(`${wrong} of ${scored.length} ${scored.length === 1 ? one : many} wrong`);
      words.push(...verdicts(scored[0], app.state.view).slice(1));
    }
    return words.filter(Boolean).join(" · ");
  }

  return { ofImage, ofWell, verdicts };
};

debatch.addKeys = (app, { turnPlate, set, enlarge }) => {
  const { byId } = debatch.dom;
  const keys = {
    "/": () => byId("search").focus(),
    "?": () => byId("help-box").showModal(),
    "[": () => turnPlate(-1),
    "]": () => turnPlate(1),
    l: () => set({ tool: "lasso" }, "tool"),
    m: () => set({ tool: "move" }, "tool"),
    e: () => byId("export-shown").click(),
    E: () => byId("export-selected").click(),
    Escape: close,
  };

  // The selection goes last, and comes back.
  function close() {
    if (enlarge.isOpen()) enlarge.close();
    else if (app.state.focus >= 0) app.focus(-1);
    else app.clear();
  }

  addEventListener("keydown", (event) => {
    if ((event.ctrlKey || event.metaKey) && event.key === "z" && !event.target.closest("input[type=search]")) {
      event.preventDefault();
      app.undo();
      return;
    }
    const typing = event.target.closest("input[type=search], select, dialog");
    if (typing || event.ctrlKey || event.metaKey || event.altKey || !Object.hasOwn(keys, event.key)) return;
    event.preventDefault();
    keys[event.key]();
  });
};

// Light, dark, or as the system has it. What was chosen is kept where the browser lets a page from a disk keep it.
debatch.addTheme = (button, changed) => {
  const NEXT = { auto: "light", light: "dark", dark: "auto" };
  const system = matchMedia("(prefers-color-scheme: dark)");
  let chosen = "auto";
  try {
    chosen = localStorage.getItem("debatch-theme") ?? "auto";
  } catch {
    // it does not
  }
  function apply() {
    if (!Object.hasOwn(NEXT, chosen)) chosen = "auto";
    const dark = chosen === "dark" || (chosen === "auto" && system.matches);
    document.documentElement.dataset.theme = dark ? "dark" : "light";
    button.textContent = { auto: "Theme: system", light: "Theme: light", dark: "Theme: dark" }[chosen];
    changed();
  }
  button.addEventListener("click", () => {
    chosen = NEXT[chosen];
    try {
      localStorage.setItem("debatch-theme", chosen);
    } catch {
      // it does not
    }
    apply();
  });
  system.addEventListener("change", apply);
  apply();
};
