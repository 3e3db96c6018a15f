import assert from "node:assert/strict";
import { test } from "node:test";
import * as picking from "../../reweightviz/widgets/map/picking.js";

/** A seeded generator (mulberry32). */
function generator(seed) {
  return () => {
    seed = (seed + 0x6d2b79f5) | 0;
    let t = Math.imul(seed ^ (seed >>> 15), 1 | seed);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
}
function scattered(n, seed) {
  const next = generator(seed);
  return Uint16Array.from({ length: 4 * n }, (_, i) =>
    i % 4 < 2 ? next() * 65536 : i % 4 === 2 ? next() * 3 : 0,
  );
}
const all = () => true;
const listed = (bits, n) => [...Array(n).keys()].filter((i) => (bits[i >> 3] >> (i & 7)) & 1);

test("nearest agrees with looking at every point", () => {
  const n = 3000,
    places = scattered(n, 1),
    grid = picking.pickGrid(places, n),
    next = generator(2);
  const seen = (i) => places[4 * i + 2] !== 1;
  for (let trial = 0; trial < 300; trial++) {
    const u = next() * 70000 - 2000,
      v = next() * 70000 - 2000,
      radius = next() * 3000;
    const far = Array.from({ length: n }, (_, i) =>
      seen(i) ? Math.hypot(places[4 * i] - u, places[4 * i + 1] - v) : Infinity,
    );
    const within = far.filter((d) => d <= radius).length;
    const found = picking.nearest(grid, u, v, radius, seen);
    assert.equal(found.count, within);
    if (within) assert.equal(far[found.point], Math.min(...far));
    else assert.equal(found.point, -1);
  }
});

test("stacked points are counted, and corners are reached", () => {
  const places = new Uint16Array([0, 0, 0, 0, 65535, 65535, 0, 0, 65535, 65535, 1, 0]);
  const grid = picking.pickGrid(places, 3);
  assert.equal(picking.nearest(grid, 65535, 65535, 1, all).count, 2);
  assert.equal(picking.nearest(grid, 0, 0, 0.5, all).point, 0);
  assert.equal(picking.nearest(picking.pickGrid(new Uint16Array(0), 0), 5, 5, 10, all).point, -1);
});

test("the mask agrees with the winding number of each pixel's centre", () => {
  const w = 60,
    h = 40,
    next = generator(5);
  const outline = Array.from({ length: 9 }, () => [next() * 80 - 10, next() * 60 - 10]);
  const mask = picking.outlineMask(outline, w, h);
  const winding = (x, y) =>
    outline.reduce((sum, [x1, y1], i) => {
      const [x2, y2] = outline[(i + 1) % outline.length];
      const side = (x2 - x1) * (y - y1) - (x - x1) * (y2 - y1);
      return sum + (y1 <= y && y2 > y && side > 0 ? 1 : y2 <= y && y1 > y && side < 0 ? -1 : 0);
    }, 0);
  let inside = 0;
  for (let y = 0; y < h; y++)
    for (let x = 0; x < w; x++) {
      const wanted = winding(x + 0.5, y + 0.5) !== 0;
      inside += Number(wanted);
      assert.equal(Boolean(mask[y * w + x]), wanted, `${x}, ${y}`);
    }
  assert.ok(inside > 100);
});

test("a rectangle selects what it covers and nothing that is not seen", () => {
  const n = 5000,
    places = scattered(n, 7),
    view = { scale: 200 / 65535, x: 10, y: 210 };
  const mask = picking.outlineMask(picking.rectangleOutline([150, 160], [50, 40]), 220, 220);
  const seen = (i) => places[4 * i + 2] === 2;
  const got = listed(picking.pointsInside(places, n, mask, 220, 220, view, seen), n);
  const wanted = [...Array(n).keys()].filter((i) => {
    const x = 10 + places[4 * i] * view.scale,
      y = 210 - places[4 * i + 1] * view.scale;
    return seen(i) && x >= 50 && x < 150 && y >= 40 && y < 160;
  });
  assert.deepEqual(got, wanted);
  assert.ok(got.length > 200);
});

test("add and subtract", () => {
  const a = new Uint8Array([0b1100, 1]),
    b = new Uint8Array([0b1010, 0]),
    none = new Uint8Array(0);
  assert.deepEqual([...picking.combineBits(a, b, "replace")], [0b1010, 0]);
  assert.deepEqual([...picking.combineBits(a, b, "add")], [0b1110, 1]);
  assert.deepEqual([...picking.combineBits(a, b, "subtract")], [0b0100, 1]);
  assert.deepEqual([...picking.combineBits(none, b, "add")], [0b1010, 0]);
  assert.deepEqual([...picking.combineBits(none, b, "subtract")], [0, 0]);
  assert.equal(picking.countBits(new Uint8Array([255, 0, 0b101])), 10);
});
