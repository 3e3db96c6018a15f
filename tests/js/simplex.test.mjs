import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import {
  budgetText,
  epochsText,
  percentText,
  ratioText,
  signedText,
  tokensText,
} from "../../reweightviz/widgets/common/format.js";
import { parsePercent, parseTokens } from "../../reweightviz/widgets/common/parse.js";
import {
  applyTarget,
  axisEnd,
  effectiveDomains,
  freeShare,
  moveWeight,
  passes,
  temperWeights,
  unimaxWeights,
} from "../../reweightviz/widgets/common/simplex.js";

const sum = (values) => values.reduce((total, value) => total + value, 0);
const close = (got, wanted, slack = 1e-12) =>
  got.forEach((value, k) =>
    assert.ok(Math.abs(value - wanted[k]) <= slack, `${got} is not ${wanted}`),
  );
const none = (weights) => weights.map(() => false);

test("the others make room in proportion", () => {
  close(moveWeight([0.5, 0.3, 0.2], 0, 0.75, none([1, 1, 1])), [0.75, 0.15, 0.1]);
});

test("locked domains keep their weight, exactly", () => {
  const next = moveWeight([0.4, 0.3, 0.2, 0.1], 0, 0.6, [false, true, false, false]);
  assert.equal(next[1], 0.3);
  close(next, [0.6, 0.3, (0.1 * 2) / 3, 0.1 / 3]);
});

test("a weight stops at what the locks leave, and at 0", () => {
  const locked = [false, true, false];
  assert.ok(Math.abs(freeShare([0.2, 0.5, 0.3], locked) - 0.5) < 1e-15);
  close(moveWeight([0.2, 0.5, 0.3], 0, 0.9, locked), [0.5, 0.5, 0]);
  close(moveWeight([0.2, 0.5, 0.3], 0, -1, locked), [0, 0.5, 0.5]);
});

test("who makes all the room is at 0 exactly, not at a rounding error", () => {
  const held = [0.4326, 0.1735, 0.0651, 0.1043, 0.2245];
  const next = moveWeight(held, 1, 1, [true, false, false, true, true]);
  assert.equal(next[2], 0);
  assert.ok(Math.abs(sum(next) - 1) < 1e-12);
});

test("where all others are 0 they share evenly", () => {
  close(moveWeight([1, 0, 0], 0, 0.4, none([1, 1, 1])), [0.4, 0.3, 0.3]);
  close(moveWeight([0.5, 0, 0, 0.5], 0, 0.1, [false, false, false, true]), [0.1, 0.2, 0.2, 0.5]);
});

test("what is locked, alone or not a number does not move", () => {
  assert.deepEqual(moveWeight([0.5, 0.5], 0, 0.7, [true, false]), [0.5, 0.5]);
  assert.deepEqual(moveWeight([0.5, 0.5], 0, 0.7, [false, true]), [0.5, 0.5]);
  assert.deepEqual(moveWeight([0.5, 0.5], 0, Number.NaN, [false, false]), [0.5, 0.5]);
  assert.deepEqual(moveWeight([1], 0, 0.2, [false]), [1]);
});

test("a thousand random moves stay on the simplex", () => {
  let seed = 7;
  const random = () => (seed = (seed * 48271) % 2147483647) / 2147483647;
  for (const count of [2, 14, 60]) {
    let weights = temperWeights(
      Array.from({ length: count }, () => Math.exp(20 * random())),
      1,
    );
    for (let i = 0; i < 1000; i++) {
      const locked = weights.map(() => random() < 0.3);
      const index = Math.floor(random() * count);
      const next = moveWeight(
        weights,
        index,
        random() < 0.1 ? Math.round(random()) : random(),
        locked,
      );
      assert.ok(Math.abs(sum(next) - 1) < 1e-12, `sum ${sum(next)}`);
      assert.ok(next.every((w) => w >= 0 && w <= 1));
      locked.forEach((is, k) => is && assert.equal(next[k], weights[k]));
      weights = next;
    }
  }
});

