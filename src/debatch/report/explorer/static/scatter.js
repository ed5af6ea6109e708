"use strict";

// Points on a canvas, written pixel by pixel: a hundred thousand take a few milliseconds.
debatch.makeScatter = (canvas, overlay, app, panel) => {
  const { colours } = debatch;
  const pen = canvas.getContext("2d", { alpha: false });
  const marks = overlay.getContext("2d");
  // share of 256 of the ground around a disc, by which discs that overlap are told apart
  const HALO = 150;
  // of more points it would cost more than it shows
  const MOST_WITH_HALO = 20000;
  const place = { x: 0.5, y: 0.5, zoom: 1 };
  // in the order of drawing: filtered out, then not selected, then the others
  const drawn = {
    count: 0,
    faint: 0,
    held: 0,
    x: new Float32Array(0),
    y: new Float32Array(0),
    paint: new Uint32Array(0),
    image: new Uint32Array(0),
  };
  let view = null;
  let pixels = null;
  let ground = null;
  let line = [];

  const key = () => (panel === 0 ? app.state.view : app.state.beside);
  const scale = () => canvas.width / Math.max(1, canvas.clientWidth);
  // (a line of words is above the points)
  const side = () => Math.max(40, Math.min(canvas.width * 0.92, canvas.height * 0.96 - 44 * scale())) * place.zoom;
  const middle = () => canvas.height / 2 + 14 * scale();
  const toX = (x) => canvas.width / 2 + (x - place.x) * side();
  const toY = (y) => middle() - (y - place.y) * side();
  // the point of the plane under a place of the element, in CSS pixels
  const fromElement = (x, y) => [
    (x * scale() - canvas.width / 2) / side() + place.x,
    place.y - (y * scale() - middle()) / side(),
  ];

  async function open() {
    view = key() ? await app.model.openView(key()) : null;
  }

  function style() {
    drawn.count = drawn.faint = 0;
    if (!view) return;
    const theme = getComputedStyle(document.documentElement);
    const [under, faint] = ["--canvas", "--faint"].map((name) => theme.getPropertyValue(name).trim());
    const colouring = app.colouring(key());
    const full = Uint32Array.from(colouring.css, colours.packed);
    const dim = Uint32Array.from(colouring.css, (colour) => colours.packed(colours.mixed(colour, under, 0.68)));
    const pale = colours.packed(faint);
    const { rows, x, y } = view;
    const size = rows.length;
    if (drawn.x.length < size) {
      Object.assign(drawn, {
        x: new Float32Array(size),
        y: new Float32Array(size),
        paint: new Uint32Array(size),
        image: new Uint32Array(size),
      });
    }
    const { shown, selection } = app;
    const some = app.selectedCount > 0;
    const starts = [0, 0, 0, 0];
    let held = 0;
    const levelOf = (image) => (!shown[image] ? 0 : some && !selection[image] ? 1 : 2);
    for (let at = 0; at < size; at++) starts[levelOf(rows[at]) + 1]++;
    drawn.faint = starts[1];
    starts[2] += starts[1];
    for (let at = 0; at < size; at++) {
      const image = rows[at];
      const level = levelOf(image);
      const to = starts[level]++;
      drawn.x[to] = x[at];
      drawn.y[to] = y[at];
      drawn.image[to] = image;
      held += selection[image];
      drawn.paint[to] = level === 0 ? pale : (level === 1 ? dim : full)[colouring.codeOf(image)];
    }
    Object.assign(drawn, { count: size, held });
    ground = colours.packed(under);
  }

  function fit() {
    const ratio = Math.min(2, window.devicePixelRatio || 1);
    const [width, height] = [Math.round(canvas.clientWidth * ratio), Math.round(canvas.clientHeight * ratio)];
    if (width === 0 || height === 0) return false;
    if (canvas.width !== width || canvas.height !== height || !pixels) {
      canvas.width = overlay.width = width;
      canvas.height = overlay.height = height;
      const image = pen.createImageData(width, height);
      pixels = { image, data: new Uint32Array(image.data.buffer) };
    }
    return true;
  }

  // Of a point's middle, in canvas pixels.
  function radius() {
    const few = 0.2 * Math.sqrt((canvas.width * canvas.height) / Math.max(1, drawn.count));
    return Math.min(Math.max(few, 0.8 * scale()), 5 * scale()) * Math.min(3, Math.sqrt(place.zoom));
  }

  function draw() {
    if (!view || ground === null || !fit()) return;
    pixels.data.fill(ground);
    stamp(radius());
    pen.putImageData(pixels.image, 0, 0);
    mark();
  }

  function stamp(size) {
    const { width, height } = canvas;
    const { data } = pixels;
    const brush = size < 1.6 ? square(Math.max(1, Math.round(2 * size)), width) : disc(size, width);
    const [step, left, top] = [side(), width / 2 - place.x * side(), middle() + place.y * side()];
    const { reach, halo, inner, rim, shares } = brush;
    const { count, x, y, paint } = drawn;
    for (let at = 0; at < count; at++) {
      const column = (x[at] * step + left) | 0;
      const row = (top - y[at] * step) | 0;
      if (column < reach || row < reach || column >= width - reach || row >= height - reach) continue;
      const pixel = row * width + column;
      const colour = paint[at];
      for (let part = 0; part < halo.length; part++)
        data[pixel + halo[part]] = blended(ground, data[pixel + halo[part]], HALO);
      for (let part = 0; part < inner.length; part++) data[pixel + inner[part]] = colour;
      for (let part = 0; part < rim.length; part++)
        data[pixel + rim[part]] = blended(colour, data[pixel + rim[part]], shares[part]);
    }
  }

  // share of 256: of two colours at once, since neither runs over into the next
  function blended(colour, below, share) {
    const rest = 256 - share;
    const outer = ((colour & 0xff00ff) * share + (below & 0xff00ff) * rest) / 256;
    const green = ((colour & 0xff00) * share + (below & 0xff00) * rest) / 256;
    return (0xff000000 | (outer & 0xff00ff) | (green & 0xff00)) >>> 0;
  }

  function square(size, width) {
    const inner = [];
    for (let row = 0; row < size; row++) for (let column = 0; column < size; column++) inner.push(row * width + column);
    return { reach: size, halo: [], inner: Int32Array.from(inner), rim: [], shares: [] };
  }

  function disc(size, width) {
    const reach = Math.ceil(size) + 2;
    const haloed = drawn.count <= MOST_WITH_HALO;
    const [halo, inner, rim, shares] = [[], [], [], []];
    for (let row = -reach; row <= reach; row++) {
      for (let column = -reach; column <= reach; column++) {
        const share = Math.round(256 * Math.min(1, Math.max(0, size + 0.5 - Math.hypot(row, column))));
        if (haloed && share < 256 && Math.hypot(row, column) < size + 1.5) halo.push(row * width + column);
        if (share === 256) inner.push(row * width + column);
        else if (share > 0) rim.push(row * width + column) && shares.push(share);
      }
    }
    return {
      reach,
      halo: Int32Array.from(halo),
      inner: Int32Array.from(inner),
      rim: Int32Array.from(rim),
      shares: Uint16Array.from(shares),
    };
  }

  // The line that is being drawn, and rings around what is looked at.
  function mark() {
    marks.clearRect(0, 0, overlay.width, overlay.height);
    const ink = getComputedStyle(document.documentElement).getPropertyValue("--ink").trim();
    for (const [image, width] of [
      [app.state.focus, 2.5],
      [app.hovered, 1.5],
    ]) {
      const at = image < 0 || !view ? -1 : drawn.image.subarray(0, drawn.count).indexOf(image);
      if (at < 0) continue;
      marks.strokeStyle = ink;
      marks.lineWidth = width * scale();
      marks.beginPath();
      marks.arc(toX(drawn.x[at]), toY(drawn.y[at]), radius() + 4 * scale(), 0, 2 * Math.PI);
      marks.stroke();
    }
    if (line.length < 2) return;
    marks.strokeStyle = ink;
    marks.fillStyle = `${ink}18`;
    marks.lineWidth = 1.5 * scale();
    marks.setLineDash([6 * scale(), 4 * scale()]);
    marks.beginPath();
    line.forEach(([x, y], at) => (at ? marks.lineTo(toX(x), toY(y)) : marks.moveTo(toX(x), toY(y))));
    marks.closePath();
    marks.fill();
    marks.stroke();
    marks.setLineDash([]);
  }

  // The shown image nearest to a place of the element, or -1.
  function nearest(x, y, within = 12) {
    const [across, up] = fromElement(x, y);
    let [best, found] = [((within * scale()) / side()) ** 2, -1];
    for (let at = drawn.faint; at < drawn.count; at++) {
      const [dx, dy] = [drawn.x[at] - across, drawn.y[at] - up];
      const distance = dx * dx + dy * dy;
      if (distance <= best) [best, found] = [distance, drawn.image[at]];
    }
    return found;
  }

  // The shown images that a line of the plane goes around.
  function within(around) {
    const found = [];
    if (around.length < 3) return found;
    const test = debatch.lasso.inside(around);
    for (let at = drawn.faint; at < drawn.count; at++) {
      if (test(drawn.x[at], drawn.y[at])) found.push(drawn.image[at]);
    }
    return found;
  }

  function setLine(points) {
    line = points;
    mark();
  }

  // Move what is under one place of the element to another, and zoom around that.
  function drag(fromX, fromY, toElementX, toElementY, factor = 1) {
    const [x, y] = fromElement(fromX, fromY);
    place.zoom = Math.min(400, Math.max(0.3, place.zoom * factor));
    const [nowX, nowY] = fromElement(toElementX, toElementY);
    moveTo({ x: place.x + x - nowX, y: place.y + y - nowY, zoom: place.zoom });
  }

  function moveTo(wanted) {
    Object.assign(place, wanted ?? { x: 0.5, y: 0.5, zoom: 1 });
    app.state.places[panel] = place.x === 0.5 && place.y === 0.5 && place.zoom === 1 ? null : { ...place };
    app.change("place");
  }

  // Bring a point into view, at the same zoom.
  function reveal(image) {
    const at = image < 0 || !view ? -1 : drawn.image.subarray(0, drawn.count).indexOf(image);
    if (at < 0) return;
    const [x, y, edge] = [toX(drawn.x[at]), toY(drawn.y[at]), 12 * scale()];
    if (x > edge && y > 4 * edge && x < canvas.width - edge && y < canvas.height - edge) return;
    moveTo({ x: drawn.x[at], y: drawn.y[at], zoom: place.zoom });
  }

  return {
    canvas,
    overlay,
    place,
    drawn,
    open,
    style,
    draw,
    mark,
    nearest,
    within,
    setLine,
    drag,
    moveTo,
    reveal,
    fromElement,
    key,
  };
};
