"use strict";

// Small things of the page: messages, what is under the mouse, keys, day and night, and the export.
debatch.tell = (text) => {
  const message = debatch.dom.byId("message");
  message.textContent = text;
  message.hidden = !text;
  clearTimeout(debatch.telling);
  debatch.telling = setTimeout(() => (message.hidden = true), 12000);
};

debatch.makeTooltip = (element, app) => (image, event) => {
  element.hidden = image < 0 || !event;
  if (element.hidden) return;
  const words = ["perturbation", "batch", "plate", "well", "right"].map((key) => app.said(key, image)).filter(Boolean);
  element.textContent = words.join(" · ");
  const left = Math.min(event.clientX + 14, innerWidth - element.offsetWidth - 8);
  element.style.transform = `translate(${Math.max(8, left)}px, ${Math.max(8, event.clientY - element.offsetHeight - 10)}px)`;
};

debatch.addKeys = (app, { turnPlate, set }) => {
  const { byId } = debatch.dom;
  const keys = {
    "/": () => byId("search").focus(),
    "?": () => byId("help-box").showModal(),
    "[": () => turnPlate(-1),
    "]": () => turnPlate(1),
    l: () => set({ tool: "lasso" }, "tool"),
    m: () => set({ tool: "move" }, "tool"),
    e: () => byId("export").click(),
    Escape: () => app.select([], "new"),
  };
  addEventListener("keydown", (event) => {
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

// The selection as a CSV file, else all that is shown. `image_id` comes first; the rest is for people.
debatch.exportRows = async (app) => {
  const { model } = app;
  const ids = await model.imageIds();
  const flags = app.selectedCount > 0 ? app.selection : app.shown;
  const keys = ["experiment", "plate", "well", "site", "perturbation", "batch"].filter((key) => model.columns.has(key));
  const lines = [["image_id", ...keys]];
  flags.forEach((flag, image) => {
    if (flag)
      lines.push([
        ids[image],
        ...keys.map((key) => model.columns.get(key).names[model.columns.get(key).codes[image]] ?? ""),
      ]);
  });
  const cell = (text) => (/[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text);
  const blob = new Blob([lines.map((line) => line.map(cell).join(",")).join("\n"), "\n"], { type: "text/csv" });
  const link = debatch.dom.make("a", { href: URL.createObjectURL(blob), download: `${model.about.name}-images.csv` });
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10000);
};
