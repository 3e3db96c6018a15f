// Mouse, pen and keys on the map: they move the view, or draw an outline.

import { rectangleOutline } from "./picking.js";

const STEP = 40;

/**
 * @param {HTMLElement} surface @param {HTMLElement} root @param {import("./map_store.js").MapStore} store
 * @param {(x: number, y: number) => void} hover @param {AbortSignal} signal
 */
export function followPointer(surface, root, store, hover, signal) {
  /** @type {{kind: string, from: [number, number], path: [number, number][], pen: number}|null} */
  let stroke = null;
  const at = (/** @type {MouseEvent} */ event) => {
    const box = surface.getBoundingClientRect();
    return /** @type {[number, number]} */ ([event.clientX - box.left, event.clientY - box.top]);
  };
  /** @param {string} kind @param {(event: any) => void} handler @param {HTMLElement} [target] */
  const on = (kind, handler, target = surface) =>
    target.addEventListener(kind, handler, { signal, passive: false });

  on("pointerdown", (event) => {
    if (event.button !== 0) return;
    surface.setPointerCapture(event.pointerId);
    surface.focus({ preventScroll: true });
    const modified = event.shiftKey || event.altKey;
    const kind = store.tool === "pan" && modified ? "lasso" : store.tool;
    stroke = { kind, from: at(event), path: [at(event)], pen: event.pointerId };
    store.leave();
  });
  on("pointermove", (event) => {
    const now = at(event);
    if (!stroke) return hover(...now);
    if (stroke.kind === "pan") {
      store.pan(now[0] - stroke.from[0], now[1] - stroke.from[1]);
      stroke.from = now;
    } else {
      stroke.path =
        stroke.kind === "rect" ? rectangleOutline(stroke.from, now) : [...stroke.path, now];
      store.setOutline(stroke.path);
    }
  });
  on("pointerup", (event) => {
    const done = stroke;
    stop();
    if (done && done.kind !== "pan" && spread(done.path) > 3)
      store.select(done.path, event.altKey ? "subtract" : event.shiftKey ? "add" : "replace");
  });
  on("pointercancel", stop);
  on("pointerleave", () => stroke || store.leave());
  on("dblclick", () => store.tool === "pan" && store.fit());
  on("wheel", (event) => {
    event.preventDefault();
    event.stopPropagation();
    const lines = event.deltaMode === 1 ? 16 : 1;
    store.zoom(
      Math.exp(-Math.max(Math.min(event.deltaY * lines, 200), -200) * 0.002),
      ...at(event),
    );
  });
  on(
    "keydown",
    (event) => {
      const key = event.key.toLowerCase();
      if (event.ctrlKey || event.metaKey || /^(select|input)$/i.test(event.target.tagName)) return;
      if (key === "escape" && stroke) stop();
      else if (!press(key, store)) return;
      // The notebook has its own meaning for single keys.
      event.preventDefault();
      event.stopPropagation();
    },
    root,
  );

  function stop() {
    stroke = null;
    store.setOutline([]);
  }
}

/** @param {string} key @param {import("./map_store.js").MapStore} store */
function press(key, store) {
  /** @type {Record<string, () => void>} */
  const keys = {
    arrowleft: () => store.pan(STEP, 0),
    arrowright: () => store.pan(-STEP, 0),
    arrowup: () => store.pan(0, STEP),
    arrowdown: () => store.pan(0, -STEP),
    "+": () => store.zoom(1.3),
    "=": () => store.zoom(1.3),
    "-": () => store.zoom(1 / 1.3),
    0: () => store.fit(),
    l: () => store.setTool("lasso"),
    r: () => store.setTool("rect"),
    p: () => store.setTool("pan"),
    escape: () => store.escape(),
  };
  keys[key]?.();
  return key in keys;
}

/** @param {[number, number][]} path */
function spread(path) {
  const xs = path.map((p) => p[0]),
    ys = path.map((p) => p[1]);
  return Math.max(Math.max(...xs) - Math.min(...xs), Math.max(...ys) - Math.min(...ys));
}
