// How a followed run stands, in words.
import assert from "node:assert/strict";
import { test } from "node:test";
import { ago, standing } from "../../reweightviz/widgets/curves/live.js";

const run = { state: "live", step: 1234, heard: 1000, quiet: 300, file: "run.jsonl" };

test("ages are short", () => {
  assert.deepEqual([0, 59, 60, 3600, 7 * 3600, 3 * 86400].map(ago), [
    "0 s",
    "59 s",
    "1 min",
    "1 h",
    "7 h",
    "3 d",
  ]);
  assert.equal(ago(-3), "0 s"); // two clocks
});

test("a run is live, quiet, gone, ended or paused", () => {
  assert.deepEqual(standing(run, false, 1002), ["live", "live · step 1,234 · 2 s ago"]);
  assert.deepEqual(standing(run, false, 1301), ["quiet", "no news for 5 min · step 1,234"]);
  assert.deepEqual(standing({ ...run, quiet: 10, usual: 2 }, false, 1040), [
    "quiet",
    "late: no news for 40 s, usually every 2 s · step 1,234",
  ]);
  assert.deepEqual(standing(run, true, 1002), ["paused", "paused · step 1,234"]);
  assert.deepEqual(standing({ ...run, state: "gone" }, false, 1002), [
    "gone",
    "gone: run.jsonl is not there any more · step 1,234",
  ]);
  assert.deepEqual(standing({ ...run, state: "gone", step: null }, false, 1002), [
    "quiet",
    "waiting for run.jsonl",
  ]);
  assert.deepEqual(standing({ ...run, state: "ended" }, true, 1002), [
    "ended",
    "ended · step 1,234",
  ]);
});
