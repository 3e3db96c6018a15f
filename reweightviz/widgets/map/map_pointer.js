// Mouse, pen and keys on the map: they move the view, or draw an outline.

import { rectangleOutline } from "./picking.js";

/**
 * @typedef {{tool(): string, setTool(name: string): void, pan(dx: number, dy: number): void, zoom(factor: number, x?: number, y?: number): void,
 *   fit(): void, hover(x: number, y: number): void, leave(): void, outline(points: [number, number][]): void,
 *   select(points: [number, number][], how: "replace"|"add"|"subtract"): void, escape(): void}} PointerActions
 */

const STEP = 40;

/** @param {HTMLElement} surface @param {HTMLElement} root @param {PointerActions} actions @param {AbortSignal} signal */
export function followPointer(surface, root, actions, signal) {
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
    const kind = actions.tool() === "pan" && modified ? "lasso" : actions.tool();
    stroke = { kind, from: at(event), path: [at(event)], pen: event.pointerId };
    actions.leave();
  });
  on("pointermove", (event) => {
    const now = at(event);
    if (!stroke) return actions.hover(...now);
    if (stroke.kind === "pan") {
      actions.pan(now[0] - stroke.from[0], now[1] - stroke.from[1]);
      stroke.from = now;
    } else {
      stroke.path =
        stroke.kind === "rect" ? rectangleOutline(stroke.from, now) : [...stroke.path, now];
      actions.outline(stroke.path);
    }
  });
  on("pointerup", (event) => {
    const done = stroke;
    stop();
    if (done && done.kind !== "pan" && spread(done.path) > 3)
      actions.select(done.path, event.altKey ? "subtract" : event.shiftKey ? "add" : "replace");
  });
  on("pointercancel", stop);
  on("pointerleave", () => stroke || actions.leave());
  on("dblclick", () => actions.tool() === "pan" && actions.fit());
  on("wheel", (event) => {
    event.preventDefault();
    event.stopPropagation();
    const lines = event.deltaMode === 1 ? 16 : 1;
    actions.zoom(
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
      else if (!press(key, actions)) return;
      // The notebook has its own meaning for single keys.
      event.preventDefault();
      event.stopPropagation();
    },
    root,
  );

  function stop() {
    stroke = null;
    actions.outline([]);
  }
}

/** @param {string} key @param {PointerActions} actions */
function press(key, actions) {
  /** @type {Record<string, () => void>} */
  const keys = {
    arrowleft: () => actions.pan(STEP, 0),
    arrowright: () => actions.pan(-STEP, 0),
    arrowup: () => actions.pan(0, STEP),
    arrowdown: () => actions.pan(0, -STEP),
    "+": () => actions.zoom(1.3),
    "=": () => actions.zoom(1.3),
    "-": () => actions.zoom(1 / 1.3),
    0: actions.fit,
    l: () => actions.setTool("lasso"),
    r: () => actions.setTool("rect"),
    p: () => actions.setTool("pan"),
    escape: actions.escape,
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
