"use strict";

// Images as a CSV file: those that are shown, or those that are selected.
debatch.exportRows = async (app, which) => {
  const { model, state } = app;
  const ids = await model.imageIds();
  const flags = which === "selected" ? app.selection : app.shown;
  const count = which === "selected" ? app.selectedCount : app.shownCount;
  const lines = [];
  const columns = columnsOf();
  flags.forEach((flag, image) => flag && lines.push(columns.map(([, value]) => cell(value(image)))));
  const text = [columns.map(([name]) => name), ...lines].map((line) => line.join(",")).join("\n");
  const blob = new Blob([text, "\n"], { type: "text/csv" });
  const link = debatch.dom.make("a", { href: URL.createObjectURL(blob), download: fileName() });
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10000);

  // `image_id` comes first, then where the image is, and what the method on the first panel says of it.
  function columnsOf() {
    const known = ["experiment", "plate", "well", "site", "perturbation", "batch"].filter((key) => model.columns.has(key));
    const found = [["image_id", (image) => ids[image]], ...known.map((key) => [key, named(model.columns.get(key))])];
    const view = model.views.get(state.view);
    if (!view) return found;
    found.push(["method", () => view.method], ["correction", () => view.correction], ["training", () => view.split]);
    const of = (key) => model.columnOf(key, state.view);
    if (!of("right")) return found;
    found.push(["predicted", named(of("predicted"))], ["right", verdict(of("right"))]);
    if (of("well_right"))
      found.push(["well_predicted", named(of("predicted_well"))], ["well_right", verdict(of("well_right"))]);
    const { values } = of("probability");
    found.push(["probability", (image) => (Number.isNaN(values[image]) ? "" : values[image].toFixed(5))]);
    return found;
  }

  function named(column) {
    return (image) => column.names[column.codes[image]] ?? "";
  }

  function verdict(column) {
    return (image) => ["", "false", "true"][column.codes[image]];
  }

  function cell(text) {
    return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
  }

  function fileName() {
    const [one, many] = model.about.noun;
    const words = [model.about.name, state.view, String(count), count === 1 ? one : many, which];
    return `${words
      .filter(Boolean)
      .map((word) => word.replace(/[^A-Za-z0-9_]+/g, "-"))
      .join("-")}.csv`;
  }
};
