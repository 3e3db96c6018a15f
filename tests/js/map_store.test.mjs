import assert from "node:assert/strict";
import { test } from "node:test";
import { fromScreen } from "../../reweightviz/widgets/common/scales.js";
import { MapStore } from "../../reweightviz/widgets/map/map_store.js";

/** Three points in a row, one of each domain, on a map of 100 x 100 pixels. */
function storeOf(changes = {}) {
  const places = Uint16Array.from([10000, 30000, 0, 30000, 30000, 1, 50000, 30000, 2]);
  const traits = {
    points: new DataView(places.buffer),
    domains: ["web", "code", "math"],
    palette: ["#ff0000", "#00ff00", "#0000ff"],
    weights: [0.5, 0.3, 0.2],
    natural: [0.6, 0.3, 0.1],
    hidden: [],
    legend: { kind: "domain" },
    values: new DataView(new ArrayBuffer(0)),
    summary: {},
    ...changes,
  };
  const sent = [];
  const model = {
    get: (name) => traits[name],
    set: (name, value) => (traits[name] = value),
    save_changes() {},
  };
  const store = new MapStore(model, { emit: (kind, detail) => sent.push([kind, detail]) });
  store.resize(100, 100, 1);
  return { store, traits, sent };
}

test("listeners hear what changed, and stop", () => {
  const { store } = storeOf();
  let heard = 0;
  const off = store.on("style", () => (heard += 1));
  store.reweigh({ domains: ["math", "web", "code"], weights: [0.1, 0.9, 0] });
  assert.deepEqual(store.weights, [0.9, 0, 0.1]);
  assert.deepEqual(
    store.emphasis.map((e) => Number(e.toFixed(6))),
    [1.5, 0, 1],
  );
  store.reweigh({ domains: ["poems"], weights: [1] });
  assert.equal(heard, 1);
  off();
  store.mark("focus", "web");
  assert.equal(heard, 1);
  assert.equal(store.marked, "web");
  store.mark("hover", "poems");
  assert.equal(store.marked, null);
});

test("a domain is hidden everywhere, through the bus", () => {
  const { store, traits, sent } = storeOf();
  store.toggleEntry(1);
  assert.deepEqual(sent.pop(), ["hidden", { domains: ["code"] }]);
  store.hide(["code", "poems"]);
  assert.deepEqual(traits.hidden, ["code"]);
  assert.deepEqual([...store.hiddenEntries], [1]);
  store.toggleEntry(0);
  assert.deepEqual(sent.pop(), ["hidden", { domains: ["poems", "web", "code"] }]);
});

test("a cluster is hidden here, a double click leaves it alone, another shows all", () => {
  const values = new DataView(Uint8Array.from([1, 2, 3]).buffer);
  const legend = { kind: "category", names: ["a", "b", "c"], counts: [1, 1, 1] };
  const { store, sent } = storeOf({ legend, values });
  store.recolor();
  const doubleClick = (k) => {
    store.toggleEntry(k);
    store.toggleEntry(k);
    store.isolateEntry(k);
  };
  store.toggleEntry(1);
  assert.deepEqual(
    [0, 1, 2].map((i) => store.isSeen(i)),
    [true, false, true],
  );
  assert.deepEqual(
    [1, 2, 3].map((value) => store.shadeOf(value)),
    [255, 0, 255],
  );
  store.toggleEntry(1);
  store.isolateEntry(2);
  assert.deepEqual([...store.off], [0, 1]);
  store.isolateEntry(2);
  assert.equal(store.off.size, 0);
  store.hoverEntry(0);
  assert.deepEqual(
    [1, 2, 3].map((value) => store.shadeOf(value)),
    [255, 25, 25],
  );
  doubleClick(0);
  assert.deepEqual([...store.off], [1, 2]);
  assert.equal(sent.length, 0);
});

test("the pointer finds what is seen, and a rectangle selects it", () => {
  const { store, traits } = storeOf();
  const [x, y] = store.pixelOf(1);
  assert.deepEqual(store.pick(x + 2, y), { point: 1, count: 1 });
  assert.equal(store.ring, 1);
  store.hide(["code"]);
  assert.equal(store.pick(x + 2, y).point, -1);
  const whole = [
    [0, 0],
    [100, 0],
    [100, 100],
    [0, 100],
  ];
  store.select(whole, "replace");
  assert.equal(store.selected, 2);
  assert.deepEqual(new Uint8Array(traits.selection_bits.buffer), Uint8Array.of(0b101));
  assert.equal(store.selectedShare, null);
  traits.summary = { selected: 2, share: 0.7 };
  store.takeSummary();
  assert.equal(store.selectedShare, 0.7);
  store.escape();
  assert.equal(store.selected, 0);
  assert.equal(traits.selection_bits.byteLength, 0);
});

test("another size keeps the zoom and the middle of the map", () => {
  const { store } = storeOf();
  store.zoom(4, 30, 50);
  const middle = fromScreen(store.view, 50, 50);
  store.resize(300, 200, 2);
  fromScreen(store.view, 150, 100).forEach((at, i) => assert.ok(Math.abs(at - middle[i]) < 1e-6));
  assert.ok(Math.abs(store.zoomed - 4) < 1e-9);
  store.fit();
  assert.ok(Math.abs(store.zoomed - 1) < 1e-9);
});
