"use strict";

// Images in false colour, from grey sheets whose pixels no script may read: canvases invert, add, stretch and multiply.
debatch.makePictures = (model) => {
  const MOST_SHEETS = 16;
  const channels = model.about.channels.map(([name, colour]) => ({
    name,
    colour,
    initial: colour,
    on: true,
    low: 0,
    high: 1,
  }));
  const manifests = new Map();
  const sheets = new Map();
  const layer = document.createElement("canvas").getContext("2d");
  const experiments = new Set(model.about.experiments);

  // Where an image is drawn: its sheet, and its number there. Undefined where it has no picture.
  async function placeOf(image) {
    const column = model.columns.get("experiment");
    const experiment = column.names[column.codes[image]];
    if (!experiments.has(experiment)) return undefined;
    if (!manifests.has(experiment)) manifests.set(experiment, openManifest(`images/${experiment}.js`));
    const manifest = await manifests.get(experiment);
    return manifest.places.has(image) ? { manifest, ...manifest.places.get(image) } : undefined;
  }

  async function openManifest(file) {
    const manifest = await debatch.data.load(file);
    const places = new Map();
    for (const sheet of manifest.sheets) {
      const rows = await debatch.data.unpack(sheet.rows);
      rows.forEach((image, number) => places.set(image, { sheet, number }));
    }
    return { ...manifest, places };
  }

  // The few sheets that were looked at last stay in memory.
  function openSheet(file) {
    const found = sheets.get(file) ?? loadPicture(file);
    sheets.delete(file);
    sheets.set(file, found);
    while (sheets.size > MOST_SHEETS) sheets.delete(sheets.keys().next().value);
    return found;
  }

  function loadPicture(file) {
    return new Promise((resolve, reject) => {
      const picture = new Image();
      picture.onload = () => resolve(picture);
      picture.onerror = () => reject(new Error(`${file} is not in the page's folder.`));
      picture.src = debatch.data.address(file);
    });
  }

  // Draw an image onto a canvas, which takes its size. False where there is no picture.
  async function paint(canvas, image) {
    const place = await placeOf(image);
    if (!place) return false;
    const { manifest, sheet, number } = place;
    const { width, height, across, down } = manifest;
    const picture = await openSheet(sheet.file);
    const shown = channels.filter((channel) => channel.on && manifest.channels.includes(channel.name));
    if (canvas.width !== width || canvas.height !== height) Object.assign(canvas, { width, height });
    Object.assign(layer.canvas, { width, height });
    const pen = canvas.getContext("2d");
    pen.globalCompositeOperation = "source-over";
    pen.fillStyle = "#000";
    pen.fillRect(0, 0, width, height);
    pen.globalCompositeOperation = "lighter";
    const left = (number % sheet.columns) * across * width;
    const top = Math.floor(number / sheet.columns) * down * height;
    // as in the figures: full in several channels still has a colour
    const share = 1 / Math.max(1, shown.length / 3);
    for (const channel of shown) {
      const at = manifest.channels.indexOf(channel.name);
      const [x, y] = [left + (at % across) * width, top + Math.floor(at / across) * height];
      step("copy", () => layer.drawImage(picture, x, y, width, height, 0, 0, width, height));
      stretch(channel);
      fill(
        "multiply",
        debatch.colours.channels(channel.colour).map((value) => value * share),
      );
      pen.drawImage(layer.canvas, 0, 0);
    }
    return true;
  }

  // What is darker than `low` becomes black, what is brighter than `high` white.
  function stretch({ low, high }) {
    if (low > 0) {
      fill("difference", [255, 255, 255]);
      fill("lighter", [255 * low, 255 * low, 255 * low]);
      fill("difference", [255, 255, 255]);
    }
    const lost = 255 * (1 - Math.max(0.02, high - low));
    if (lost > 0) fill("color-dodge", [lost, lost, lost]);
  }

  function fill(operation, colour) {
    layer.fillStyle = debatch.colours.hex(colour);
    step(operation, () => layer.fillRect(0, 0, layer.canvas.width, layer.canvas.height));
  }

  function step(operation, draw) {
    layer.globalCompositeOperation = operation;
    draw();
  }

  return { channels, paint, any: channels.length > 0 };
};
