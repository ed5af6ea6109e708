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
  const wellSeen = new Uint8Array(wells.count);
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
      const has = new Uint8Array(count);
      for (const image of own) has[image] = 1;
      opened.set(key, { rows: own, has, x: Float32Array.from(x, scaled), y: Float32Array.from(y, scaled) });
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
    const [own, right, wellRight, steps, guesses, wellGuesses] = await Promise.all(
      [
        packed.rows,
        packed.right,
        packed.well_right,
        packed.probability,
        packed.predicted,
        packed.predicted_well,
      ].map(unpack),
    );
    const classes = [...packed.names, null];
    const verdicts = ["not scored", "wrong", "right"];
    const probability = new Float32Array(count).fill(NaN);
    own.forEach((image, at) => {
      if (steps[at] !== 65535) probability[image] = steps[at] / 65534;
    });
    const spread = (values, rest) => {
      const codes = new Uint16Array(count).fill(rest);
      own.forEach((image, at) => (codes[image] = values[at]));
      return codes;
    };
    const named = (key, title, names, values, rest) => ({
      key,
      title,
      kind: "names",
      names,
      codes: spread(values, rest),
      predicted: true,
      verdict: names === verdicts,
    });
    const made = [
      named("right", "image right or wrong", verdicts, right, 0),
      named("well_right", "well right or wrong", verdicts, wellRight, 0),
      { key: "probability", title: "probability of the true class", kind: "number", values: probability, predicted: true },
      named("predicted", "predicted class of the image", classes, guesses, classes.length - 1),
      named("predicted_well", "predicted class of the well", classes, wellGuesses, classes.length - 1),
    ];
    // where each image is a well of its own, its well says nothing more
    const told = made.filter((column) => wells.several || !column.key.includes("well"));
    return new Map(told.map((column) => [column.key, column]));
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

  // How many wells hold the images that are flagged.
  function wellsAmong(flags) {
    wellSeen.fill(0);
    for (let at = 0; at < count; at++) wellSeen[wells.number[at]] |= flags[at];
    let total = 0;
    for (let at = 0; at < wellSeen.length; at++) total += wellSeen[at];
    return total;
  }

  // How many flagged images each name of a column has, and how many wells hold them.
  function countsOf(column, flags) {
    const images = new Uint32Array(column.names.length);
    const inWells = new Uint32Array(column.names.length);
    const last = new Int32Array(column.names.length).fill(-1);
    for (const image of wells.order) {
      if (!flags[image]) continue;
      const code = column.codes[image];
      images[code]++;
      if (last[code] !== wells.number[image]) inWells[code]++;
      last[code] = wells.number[image];
    }
    return { images, wells: inWells };
  }

  // Whether a look at embeddings tells anything of an image: what was predicted is scored, or there is a point.
  function isScored(view) {
    const right = columnOf("right", view);
    return right ? right.codes : opened.get(view)?.has;
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
    wellsAmong,
    countsOf,
    isScored,
    pointsOf: (key) => opened.get(key),
    flagsOf: (image) => about.flags.names[flags[image]],
  };

  // Images by plate and well: those of well w of plate p are order[start[i]] to order[start[i + 1]], i = p * wells + w.
  // Wells that hold images are numbered in that order.
  function wellsInOrder(plates, ownRows, ownColumns, plateCount, high, width) {
    const start = new Uint32Array(plateCount * high * width + 1);
    const place = (image) => (plates[image] * high + ownRows[image]) * width + ownColumns[image];
    for (let image = 0; image < count; image++) start[place(image) + 1]++;
    for (let at = 1; at < start.length; at++) start[at] += start[at - 1];
    const next = start.slice();
    const order = new Uint32Array(count);
    for (let image = 0; image < count; image++) order[next[place(image)]++] = image;
    const number = new Uint32Array(count);
    let filled = 0;
    for (let at = 0; at < count; at++) {
      if (at > 0 && place(order[at]) !== place(order[at - 1])) filled++;
      number[order[at]] = filled;
    }
    return {
      high,
      width,
      order,
      number,
      count: count ? filled + 1 : 0,
      several: filled + 1 < count,
      of: (p, w) => order.subarray(start[p * high * width + w], start[p * high * width + w + 1]),
    };
  }
};
