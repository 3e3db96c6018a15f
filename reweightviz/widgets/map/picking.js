// Which point is under the cursor, which points are inside an outline. No DOM.
// Points are stride-4 uint16: x, y, domain, (value and flags).

/** @typedef {{side: number, starts: Uint32Array, order: Uint32Array, places: Uint16Array}} PickGrid */

/** Points sorted into square cells, about two each. @param {Uint16Array} places @param {number} n @returns {PickGrid} */
export function pickGrid(places, n) {
  const side = Math.min(Math.max(Math.ceil(Math.sqrt(n / 2)), 1), 1024);
  const starts = new Uint32Array(side * side + 1),
    cells = new Uint32Array(n);
  for (let i = 0; i < n; i++) {
    cells[i] = cellOf(places[4 * i + 1], side) * side + cellOf(places[4 * i], side);
    starts[cells[i] + 1]++;
  }
  for (let c = 0; c < side * side; c++) starts[c + 1] += starts[c];
  const order = new Uint32Array(n),
    next = starts.slice(0, -1);
  for (let i = 0; i < n; i++) order[next[cells[i]]++] = i;
  return { side, starts, order, places };
}

/** @param {number} value @param {number} side */
function cellOf(value, side) {
  return Math.min(Math.max(Math.floor((value * side) / 65536), 0), side - 1);
}

/**
 * The nearest point within `radius` of (u, v), -1 if none, and how many are that close.
 * @param {PickGrid} grid @param {number} u @param {number} v @param {number} radius @param {(i: number) => boolean} seen
 */
export function nearest(grid, u, v, radius, seen) {
  const { side, starts, order, places } = grid;
  let point = -1,
    best = radius * radius,
    count = 0;
  for (let row = cellOf(v - radius, side); row <= cellOf(v + radius, side); row++) {
    for (
      let c = row * side + cellOf(u - radius, side);
      c <= row * side + cellOf(u + radius, side);
      c++
    ) {
      for (let j = starts[c]; j < starts[c + 1]; j++) {
        const i = order[j];
        const far = (places[4 * i] - u) ** 2 + (places[4 * i + 1] - v) ** 2;
        if (far > radius * radius || !seen(i)) continue;
        count++;
        if (far <= best) [point, best] = [i, far];
      }
    }
  }
  return { point, count };
}

/** A rectangle as an outline. @param {[number, number]} a @param {[number, number]} b @returns {[number, number][]} */
export function rectangleOutline(a, b) {
  return [a, [b[0], a[1]], b, [a[0], b[1]]];
}

/**
 * The pixels inside an outline (non-zero winding, so a loop drawn twice stays inside).
 * @param {[number, number][]} outline @param {number} width @param {number} height
 */
export function outlineMask(outline, width, height) {
  const mask = new Uint8Array(width * height);
  const ys = outline.map((p) => p[1]);
  const last = Math.min(Math.floor(Math.max(...ys)), height - 1);
  for (let row = Math.max(Math.floor(Math.min(...ys)), 0); row <= last; row++) {
    let wound = 0,
      from = 0;
    for (const [x, turn] of crossings(outline, row + 0.5)) {
      if (wound !== 0)
        mask.fill(1, row * width + pixelAt(from, width), row * width + pixelAt(x, width));
      wound += turn;
      from = x;
    }
  }
  return mask;
}

/** @param {number} x @param {number} width */
function pixelAt(x, width) {
  return Math.min(Math.max(Math.round(x), 0), width);
}

/** Where the outline crosses a line, left to right, and which way. @param {[number, number][]} outline @param {number} y @returns {[number, number][]} */
function crossings(outline, y) {
  /** @type {[number, number][]} */
  const found = [];
  outline.forEach(([x1, y1], i) => {
    const [x2, y2] = outline[(i + 1) % outline.length];
    if (y1 <= y !== y2 <= y)
      found.push([x1 + ((y - y1) / (y2 - y1)) * (x2 - x1), y2 > y1 ? 1 : -1]);
  });
  return found.sort((a, b) => a[0] - b[0]);
}

/**
 * The points whose pixel is in the mask, a bit each, lowest bit first.
 * @param {Uint16Array} places @param {number} n @param {Uint8Array} mask @param {number} width @param {number} height
 * @param {import("../common/scales.js").View} view @param {(i: number) => boolean} seen
 */
export function pointsInside(places, n, mask, width, height, view, seen) {
  const bits = new Uint8Array((n + 7) >> 3);
  for (let i = 0; i < n; i++) {
    const x = Math.floor(view.x + places[4 * i] * view.scale),
      y = Math.floor(view.y - places[4 * i + 1] * view.scale);
    if (x >= 0 && y >= 0 && x < width && y < height && mask[y * width + x] && seen(i))
      bits[i >> 3] |= 1 << (i & 7);
  }
  return bits;
}

/** @param {Uint8Array} before @param {Uint8Array} drawn @param {"replace"|"add"|"subtract"} how */
export function combineBits(before, drawn, how) {
  if (how === "replace" || (!before.length && how === "add")) return drawn;
  if (!before.length) return new Uint8Array(drawn.length);
  return before.map((bits, i) => (how === "add" ? bits | drawn[i] : bits & ~drawn[i]));
}

/** @param {Uint8Array} bits */
export function countBits(bits) {
  let count = 0;
  for (let byte of bits) for (; byte; byte &= byte - 1) count++;
  return count;
}
