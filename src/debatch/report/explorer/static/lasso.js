"use strict";

// Which points a drawn line goes around.
debatch.lasso = (() => {
  const BANDS = 128;

  // The corners of a line [[x, y], …] that are further apart than a distance.
  function thinned(line, distance) {
    const kept = [];
    for (const [x, y] of line) {
      const last = kept[kept.length - 1];
      if (!last || Math.hypot(x - last[0], y - last[1]) >= distance) kept.push([x, y]);
    }
    return kept;
  }

  // A test whether a point is inside. Edges are sorted into bands, so that each point is held against a few of them.
  function inside(line) {
    const ys = line.map(([, y]) => y);
    const xs = line.map(([x]) => x);
    const [left, right, low, high] = [Math.min(...xs), Math.max(...xs), Math.min(...ys), Math.max(...ys)];
    const scale = BANDS / Math.max(high - low, 1e-12);
    const bandOf = (y) => Math.min(BANDS - 1, Math.max(0, Math.floor((y - low) * scale)));
    const bands = Array.from({ length: BANDS }, () => []);
    line.forEach(([x0, y0], at) => {
      const [x1, y1] = line[(at + 1) % line.length];
      if (y0 === y1) return;
      for (let band = bandOf(Math.min(y0, y1)); band <= bandOf(Math.max(y0, y1)); band++)
        bands[band].push([x0, y0, x1, y1]);
    });
    return (x, y) => {
      if (x < left || x > right || y < low || y > high) return false;
      let within = false;
      for (const [x0, y0, x1, y1] of bands[bandOf(y)]) {
        if (y0 > y !== y1 > y && x < ((x1 - x0) * (y - y0)) / (y1 - y0) + x0) within = !within;
      }
      return within;
    };
  }

  return { thinned, inside };
})();
