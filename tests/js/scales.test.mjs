import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import * as scales from "../../reweightviz/widgets/common/scales.js";

const golden = JSON.parse(readFileSync(new URL("../golden/scales.json", import.meta.url), "utf8"));
const close = (got, wanted) => {
  assert.equal(got.length, wanted.length);
  got.forEach((value, i) =>
    assert.ok(
      Math.abs(value - wanted[i]) <= 1e-12 * Math.max(1, Math.abs(wanted[i])),
      `${i}: ${value} for ${wanted[i]}`,
    ),
  );
};

test("emphasis, size and opacity are the golden numbers", () => {
  const e = scales.emphasis(golden.weights, golden.natural);
  close(e, golden.emphasis);
  close(e.map(scales.sizeFactor), golden.size);
  close(
    e.map((each) => scales.opacity(each, golden.neutral)),
    golden.opacity,
  );
});

test("dots are the golden sizes", () => {
  close(
    golden.dots.map(([n, w, h]) => scales.dotDiameter(n, w, h)),
    golden.dots.map((row) => row[3]),
  );
});

test("size and opacity grow with emphasis, from nothing", () => {
  const e = Array.from({ length: 400 }, (_, i) => (i / 100) ** 3);
  for (const f of [scales.sizeFactor, (x) => scales.opacity(x, 0.5)]) {
    assert.equal(f(0), 0);
    e.slice(1).forEach((x, i) => assert.ok(f(x) >= f(e[i]) && f(x) > 0));
  }
  assert.ok(scales.opacity(1e9, 0.5) <= 1);
});

test("ink is the emphasis below neutral", () => {
  for (const e of [0.001, 0.1, 0.7, 1])
    assert.ok(Math.abs(scales.sizeFactor(e) ** 2 * scales.opacity(e, 0.5) - 0.5 * e) < 1e-12);
});

test("the fitted view is the picture's", () => {
  const { width, height, places, pixels } = golden.fit;
  const units = new Uint16Array(places.flatMap(([u, v]) => [u, v, 0, 0]));
  const view = scales.fitView(scales.boundsOf(units, places.length), width, height);
  places.forEach(([u, v], i) => close(scales.toScreen(view, u, v), pixels[i]));
});

test("zoom holds the pixel under the cursor, and stops", () => {
  const view = { scale: 0.01, x: 30, y: 400 };
  const at = scales.fromScreen(view, 120, 77);
  const closer = scales.zoomAt(view, 3, 120, 77, 0.01);
  assert.ok(Math.abs(closer.scale - 0.03) < 1e-15);
  close(scales.toScreen(closer, ...at), [120, 77]);
  assert.equal(scales.zoomAt(view, 1e9, 0, 0, 0.01).scale, 4);
  assert.equal(scales.zoomAt(view, 1e-9, 0, 0, 0.01).scale, 0.0025);
});

test("many points are fainter, a closer look less so", () => {
  assert.ok(scales.neutralOpacity(1e6, 1) < scales.neutralOpacity(1e4, 1));
  assert.ok(scales.neutralOpacity(1e6, 8) > scales.neutralOpacity(1e6, 1));
  assert.ok(scales.neutralOpacity(1e9, 1) >= 0.35);
});

test("one place, or none, still has a view", () => {
  const view = scales.fitView(scales.boundsOf(new Uint16Array([7, 9, 0, 0]), 1), 100, 100);
  close(scales.toScreen(view, 7, 9), [50, 50]);
});
