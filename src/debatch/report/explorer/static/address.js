"use strict";

// What is looked at, in the page's address, so that it can be sent to someone who has the same folder.
debatch.address = (() => {
  const LONGEST = 60000;

  function write(app, channels) {
    const { state, model } = app;
    const said = new URLSearchParams();
    const put = (name, value, usual) => value !== usual && said.set(name, value);
    put("of", model.about.digest);
    put("view", state.view, model.about.views[0]?.key ?? "");
    put("beside", state.beside, "");
    put("colour", state.colour, "batch");
    put("palette", state.palette, "okabe");
    put("search", state.search, "");
    put("tool", state.tool, "move");
    put("plate", state.plate);
    put("image", state.focus, -1);
    put("tab", state.tab, "well");
    for (const [key, filter] of state.filters) {
      said.append(
        "filter",
        filter.off ? `${key}:${[...filter.off].join(".")}` : `${key}:${filter.low}..${filter.high}`,
      );
    }
    state.places.forEach((place, panel) => {
      if (place) said.set(`at${panel}`, [place.x, place.y, place.zoom].map((value) => +value.toFixed(6)).join("_"));
    });
    channels.forEach((channel, at) => {
      if (!channel.on || channel.low > 0 || channel.high < 1 || channel.colour !== channel.initial) {
        said.append("channel", [at, +channel.on, channel.low, channel.high, channel.colour.slice(1)].join("_"));
      }
    });
    if (app.selectedCount > 0) {
      const packed = packSelection(app.selection);
      said.set("selected", packed.length > LONGEST ? "too-many" : packed);
    }
    return said.toString();
  }

  // Take over what an address says, as far as it fits this screen. Returns what to tell the reader, or an empty text.
  async function read(text, app, channels) {
    const { state, model } = app;
    const said = new URLSearchParams(text);
    const pick = (name, known, usual) => (known(said.get(name)) ? said.get(name) : usual);
    const whole = (name, count, usual) =>
      /^\d+$/.test(said.get(name) ?? "") && +said.get(name) < count ? +said.get(name) : usual;
    const isView = (key) => model.views.has(key);
    const first = model.about.views[0]?.key ?? "";
    state.view = pick("view", isView, first);
    state.beside = pick("beside", isView, "");
    const [view] = await Promise.all([state.view, state.beside].filter(Boolean).map(model.openView));
    // a plate that has points, unless another one is named
    const plate = view ? model.plate[view.rows.reduce((least, image) => Math.min(least, image), model.count - 1)] : 0;
    state.colour = pick("colour", (key) => model.columnOf(key, state.view), "batch");
    state.palette = pick("palette", (key) => Object.hasOwn(debatch.colours.PALETTES, key), "okabe");
    state.search = said.get("search") ?? "";
    state.tool = pick("tool", (tool) => tool === "lasso", "move");
    state.tab = pick("tab", (tab) => tab === "selection", "well");
    state.places = [0, 1].map((panel) => readPlace(said.get(`at${panel}`)));
    channels.forEach((channel) => Object.assign(channel, { on: true, low: 0, high: 1, colour: channel.initial }));
    said.getAll("channel").forEach((each) => readChannel(each, channels));
    const same = said.get("of") === null || said.get("of") === model.about.digest;
    state.filters = same ? readFilters(said.getAll("filter"), app) : new Map();
    state.plate = same ? whole("plate", model.about.places.plates.length, plate) : plate;
    state.focus = same ? whole("image", model.count, -1) : -1;
    const packed = said.get("selected") ?? "";
    app.selection.fill(0);
    if (same && packed && packed !== "too-many") unpackSelection(packed, app.selection);
    if (!same)
      return "This address was made with another version of the screen: its filters and selection are left out.";
    if (packed === "too-many")
      return "The selection in this address was too large to be kept. Ask for its CSV file instead.";
    return "";
  }

  function readFilters(texts, app) {
    const found = new Map();
    for (const text of texts) {
      const cut = text.lastIndexOf(":");
      const own = app.model.columnOf(text.slice(0, cut), app.state.view);
      const numbers = text
        .slice(cut + 1)
        .split(own?.kind === "number" ? ".." : ".")
        .map(Number);
      if (!own || numbers.some(Number.isNaN)) continue;
      if (own.kind === "number") found.set(own.key, { low: numbers[0], high: numbers[1] ?? 1 });
      else found.set(own.key, { off: new Set(numbers) });
    }
    return found;
  }

  function readPlace(text) {
    const [x, y, zoom] = (text ?? "").split("_").map(Number);
    return [x, y, zoom].every(Number.isFinite) && zoom > 0 ? { x, y, zoom } : null;
  }

  function readChannel(text, channels) {
    const found = /^(\d+)_([01])_([\d.]+)_([\d.]+)_([0-9a-f]{6})$/i.exec(text);
    const channel = found && channels[+found[1]];
    if (channel)
      Object.assign(channel, { on: found[2] === "1", low: +found[3], high: +found[4], colour: `#${found[5]}` });
  }

  // Runs of images as gaps and lengths, in 7 bits a byte, as letters that an address may hold.
  function packSelection(selection) {
    const bytes = [];
    const push = (value) => {
      for (; value > 127; value = Math.floor(value / 128)) bytes.push((value % 128) + 128);
      bytes.push(value);
    };
    let last = 0;
    for (let at = 0; at < selection.length; at++) {
      if (!selection[at]) continue;
      let end = at;
      while (end < selection.length && selection[end]) end++;
      push(at - last);
      push(end - at);
      last = at = end;
    }
    let text = "";
    for (const byte of bytes) text += String.fromCharCode(byte);
    return btoa(text).replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");
  }

  function unpackSelection(text, selection) {
    let bytes = "";
    try {
      bytes = atob(text.replaceAll("-", "+").replaceAll("_", "/"));
    } catch {
      return;
    }
    const values = [];
    let [value, weight] = [0, 1];
    for (const letter of bytes) {
      const byte = letter.charCodeAt(0);
      value += (byte % 128) * weight;
      weight *= 128;
      if (byte < 128) {
        values.push(value);
        [value, weight] = [0, 1];
      }
    }
    let at = 0;
    for (let pair = 0; pair + 1 < values.length; pair += 2) {
      at += values[pair];
      selection.fill(1, at, Math.min(selection.length, at + values[pair + 1]));
      at += values[pair + 1];
    }
  }

  return { write, read };
})();
