import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { evaluateLaw, lawProblem, quantileSorted, readLaw, splitNote, verdictOn } from "../../reweightviz/widgets/law.js";

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

test("domains are matched by name", () => {
  const law = readLaw(golden.header, view, golden.header.domains.toReversed());
  near(evaluateLaw(law, golden.weights[1].toReversed(), golden.level).targets[0].value, golden.predictions[1][0]);
});

test("a domain that the law does not know is refused with its name, and no figure is made", () => {
  const domains = ["stranger", ...golden.header.domains];
  assert.match(lawProblem(golden.header, domains), /fitted without “stranger”, which this mixture has; no losses can be predicted/);
  assert.throws(() => readLaw(golden.header, view, domains), /fitted without “stranger”/);
});

/** The golden law, asked of its domains and one that was split off two of them. */
function afterSplit() {
  const names = golden.header.domains;
  const shares = [...names.map((_, k) => [k, k, 1]), [0, names.length, 0.75], [1, names.length, 0.25]];
  return [{ ...golden.header, shares }, [...names, "mine"]];
}

test("a split domain counts as its parents, and a split alone changes no prediction", () => {
  const [header, domains] = afterSplit();
  assert.equal(lawProblem(header, domains), "");
  const law = readLaw(header, view, domains);
  golden.weights.forEach((weights, n) => {
    const moved = Math.min(weights[0] / 0.75, weights[1] / 0.25) / 2;
    const parts = [weights[0] - 0.75 * moved, weights[1] - 0.25 * moved, ...weights.slice(2), moved];
    const { targets, mean } = evaluateLaw(law, parts, golden.level);
    targets.forEach((one, m) => near(one.value, golden.predictions[n][m]));
    near(mean.value, golden.mean[n][0]);
    near(mean.low, golden.mean[n][1]);
  });
});

test("what is split off is named with its parents", () => {
  const [header, domains] = afterSplit();
  const [first, second] = domains;
  assert.equal(splitNote(header, domains), `The law was fitted before a split; it counts “mine” as 75 % “${first}” and 25 % “${second}”.`);
  assert.equal(splitNote(golden.header, golden.header.domains), "");
  header.shares.pop();
  assert.match(lawProblem(header, domains), /fitted without “mine”/);
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
