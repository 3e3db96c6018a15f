// What a weight does to a point, and where a point stands on the screen. No DOM.
// numerics/grids.py holds the same formulas; tests/golden/scales.json holds them equal.

const TOP_EMPHASIS = 1e6;
const LARGEST_FACTOR = 2.5;
const UNITS_ACROSS = 65535;
const DEEPEST_ZOOM = 400;

/** Expected passes over each domain relative to the natural mixture. @param {ArrayLike<number>} weights @param {ArrayLike<number>} natural */
export function emphasis(weights, natural) {
  return Array.from(weights, (w, k) =>
    natural[k] > 0 ? Math.min(w / natural[k], TOP_EMPHASIS) : w > 0 ? TOP_EMPHASIS : 0,
  );
}

/** Diameter relative to neutral. @param {number} e */
export function sizeFactor(e) {
  return Math.min(Math.cbrt(e), LARGEST_FACTOR);
}

/** Opacity: neutral at 1, gone at 0, towards 1 above. @param {number} e @param {number} neutral */
export function opacity(e, neutral) {
  const root = Math.cbrt(e);
  return root <= 1 ? neutral * root : 1 - (1 - neutral) / root;
}

/** Pixels across a neutral point, so that n of them cover about a third of the map. @param {number} n @param {number} width @param {number} height */
export function dotDiameter(n, width, height) {
  return Math.min(Math.max(Math.sqrt((0.4 * width * height) / Math.max(n, 1)), 1), 6);
}

/** Opacity of a neutral point: many points must let each other through. @param {number} n @param {number} zoom */
export function neutralOpacity(n, zoom) {
  const crowd = Math.log10(Math.max(n, 1000) / 1000) - 0.7 * Math.log2(Math.max(zoom, 1)) * 0.6;
  return Math.min(Math.max(0.88 - 0.1 * Math.max(crowd, 0), 0.35), 0.88);
}

/** @typedef {{scale: number, x: number, y: number}} View  px = x + u scale, py = y - v scale; u, v in 0 to 65535 */

/** The box of points (stride 4 uint16: x, y, ...) . @param {Uint16Array} places @param {number} n */
export function boundsOf(places, n) {
  const box = { left: UNITS_ACROSS, right: 0, bottom: UNITS_ACROSS, top: 0 };
  for (let i = 0; i < n; i++) {
    const u = places[4 * i],
      v = places[4 * i + 1];
    if (u < box.left) box.left = u;
    if (u > box.right) box.right = u;
    if (v < box.bottom) box.bottom = v;
    if (v > box.top) box.top = v;
  }
  return box;
}

/** The view that shows the whole box. @param {ReturnType<typeof boundsOf>} box @param {number} width @param {number} height @returns {View} */
export function fitView(box, width, height) {
  const across = Math.max(box.right - box.left, 1),
    up = Math.max(box.top - box.bottom, 1);
  const scale = 0.92 * Math.min(width / across, height / up);
  const middle = { u: (box.left + box.right) / 2, v: (box.bottom + box.top) / 2 };
  return { scale, x: width / 2 - middle.u * scale, y: height / 2 + middle.v * scale };
}

/** Zoom by a factor with the pixel (px, py) held in place. @param {View} view @param {number} factor @param {number} px @param {number} py @param {number} fitted  scale of the whole map @returns {View} */
export function zoomAt(view, factor, px, py, fitted) {
  const scale = Math.min(Math.max(view.scale * factor, fitted / 4), fitted * DEEPEST_ZOOM);
  const f = scale / view.scale;
  return { scale, x: px + (view.x - px) * f, y: py + (view.y - py) * f };
}

/** @param {View} view @param {number} u @param {number} v */
export function toScreen(view, u, v) {
  return [view.x + u * view.scale, view.y - v * view.scale];
}

/** @param {View} view @param {number} px @param {number} py */
export function fromScreen(view, px, py) {
  return [(px - view.x) / view.scale, (view.y - py) / view.scale];
}
