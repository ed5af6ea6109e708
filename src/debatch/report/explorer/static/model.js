"use strict";

// The screen: what is known of each image, where it is, and which images a filter leaves.
debatch.openModel = async () => {
  const { load, unpack } = debatch.data;
  const about = await load("data/screen.js");
  const count = about.count;
  const columns = new Map();
  const views = new Map(about.views.map((view) => [view.key, view]));
  const [plate, row, column, flags, ...codes] = await Promise.all(
    [
      about.places.plate,
      about.places.row,
      about.places.column,
      about.flags.codes,
      ...about.columns.map((c) => c.codes),
    ].map(unpack),
  );
  about.columns.forEach((own, at) =>
    columns.set(own.key, { key: own.key, title: own.title, kind: "names", names: own.names, codes: codes[at] }),
  );
  const [rows, wide] = about.format;
  const wells = wellsInOrder(plate, row, column, about.places.plates.length, rows, wide);
  const opened = new Map();
  const predicted = new Map();
  let ids = null;
  let lowered = null;

  // The points of one look at embeddings, with what was predicted from them, once both are loaded.
  async function openView(key) {
    const view = views.get(key);
    if (!opened.has(key)) {
      const packed = await load(view.file);
      const [own, x, y] = await Promise.all([packed.rows, packed.x, packed.y].map(unpack));
      opened.set(key, { rows: own, x: Float32Array.from(x, scaled), y: Float32Array.from(y, scaled) });
    }
    if (view.predictions && !predicted.has(view.predictions)) {
      predicted.set(view.predictions, await openPredictions(view.predictions));
    }
    return opened.get(key);
  }

  function scaled(step) {
    return step / 65535;
  }

  async function openPredictions(file) {
    const packed = await load(file);
    const [own, right, steps, classes] = await Promise.all(
      [packed.rows, packed.right, packed.probability, packed.predicted].map(unpack),
    );
    const names = [...packed.names, null];
    const scores = new Uint8Array(count);
    const probability = new Float32Array(count).fill(NaN);
    const guesses = new Uint16Array(count).fill(names.length - 1);
    own.forEach((image, at) => {
      scores[image] = right[at];
      guesses[image] = classes[at];
      if (steps[at] !== 65535) probability[image] = steps[at] / 65534;
    });
    const made = [
      { key: "right", title: "right or wrong", kind: "names", names: ["not scored", "wrong", "right"], codes: scores },
      { key: "probability", title: "probability of the true class", kind: "number", values: probability },
      { key: "predicted", title: "predicted class", kind: "names", names, codes: guesses },
    ];
    return new Map(made.map((own) => [own.key, own]));
  }

  // A column by its key; of those that come from predictions, the one of a view. Undefined where there is none.
  function columnOf(key, view) {
    return columns.get(key) ?? predicted.get(views.get(view)?.predictions)?.get(key);
  }

  function columnsOf(view) {
    return [...columns.values(), ...(predicted.get(views.get(view)?.predictions)?.values() ?? [])];
  }

  async function imageIds() {
    ids ??= await unpack(about.ids);
    return ids;
  }

  // (N,) 1 where an image passes all filters, but that of one column if it is named, and the search.
  function mask(filters, search, view, except) {
    const shown = new Uint8Array(count).fill(1);
    for (const [key, filter] of filters) {
      const own = key === except ? null : columnOf(key, view);
      if (!own) continue;
      if (own.kind === "names") {
        const kept = Uint8Array.from(own.names, (_, code) => (filter.off.has(code) ? 0 : 1));
        for (let at = 0; at < count; at++) shown[at] &= kept[own.codes[at]];
      } else {
        const { low, high } = filter;
        for (let at = 0; at < count; at++) shown[at] &= own.values[at] >= low && own.values[at] <= high ? 1 : 0;
      }
    }
    for (const word of search.toLowerCase().split(/\s+/).filter(Boolean)) keepFound(shown, word);
    return shown;
  }

  function keepFound(shown, word) {
    const hits = [];
    for (const own of columns.values()) {
      const found = Uint8Array.from(own.names, (name) => (name !== null && name.toLowerCase().includes(word) ? 1 : 0));
      if (found.includes(1)) hits.push([own.codes, found]);
    }
    lowered ??= ids?.map((id) => id.toLowerCase());
    for (let at = 0; at < count; at++) {
      if (!shown[at]) continue;
      shown[at] = hits.some(([own, found]) => found[own[at]]) || lowered?.[at].includes(word) ? 1 : 0;
    }
  }

  return {
    about,
    count,
    columns,
    views,
    plate,
    row,
    column,
    wells,
    openView,
    columnOf,
    columnsOf,
    imageIds,
    mask,
    flagsOf: (image) => about.flags.names[flags[image]],
  };

  // Images by plate and well: those of well w of plate p are order[start[i]] to order[start[i + 1]], i = p * wells + w.
  function wellsInOrder(plates, ownRows, ownColumns, plateCount, high, width) {
    const start = new Uint32Array(plateCount * high * width + 1);
    const place = (image) => (plates[image] * high + ownRows[image]) * width + ownColumns[image];
    for (let image = 0; image < count; image++) start[place(image) + 1]++;
    for (let at = 1; at < start.length; at++) start[at] += start[at - 1];
    const next = start.slice();
    const order = new Uint32Array(count);
    for (let image = 0; image < count; image++) order[next[place(image)]++] = image;
    return { high, width, of: (p, w) => order.subarray(start[p * high * width + w], start[p * high * width + w + 1]) };
  }
};
