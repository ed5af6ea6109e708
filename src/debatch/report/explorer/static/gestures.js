"use strict";

// Mouse, touch and keys on a panel of points: move, zoom, draw a line around points, click one.
debatch.addGestures = (scatter, app, tooltip) => {
  const { overlay } = scatter;
  const STILL = 5;
  const pointers = new Map();
  let gesture = null;

  const at = (event) => {
    const box = overlay.getBoundingClientRect();
    return [event.clientX - box.left, event.clientY - box.top];
  };
  const modeOf = (event) => (event.shiftKey ? "add" : event.altKey ? "remove" : app.state.mode);

  overlay.addEventListener("pointerdown", (event) => {
    if (event.button > 0) return;
    overlay.setPointerCapture(event.pointerId);
    hover(-1, -1);
    pointers.set(event.pointerId, at(event));
    const [x, y] = at(event);
    if (pointers.size === 2) {
      gesture = { kind: "pinch", ...spread() };
      scatter.setLine([]);
    } else if (pointers.size === 1) {
      const lasso = app.state.tool === "lasso" || event.shiftKey;
      gesture = {
        kind: lasso ? "lasso" : "move",
        startX: x,
        startY: y,
        x,
        y,
        moved: false,
        line: [scatter.fromElement(x, y)],
      };
    }
  });

  overlay.addEventListener("pointermove", (event) => {
    const [x, y] = at(event);
    if (!pointers.has(event.pointerId)) {
      if (event.pointerType === "mouse") hover(x, y, event);
      return;
    }
    pointers.set(event.pointerId, [x, y]);
    if (!gesture) return;
    if (gesture.kind === "pinch") {
      const now = spread();
      scatter.drag(gesture.x, gesture.y, now.x, now.y, now.distance / Math.max(1, gesture.distance));
      Object.assign(gesture, now);
      return;
    }
    gesture.moved ||= Math.hypot(x - gesture.startX, y - gesture.startY) > STILL;
    if (!gesture.moved) return;
    if (gesture.kind === "move") scatter.drag(gesture.x, gesture.y, x, y);
    else {
      gesture.line.push(scatter.fromElement(x, y));
      scatter.setLine(gesture.line);
    }
    Object.assign(gesture, { x, y });
  });

  overlay.addEventListener("pointerup", (event) => {
    const ended = gesture;
    release(event);
    if (!ended || ended.kind === "pinch") return;
    const [x, y] = at(event);
    if (!ended.moved) click(scatter.nearest(x, y, event.pointerType === "mouse" ? 12 : 24), event);
    else if (ended.kind === "lasso") {
      const [x0] = scatter.fromElement(0, 0);
      const [x1] = scatter.fromElement(2, 0);
      const found = scatter.within(debatch.lasso.thinned(ended.line, x1 - x0));
      app.gather(found, modeOf(event));
    }
  });

  function click(image, event) {
    if (image < 0 || !app.clicked([image], event)) app.focus(image);
  }

  overlay.addEventListener("pointercancel", release);
  overlay.addEventListener("pointerleave", () => hover(-1, -1));

  function release(event) {
    pointers.delete(event.pointerId);
    gesture = null;
    scatter.setLine([]);
  }

  // Middle and distance of two fingers.
  function spread() {
    const [[ax, ay], [bx, by]] = pointers.values();
    return { x: (ax + bx) / 2, y: (ay + by) / 2, distance: Math.hypot(ax - bx, ay - by) };
  }

  function hover(x, y, event) {
    const image = x < 0 ? -1 : scatter.nearest(x, y);
    app.hover(image);
    tooltip(image < 0 ? "" : app.words.ofImage(image, scatter.key()), event);
  }

  overlay.addEventListener(
    "wheel",
    (event) => {
      event.preventDefault();
      const [x, y] = at(event);
      scatter.drag(x, y, x, y, Math.exp(-Math.max(-200, Math.min(200, event.deltaY)) / 250));
    },
    { passive: false },
  );

  overlay.addEventListener("dblclick", () => scatter.moveTo(null));

  overlay.addEventListener("keydown", (event) => {
    const [middleX, middleY] = [overlay.clientWidth / 2, overlay.clientHeight / 2];
    const step = 60;
    const moves = { ArrowLeft: [step, 0], ArrowRight: [-step, 0], ArrowUp: [0, step], ArrowDown: [0, -step] };
    const zooms = { "+": 1.4, "=": 1.4, "-": 1 / 1.4 };
    if (moves[event.key]) {
      const [dx, dy] = moves[event.key];
      scatter.drag(middleX, middleY, middleX + dx, middleY + dy);
    } else if (zooms[event.key]) scatter.drag(middleX, middleY, middleX, middleY, zooms[event.key]);
    else if (event.key === "0") scatter.moveTo(null);
    else if (event.key === "Enter") app.focus(scatter.nearest(middleX, middleY, Math.max(middleX, middleY)));
    else return;
    event.preventDefault();
  });
};
