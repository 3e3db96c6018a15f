import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { evaluateLaw, lawProblem, quantileSorted, readLaw, verdictOn } from "../../reweightviz/widgets/law.js";

const golden = JSON.parse(readFileSync(new URL("../golden/law_form.json", import.meta.url), "utf-8"));
const bytes = Buffer.from(golden.data, "base64");
const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
const near = (got, wanted) => assert.ok(Math.abs(got - wanted) < 1e-12 * Math.max(1, Math.abs(wanted)), `${got} is not ${wanted}`);

test("the browser gives numpy's numbers", () => {
  const law = readLaw(golden.header, view, golden.header.domains);
  assert.ok(golden.weights.length >= 3);
  golden.weights.forEach((weights, n) => {
    const { targets, mean } = evaluateLaw(law, weights, golden.level);
    targets.forEach((one, m) => {
      near(one.value, golden.predictions[n][m]);
      near(one.low, golden.low[n][m]);
      near(one.high, golden.high[n][m]);
    });
    near(mean.value, golden.mean[n][0]);
    near(mean.low, golden.mean[n][1]);
    near(mean.high, golden.mean[n][2]);
  });
});

test("domains are matched by name, extra ones have no effect", () => {
  const domains = ["stranger", ...golden.header.domains].reverse();
  const law = readLaw(golden.header, view, domains);
  const weights = [0, ...golden.weights[1]].reverse();
  near(evaluateLaw(law, weights, golden.level).targets[0].value, golden.predictions[1][0]);
});

test("what does not fit is refused with one sentence", () => {
  assert.equal(lawProblem(golden.header, golden.header.domains), "");
  assert.match(lawProblem(golden.header, golden.header.domains.slice(1)), /fitted with “web”, which this mixture does not have/);
  assert.throws(() => readLaw({ ...golden.header, draws: 3 }, view, golden.header.domains), /should hold \d+ bytes; \d+ came/);
  assert.throws(() => readLaw({ ...golden.header, kind: "tree" }, view, golden.header.domains), /no law of kind “tree”/);
});

test("a law without draws has no interval", () => {
  const [K, M] = [golden.header.domains.length, golden.header.targets.length];
  const law = readLaw({ ...golden.header, draws: 0 }, new DataView(bytes.buffer, bytes.byteOffset, 4 * M * (1 + K)), golden.header.domains);
  const [first] = evaluateLaw(law, golden.weights[0], 0.9).targets;
  near(first.value, golden.predictions[0][0]);
  assert.ok(Number.isNaN(first.low) && Number.isNaN(first.high));
});

test("quantiles interpolate as Python's do", () => {
  assert.equal(quantileSorted(Float64Array.of(1, 2, 4), 0.625), 3);
  assert.equal(quantileSorted(Float64Array.of(1, 2, 4), 0.95), 4);
  assert.equal(quantileSorted(Float64Array.of(5), 0.05), 5);
});

test("a change counts beyond half the interval", () => {
  const estimated = { value: 1, low: 0.9, high: 1.1 };
  assert.deepEqual([-0.2, 0.2, 0.05, -0.05].map((change) => verdictOn(estimated, change, true)), ["good", "bad", "noise", "noise"]);
  assert.deepEqual([-0.2, 0.2].map((change) => verdictOn(estimated, change, false)), ["bad", "good"]);
  assert.equal(verdictOn({ value: 1, low: 1, high: 1 }, 1e-12, true), "noise");
});

test("without an interval nobody can tell a change from noise", () => {
  for (const low of [Number.NaN, -Infinity]) {
    for (const change of [-0.2, 0, 0.2]) assert.equal(verdictOn({ value: 1, low, high: Number.NaN }, change, true), "unknown");
  }
});
