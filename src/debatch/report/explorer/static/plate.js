"use strict";

// One plate, a cell a well, in the colours of the points.
debatch.makePlate = (canvas, app, tooltip) => {
  const { model, state } = app;
  const { high, width } = model.wells;
  const pen = canvas.getContext("2d");
  const cursor = { row: 0, column: 0, shown: false };
  let frame = { left: 0, top: 0, cell: 1 };
  let brush = null;

  const imagesAt = (row, column) => model.wells.of(state.plate, row * width + column);
  const nameOf = (row, column) => `${letters(row)}${String(column + 1).padStart(2, "0")}`;

  function letters(row) {
    return row < 26 ? String.fromCharCode(65 + row) : letters(Math.floor(row / 26) - 1) + letters(row % 26);
  }

  function fit() {
    const ratio = Math.min(2, window.devicePixelRatio || 1);
    const across = canvas.parentElement.clientWidth;
    const cell = Math.max(7, Math.min(30, (across - 26) / width));
    const [wide, tall] = [26 + cell * width, 18 + cell * high];
    canvas.style.width = `${wide}px`;
    canvas.style.height = `${tall}px`;
    canvas.width = Math.round(wide * ratio);
    canvas.height = Math.round(tall * ratio);
    pen.setTransform(ratio, 0, 0, ratio, 0, 0);
    frame = { left: 24, top: 16, cell };
  }

  function draw() {
    fit();
    const theme = getComputedStyle(document.documentElement);
    const [ink, soft, faint] = ["--ink", "--soft", "--faint"].map((name) => theme.getPropertyValue(name).trim());
    const colour = wellColours(faint);
    const { left, top, cell } = frame;
    const gap = cell > 12 ? 1.5 : 0.5;
    pen.clearRect(0, 0, canvas.width, canvas.height);
    pen.font = `${Math.min(11, Math.max(7, cell * 0.7))}px system-ui, sans-serif`;
    pen.fillStyle = soft;
    pen.textAlign = "center";
    pen.textBaseline = "middle";
    const every = cell < 14 ? 4 : cell < 20 ? 2 : 1;
    for (let column = 0; column < width; column += every)
      pen.fillText(column + 1, left + (column + 0.5) * cell, top / 2);
    for (let row = 0; row < high; row += every > 2 ? 2 : 1)
      pen.fillText(letters(row), left / 2, top + (row + 0.5) * cell);
    for (let row = 0; row < high; row++) {
      for (let column = 0; column < width; column++) {
        const images = imagesAt(row, column);
        const [x, y, size] = [left + column * cell + gap, top + row * cell + gap, cell - 2 * gap];
        if (images.length === 0) {
          pen.strokeStyle = faint;
          pen.lineWidth = 0.5;
          pen.strokeRect(x + 0.5, y + 0.5, size - 1, size - 1);
          continue;
        }
        pen.fillStyle = colour(images);
        pen.fillRect(x, y, size, size);
        ring(images, x, y, size, ink);
      }
    }
    outline(model.plate, app.hovered, ink, 1.5);
    outline(model.plate, state.focus, ink, 3);
    if (cursor.shown) box(cursor.row, cursor.column, ink, [3, 2]);
    if (brush?.moved) {
      pen.strokeStyle = ink;
      pen.setLineDash([5, 3]);
      pen.strokeRect(
        Math.min(brush.x, brush.startX),
        Math.min(brush.y, brush.startY),
        Math.abs(brush.x - brush.startX),
        Math.abs(brush.y - brush.startY),
      );
      pen.setLineDash([]);
    }
  }

  // A well's colour from its images that pass the filters: the most frequent name's, that of the mean, or between right
  // and wrong.
  function wellColours(faint) {
    const column = app.columnOf();
    const colouring = app.colouring(state.view);
    return (images) => {
      const shown = images.filter((image) => app.shown[image]);
      if (shown.length === 0) return faint;
      if (column?.kind === "number") {
        const known = Array.from(shown, (image) => column.values[image]).filter((value) => !Number.isNaN(value));
        return colouring.css[colouring.code(known.reduce((sum, value) => sum + value, 0) / known.length)];
      }
      if (column?.verdict) return betweenScores(shown, column.codes, colouring.css);
      const counts = new Map();
      for (const image of shown) counts.set(colouring.codeOf(image), (counts.get(colouring.codeOf(image)) ?? 0) + 1);
      const [code] = [...counts].reduce((most, each) => (each[1] > most[1] ? each : most));
      return colouring.css[code];
    };
  }

  function betweenScores(images, codes, [unknown, wrong, right]) {
    const scored = images.filter((image) => codes[image] > 0);
    if (scored.length === 0) return unknown;
    const misread = scored.filter((image) => codes[image] === 1).length;
    return debatch.colours.mixed(right, wrong, misread / scored.length);
  }

  // Around a well whose images are selected; broken where only some of them are.
  function ring(images, x, y, size, ink) {
    let selected = 0;
    for (const image of images) selected += app.selection[image];
    if (selected === 0) return;
    pen.strokeStyle = ink;
    pen.lineWidth = 2;
    pen.setLineDash(selected === images.length ? [] : [2, 2]);
    pen.strokeRect(x + 1, y + 1, size - 2, size - 2);
    pen.setLineDash([]);
  }

  function outline(plates, image, ink, wide) {
    if (image < 0 || plates[image] !== state.plate) return;
    pen.lineWidth = wide;
    box(model.row[image], model.column[image], ink, []);
  }

  function box(row, column, ink, dash) {
    pen.strokeStyle = ink;
    pen.setLineDash(dash);
    pen.strokeRect(frame.left + column * frame.cell, frame.top + row * frame.cell, frame.cell, frame.cell);
    pen.setLineDash([]);
  }

  const at = (event) => {
    const bounds = canvas.getBoundingClientRect();
    return [event.clientX - bounds.left, event.clientY - bounds.top];
  };
  const cellAt = (x, y) => [Math.floor((y - frame.top) / frame.cell), Math.floor((x - frame.left) / frame.cell)];
  const exists = (row, column) => row >= 0 && column >= 0 && row < high && column < width;
  const modeOf = (event) => (event.shiftKey ? "add" : event.altKey ? "remove" : state.mode);

  canvas.addEventListener("pointerdown", (event) => {
    canvas.setPointerCapture(event.pointerId);
    const [x, y] = at(event);
    brush = { startX: x, startY: y, x, y, moved: false };
  });

  canvas.addEventListener("pointermove", (event) => {
    const [x, y] = at(event);
    if (!brush) {
      const [row, column] = cellAt(x, y);
      const image = exists(row, column) ? (imagesAt(row, column)[0] ?? -1) : -1;
      app.hover(image);
      tooltip(image < 0 ? "" : app.words.ofWell([...imagesAt(row, column)]), event, canvas);
      return;
    }
    Object.assign(brush, { x, y });
    brush.moved ||= Math.hypot(x - brush.startX, y - brush.startY) > 5;
    if (!brush.moved) return;
    tooltip("");
    draw();
  });

  canvas.addEventListener("pointerup", (event) => {
    const ended = brush;
    brush = null;
    if (!ended) return;
    if (ended.moved) brushed(ended, modeOf(event));
    else look(...cellAt(ended.x, ended.y), event);
  });

  canvas.addEventListener("pointercancel", () => {
    brush = null;
    draw();
  });
  canvas.addEventListener("pointerleave", () => {
    app.hover(-1);
    tooltip("");
  });

  // Look at a well; with Shift, Ctrl or Alt select its images that pass the filters.
  function look(row, column, event) {
    if (!exists(row, column)) return;
    const shown = shownAt(row, column);
    if (shown === null) return;
    if (!app.clicked(shown, event)) app.focus(shown[0] ?? imagesAt(row, column)[0]);
  }

  // A well's images that pass the filters. Null, and a word about it, where it holds none at all.
  function shownAt(row, column) {
    const images = Array.from(imagesAt(row, column));
    const shown = images.filter((image) => app.shown[image]);
    const [, many] = model.about.noun;
    if (images.length === 0) debatch.tell(`Well ${nameOf(row, column)} of this plate holds no ${many}.`);
    else if (shown.length === 0) debatch.tell(`The filters hide all ${many} of well ${nameOf(row, column)}.`);
    return images.length === 0 ? null : shown;
  }

  function brushed({ x, y, startX, startY }, mode) {
    const [top, left] = cellAt(Math.min(x, startX), Math.min(y, startY));
    const [bottom, right] = cellAt(Math.max(x, startX), Math.max(y, startY));
    const found = [];
    for (let row = Math.max(0, top); row <= Math.min(high - 1, bottom); row++) {
      for (let column = Math.max(0, left); column <= Math.min(width - 1, right); column++) {
        for (const image of imagesAt(row, column)) if (app.shown[image]) found.push(image);
      }
    }
    app.gather(found, mode);
  }

  canvas.addEventListener("keydown", (event) => {
    const moves = { ArrowLeft: [0, -1], ArrowRight: [0, 1], ArrowUp: [-1, 0], ArrowDown: [1, 0] };
    if (moves[event.key]) {
      cursor.row = Math.min(high - 1, Math.max(0, cursor.row + moves[event.key][0]));
      cursor.column = Math.min(width - 1, Math.max(0, cursor.column + moves[event.key][1]));
      const images = [...imagesAt(cursor.row, cursor.column)];
      const words = images.length ? app.words.ofWell(images) : "empty";
      canvas.setAttribute("aria-label", `Well ${nameOf(cursor.row, cursor.column)}: ${words}`);
    } else if (event.key === "Enter") look(cursor.row, cursor.column, event);
    else if (event.key === " ") {
      const shown = shownAt(cursor.row, cursor.column);
      if (shown) app.toggle(shown);
    } else return;
    event.preventDefault();
    cursor.shown = true;
    draw();
  });
  canvas.addEventListener("blur", () => {
    cursor.shown = false;
    draw();
  });

  return { draw };
};