test("a preset spreads over what is not locked", () => {
  close(applyTarget([0.5, 0.3, 0.2], [0.1, 0.6, 0.3], [true, false, false]), [0.5, 1 / 3, 1 / 6]);
  close(applyTarget([0.5, 0.3, 0.2], [1, 0, 0], [true, false, false]), [0.5, 0.25, 0.25]);
  assert.deepEqual(applyTarget([0.5, 0.5], [1, 0], [true, true]), [0.5, 0.5]);
});

test("temperature: natural at 1, uniform at 0, empty domains stay empty", () => {
  close(temperWeights([30, 10, 0], 1), [0.75, 0.25, 0]);
  close(temperWeights([30, 10, 0], 0), [0.5, 0.5, 0]);
  close(temperWeights([1e13, 1e5], 0.5), [1e4 / (1e4 + 1), 1 / (1e4 + 1)]);
  close(temperWeights([0, 0], 1), [0.5, 0.5]);
});

test("UniMax fills evenly under the caps", () => {
  close(unimaxWeights([1000, 100, 10, 1], 400, 4), [0.445, 0.445, 0.1, 0.01]);
  close(unimaxWeights([10, 10], 1000, 4), [0.5, 0.5]);
  close(unimaxWeights([100, 0], 50, 4), [1, 0]);
});

test("epochs, effective domains and the axis", () => {
  assert.equal(passes(0.5, 10, 40), 2);
  assert.equal(passes(0.5, 0, 40), Infinity);
  assert.equal(passes(0, 0, 40), 0);
  const golden = JSON.parse(
    readFileSync(new URL("../golden/effective_domains.json", import.meta.url), "utf-8"),
  );
  close(golden.weights.map(effectiveDomains), golden.effective);
  assert.equal(axisEnd([0.79, 0.2]), 1);
  assert.equal(axisEnd([0.17, 0.1]), 0.3);
});

test("figures as people write and type them", () => {
  assert.deepEqual([1.2e12, 3e11, 2e10, 999.9e9, 512, 0].map(tokensText), [
    "1.20T",
    "300B",
    "20.0B",
    "1.00T",
    "512",
    "0",
  ]);
  assert.deepEqual([2e12, 1.5e9, null].map(budgetText), ["2T", "1.5B", ""]);
  const { read, zero, refused } = JSON.parse(
    readFileSync(new URL("../golden/token_counts.json", import.meta.url), "utf-8"),
  );
  assert.deepEqual(Object.keys(read).map(parseTokens), Object.values(read));
  for (const text of [...zero, ...refused]) assert.equal(parseTokens(text), null, text);
  assert.deepEqual(
    ["12.5", "12,5 %", "100", ".5", "0"].map(parsePercent),
    [0.125, 0.125, 1, 0.005, 0],
  );
  assert.deepEqual(
    ["", "abc", "-1", "101", "1e9", "NaN", "1.2.3", "Infinity"].map(parsePercent),
    Array(8).fill(null),
  );
  assert.deepEqual([0.125, 1, 0, 0.000042, 1e-9].map(percentText), [
    "12.50",
    "100.00",
    "0.00",
    "0.0042",
    "<0.0001",
  ]);
  assert.deepEqual([0.5, 6.2, 44.9, 120, Infinity].map(epochsText), [
    "0.50",
    "6.20",
    "44.9",
    "120",
    "∞",
  ]);
  assert.deepEqual(
    [signedText(1.23, 1), signedText(-1.23, 1), signedText(-0.001, 1)],
    ["+1.2", "−1.2", "0.0"],
  );
  assert.deepEqual(
    [ratioText(0.3, 0.2), ratioText(0.1, 0), ratioText(0, 0), ratioText(0.3, 0.01)],
    ["×1.5", "new", "", "×30"],
  );
});
