import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import {
  contrastMixtures,
  evaluateLaw,
  lawProblem,
  quantileSorted,
  readLaw,
  splitNote,
  verdictOn,
} from "../../reweightviz/widgets/editor/law.js";

const golden = JSON.parse(
  readFileSync(new URL("../golden/law_form.json", import.meta.url), "utf-8"),
);
const expected = new URL("../golden/contrast.json", import.meta.url);
const contrasts = JSON.parse(readFileSync(expected, "utf-8"));
const bytes = Buffer.from(golden.data, "base64");
const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
const near = (got, wanted) =>
  assert.ok(
    Math.abs(got - wanted) < 1e-12 * Math.max(1, Math.abs(wanted)),
    `${got} is not ${wanted}`,
  );

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
  near(
    evaluateLaw(law, golden.weights[1].toReversed(), golden.level).targets[0].value,
    golden.predictions[1][0],
  );
});

test("a domain that the law does not know is refused with its name, and no figure is made", () => {
  const domains = ["stranger", ...golden.header.domains];
  assert.match(
    lawProblem(golden.header, domains),
    /fitted without “stranger”, which this mixture has; no losses can be predicted/,
  );
  assert.throws(() => readLaw(golden.header, view, domains), /fitted without “stranger”/);
});

/** The golden law, asked of its domains and one that was split off two of them. */
function afterSplit() {
  const names = golden.header.domains;
  const shares = [
    ...names.map((_, k) => [k, k, 1]),
    [0, names.length, 0.75],
    [1, names.length, 0.25],
  ];
  return [{ ...golden.header, shares }, [...names, "mine"]];
}

test("a split domain counts as its parents, and a split alone changes no prediction", () => {
  const [header, domains] = afterSplit();
  assert.equal(lawProblem(header, domains), "");
  const law = readLaw(header, view, domains);
  golden.weights.forEach((weights, n) => {
    const moved = Math.min(weights[0] / 0.75, weights[1] / 0.25) / 2;
    const parts = [
      weights[0] - 0.75 * moved,
      weights[1] - 0.25 * moved,
      ...weights.slice(2),
      moved,
    ];
    const { targets, mean } = evaluateLaw(law, parts, golden.level);
    targets.forEach((one, m) => near(one.value, golden.predictions[n][m]));
    near(mean.value, golden.mean[n][0]);
    near(mean.low, golden.mean[n][1]);
  });
});

test("what is split off is named with its parents", () => {
  const [header, domains] = afterSplit();
  const [first, second] = domains;
  assert.equal(
    splitNote(header, domains),
    `The law was fitted before a split; it counts “mine” as 75 % “${first}” and 25 % “${second}”.`,
  );
  assert.equal(splitNote(golden.header, golden.header.domains), "");
  header.shares.pop();
  assert.match(lawProblem(header, domains), /fitted without “mine”/);
});

test("what does not fit is refused with one sentence", () => {
  assert.equal(lawProblem(golden.header, golden.header.domains), "");
  assert.match(
    lawProblem(golden.header, golden.header.domains.slice(1)),
    /fitted with “web”, which this mixture does not have/,
  );
  assert.throws(
    () => readLaw({ ...golden.header, draws: 3 }, view, golden.header.domains),
    /should hold \d+ bytes; \d+ came/,
  );
  assert.throws(
    () => readLaw({ ...golden.header, kind: "tree" }, view, golden.header.domains),
    /no law of kind “tree”/,
  );
});

test("a law without draws has no interval", () => {
  const [K, M] = [golden.header.domains.length, golden.header.targets.length];
  const law = readLaw(
    { ...golden.header, draws: 0 },
    new DataView(bytes.buffer, bytes.byteOffset, 4 * M * (1 + K)),
    golden.header.domains,
  );
  const [first] = evaluateLaw(law, golden.weights[0], 0.9).targets;
  near(first.value, golden.predictions[0][0]);
  assert.ok(Number.isNaN(first.low) && Number.isNaN(first.high));
});

test("quantiles interpolate as Python's do", () => {
  assert.equal(quantileSorted(Float64Array.of(1, 2, 4), 0.625), 3);
  assert.equal(quantileSorted(Float64Array.of(1, 2, 4), 0.95), 4);
  assert.equal(quantileSorted(Float64Array.of(5), 0.05), 5);
});

test("a change and its verdict are Python's", () => {
  const verdicts = new Set(contrasts.cases.map((each) => each.mean.verdict));
  assert.deepEqual(verdicts, new Set(["better", "worse", "noise"]));
  for (const { lower_is_better, pair, level, mean, targets } of contrasts.cases) {
    const law = readLaw({ ...golden.header, lower_is_better }, view, golden.header.domains);
    const { change } = contrastMixtures(law, pair[0], pair[1], level);
    const wanted = [mean, ...targets];
    [change.mean, ...change.targets].forEach((got, m) => {
      for (const end of ["change", "low", "high"]) near(got[end], wanted[m][end]);
      assert.equal(got.verdict, wanted[m].verdict);
    });
  }
});

test("a mixture against itself has changed by exactly 0", () => {
  const law = readLaw(golden.header, view, golden.header.domains);
  const { change } = contrastMixtures(law, golden.weights[1], golden.weights[1], 0.9);
  const nothing = { change: 0, low: 0, high: 0, verdict: "noise" };
  for (const each of [change.mean, ...change.targets]) assert.deepEqual(each, nothing);
});

test("what is drawn of one mixture is what evaluateLaw gives", () => {
  const law = readLaw(golden.header, view, golden.header.domains);
  const { now, before } = contrastMixtures(law, golden.weights[1], golden.weights[2], 0.9);
  assert.deepEqual(now, evaluateLaw(law, golden.weights[1], 0.9));
  assert.deepEqual(before, evaluateLaw(law, golden.weights[2], 0.9));
});

test("a verdict needs the change and its whole interval on one side of 0", () => {
  assert.equal(verdictOn(-0.2, -0.3, -0.1, true), "better");
  assert.equal(verdictOn(-0.2, -0.3, -0.1, false), "worse");
  assert.equal(verdictOn(0.2, 0.1, 0.3, true), "worse");
  assert.equal(verdictOn(-0.2, -0.3, 0.1, true), "noise");
  assert.equal(verdictOn(0.2, -0.3, -0.1, true), "noise");
  assert.equal(verdictOn(-1e-12, -1e-12, -1e-12, true), "noise");
});

test("without an interval the verdict is unknown", () => {
  assert.equal(verdictOn(-0.2, Number.NaN, Number.NaN, true), "unknown");
  assert.equal(verdictOn(-0.2, -Infinity, -0.1, true), "unknown");
  const [K, M] = [golden.header.domains.length, golden.header.targets.length];
  const coefficients = new DataView(bytes.buffer, bytes.byteOffset, 4 * M * (1 + K));
  const law = readLaw({ ...golden.header, draws: 0 }, coefficients, golden.header.domains);
  const { change } = contrastMixtures(law, golden.weights[1], golden.weights[2], 0.9);
  assert.equal(change.mean.verdict, "unknown");
  near(change.targets[0].change, golden.predictions[1][0] - golden.predictions[2][0]);
});
