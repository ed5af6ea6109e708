"use strict";

// Colours of names and numbers. Those of the first two palettes are told apart with any common colour blindness.
debatch.colours = (() => {
  const PALETTES = {
    okabe: {
      title: "Okabe and Ito, viridis",
      names: ["#0072B2", "#E69F00", "#009E73", "#CC79A7", "#56B4E9", "#D55E00", "#F0E442"],
      numbers: [
        "#440154",
        "#482878",
        "#3e4989",
        "#31688e",
        "#26828e",
        "#1f9e89",
        "#35b779",
        "#6ece58",
        "#b5de2b",
        "#fde725",
      ],
    },
    tol: {
      title: "Tol (muted), cividis",
      names: ["#CC6677", "#332288", "#DDCC77", "#117733", "#88CCEE", "#882255", "#44AA99", "#999933", "#AA4499"],
      numbers: [
        "#00224e",
        "#123570",
        "#3b496c",
        "#575d6d",
        "#707173",
        "#8a8678",
        "#a59c74",
        "#c3b369",
        "#e1cc55",
        "#fee838",
      ],
    },
    many: {
      title: "Many colours",
      names: [
        "#1f77b4",
        "#ff7f0e",
        "#2ca02c",
        "#d62728",
        "#9467bd",
        "#8c564b",
        "#e377c2",
        "#bcbd22",
        "#17becf",
        "#aec7e8",
        "#ffbb78",
        "#98df8a",
        "#ff9896",
        "#c5b0d5",
        "#c49c94",
        "#f7b6d2",
        "#dbdb8d",
        "#9edae5",
        "#5254a3",
        "#8ca252",
        "#bd9e39",
        "#ad494a",
        "#a55194",
        "#3182bd",
      ],
      numbers: [
        "#0d0887",
        "#47039f",
        "#7301a8",
        "#9c179e",
        "#bd3786",
        "#d8576b",
        "#ed7953",
        "#fa9e3b",
        "#fdc926",
        "#f0f921",
      ],
    },
  };
  const UNKNOWN = "#8a9099";
  const SCORES = [UNKNOWN, "#D55E00", "#0072B2"];

  // A colour for each name of a column. Where there are more names than colours, ticked ones get theirs first.
  function ofNames(column, palette, off) {
    if (column.verdict) return SCORES;
    const colours = PALETTES[palette].names;
    const few = column.names.filter((name) => !plain(column, name)).length <= colours.length;
    let next = 0;
    return column.names.map((name, code) => {
      if (plain(column, name)) return UNKNOWN;
      return few || !off?.has(code) ? colours[next++ % colours.length] : UNKNOWN;
    });
  }

  // What is grey in any palette: what is not known, and images without a flag.
  function plain(column, name) {
    return name === null || (column.key === "qc" && name === "none");
  }

  // Whether two ticked names have the same colour.
  function repeats(column, palette, off) {
    const ticked = column.names.filter((name, code) => !plain(column, name) && !off?.has(code)).length;
    return !column.verdict && ticked > PALETTES[palette].names.length;
  }

  // 256 colours from the lowest to the highest number.
  function ofNumbers(palette) {
    const stops = PALETTES[palette].numbers.map(channels);
    return Array.from({ length: 256 }, (_, step) => {
      const at = (step / 255) * (stops.length - 1);
      const below = Math.min(Math.floor(at), stops.length - 2);
      return hex(stops[below].map((value, c) => value + (stops[below + 1][c] - value) * (at - below)));
    });
  }

  function channels(colour) {
    return [1, 3, 5].map((at) => parseInt(colour.slice(at, at + 2), 16));
  }

  function hex(values) {
    return `#${values.map((value) => Math.round(value).toString(16).padStart(2, "0")).join("")}`;
  }

  function mixed(colour, other, share) {
    const [a, b] = [channels(colour), channels(other)];
    return hex(a.map((value, c) => value + (b[c] - value) * share));
  }

  // As the pixels of a canvas hold it.
  function packed(colour) {
    const [red, green, blue] = channels(colour);
    return ((255 << 24) | (blue << 16) | (green << 8) | red) >>> 0;
  }

  // What colours images by a column: the colour of an image, and of all that are drawn at once.
  function by(column, palette, filter) {
    if (!column) return { css: [UNKNOWN], codeOf: () => 0 };
    if (column.kind === "names")
      return { css: ofNames(column, palette, filter?.off), codeOf: (image) => column.codes[image] };
    const css = [...ofNumbers(palette), UNKNOWN];
    const code = (value) => (Number.isNaN(value) ? 256 : Math.round(255 * Math.min(1, Math.max(0, value))));
    return { css, codeOf: (image) => code(column.values[image]), code };
  }

  return { PALETTES, UNKNOWN, by, ofNames, ofNumbers, repeats, mixed, packed, channels, hex };
})();
