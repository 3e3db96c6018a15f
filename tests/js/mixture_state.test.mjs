import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { mock, test } from "node:test";
import { MixtureState } from "../../reweightviz/widgets/editor/mixture_state.js";
import {
  STEPS_KEPT,
  followSteps,
  unheardSteps,
} from "../../reweightviz/widgets/editor/undo_journal.js";

const HAND = { method: "by hand" };

/** What anywidget gives, as far as the state uses it; `saved` counts what went to the kernel. */
function fakeModel(state = {}) {
  const entry = {
    id: "start",
    version: 0,
    what: ["mixture"],
    weights: [0.6, 0.3, 0.1],
    source: { method: "natural" },
  };
  const journal = { entries: [entry], at: "start", version: 0, heard: {} };
  const traits = {
    domains: ["web", "code", "math"],
    locked: [false, false, false],
    draft: null,
    page_steps: [],
    journal,
    ...state,
  };
  const model = {
    saved: 0,
    get: (name) => traits[name],
    set: (name, value) => {
      traits[name] = value;
    },
    save_changes: () => {
      model.saved += 1;
    },
  };
  return model;
}

function stateOf(model = fakeModel()) {
  const state = new MixtureState(model, () => {
    state.changes = (state.changes ?? 0) + 1;
  });
  return state;
}

/** The kernel takes all steps of the page, then adds entries of its own. */
function answer(model, ...added) {
  const [journal, steps] = [model.get("journal"), model.get("page_steps")];
  const taken = followSteps(journal, unheardSteps(steps, journal));
  const version = taken.version + 1;
  const entries = [
    ...taken.entries.slice(0, 1 + taken.entries.findIndex((each) => each.id === taken.at)),
    ...added.map((each) => ({ version, ...each })),
  ];
  model.set("journal", {
    entries: added.length ? entries : taken.entries,
    at: added.at(-1)?.id ?? taken.at,
    version,
    heard: Object.fromEntries(steps.map(({ id }) => [id.split(":")[0], id])),
  });
}

for (const { name, steps, expected, ...journal } of JSON.parse(
  readFileSync(new URL("../golden/undo_journal.json", import.meta.url), "utf8"),
)) {
  test(`as in Python: ${name}`, () => {
    const after = followSteps(journal, unheardSteps(steps, journal));
    assert.deepEqual({ ids: after.entries.map((entry) => entry.id), at: after.at }, expected);
  });
}

test("a commit is one step for the kernel and no more", () => {
  const model = fakeModel();
  const state = stateOf(model);
  state.commit([0.2, 0.3, 0.5], HAND);
  const [{ id, ...step }] = model.get("page_steps");
  assert.deepEqual(step, { seen: 0, at: "start", weights: [0.2, 0.3, 0.5], source: HAND });
  assert.deepEqual(
    [state.weights, state.canUndo, state.canRedo, model.saved],
    [[0.2, 0.3, 0.5], true, false, 1],
  );
  answer(model);
  assert.deepEqual(state.committed, [0.2, 0.3, 0.5]);
  state.commit([1, 0, 0], HAND);
  assert.deepEqual(
    model.get("page_steps").map((each) => each.at),
    [id],
    "what the kernel has is not sent again",
  );
});

test("committing what is there already is no step", () => {
  const state = stateOf();
  state.commit([0.6, 0.3, 0.1], HAND);
  assert.deepEqual([state.canUndo, state.model.get("page_steps")], [false, []]);
});

test("undo and redo, over equal values too, with and without answers of the kernel", () => {
  const [a, b, c] = [
    [0.6, 0.3, 0.1],
    [1, 0, 0],
    [0, 1, 0],
  ];
  for (const answers of [false, true]) {
    const state = stateOf();
    for (const weights of [b, a, b, c]) state.commit(weights, HAND);
    const seen = [];
    for (const by of [-1, -1, -1, -1, -1, 1, 1, 1, 1, 1]) {
      state.travel(by);
      if (answers) answer(state.model);
      seen.push(state.committed);
    }
    assert.deepEqual(seen, [b, a, b, a, a, b, a, b, c, c]);
    state.travel(-1);
    state.commit([0, 0, 1], HAND);
    assert.equal(state.canRedo, false);
  }
});

test("fifty changes are kept", () => {
  const state = stateOf();
  for (let k = 1; k <= 60; k++) state.commit([k / 100, 1 - k / 100, 0], HAND);
  for (let k = 0; k < 70; k++) state.travel(-1);
  assert.equal(state.journal.entries.length, STEPS_KEPT + 1);
  assert.deepEqual(state.committed, [0.1, 0.9, 0]);
});

test("a gesture is shown, sent as a draft, and is one entry at its end", () => {
  mock.timers.enable({ apis: ["setTimeout"] });
  const state = stateOf();
  for (const share of [0.5, 0.4, 0.3])
    state.preview([share, 1 - share, 0], { ...HAND, moved: "web" });
  assert.deepEqual(
    [state.weights, state.committed, state.model.get("draft"), state.changes],
    [[0.3, 0.7, 0], [0.6, 0.3, 0.1], null, 3],
  );
  mock.timers.tick(100);
  assert.deepEqual(state.model.get("draft"), [0.3, 0.7, 0]);
  state.finish();
  assert.deepEqual(
    [state.model.get("draft"), state.committed, state.gesture],
    [null, [0.3, 0.7, 0], null],
  );
  assert.deepEqual(
    state.model.get("page_steps").map((step) => step.source),
    [{ ...HAND, moved: "web" }],
  );
  mock.timers.reset();
});

test("a gesture that is cancelled, or that moved nothing, leaves no entry", () => {
  mock.timers.enable({ apis: ["setTimeout"] });
  const state = stateOf();
  state.preview([0.5, 0.5, 0], HAND);
  mock.timers.tick(100);
  state.cancel();
  assert.deepEqual([state.weights, state.model.get("draft")], [[0.6, 0.3, 0.1], null]);
  state.begin();
  state.finish();
  state.preview([0.5, 0.5, 0], HAND);
  state.dispose();
  mock.timers.tick(1000);
  assert.deepEqual([state.canUndo, state.model.get("draft"), state.gesture], [false, null, null]);
  mock.timers.reset();
});

test("an entry of the kernel in the middle of a gesture is one undo away", () => {
  const state = stateOf();
  state.begin();
  Object.assign(state.gesture, { weights: [0.2, 0.7, 0.1], source: HAND });
  answer(state.model, { id: "k", what: ["mixture"], weights: [0, 0, 1], source: {} });
  assert.deepEqual(
    [state.weights, state.committed],
    [
      [0.2, 0.7, 0.1],
      [0, 0, 1],
    ],
  );
  state.finish();
  assert.deepEqual(state.weights, [0.2, 0.7, 0.1]);
  state.travel(-1);
  assert.deepEqual(state.weights, [0, 0, 1]);
  state.travel(-1);
  assert.deepEqual(state.weights, [0.6, 0.3, 0.1]);
});

test("an entry of the kernel that crosses the page's step is kept", () => {
  const state = stateOf();
  state.commit([0.2, 0.7, 0.1], HAND);
  const { journal } = state;
  state.model.set("journal", {
    ...state.model.get("journal"),
    entries: [journal.entries[0], { id: "k", version: 1, what: ["mixture"], weights: [0, 0, 1] }],
    at: "k",
    version: 1,
  });
  assert.deepEqual(state.committed, [0.2, 0.7, 0.1]);
  state.travel(-1);
  assert.deepEqual(state.committed, [0, 0, 1]);
});

test("a step onto a selection keeps the weights, and the next one goes on", () => {
  const state = stateOf();
  state.commit([0.2, 0.7, 0.1], HAND);
  answer(state.model, { id: "s", what: ["selection"] });
  state.travel(-1);
  assert.deepEqual([state.committed, state.canRedo], [[0.2, 0.7, 0.1], true]);
  state.travel(-1);
  assert.deepEqual([state.committed, state.canUndo], [[0.6, 0.3, 0.1], false]);
});

test("locks stop a move with a sentence, and are counted in a preset's source", () => {
  const state = stateOf();
  assert.deepEqual([state.move(0, 0.8).weights[0], state.move(0, 0.8).note], [0.8, ""]);
  state.toggleLock(1);
  assert.deepEqual(state.model.get("locked"), [false, true, false]);
  assert.equal(state.move(1, 0.5).note, "“code” is locked.");
  assert.equal(state.move(0, 0.9).note, "The locked domains leave at most 70.00 %.");
  const taken = state.take([0, 0, 1], { method: "given" });
  assert.deepEqual(
    [taken.source, taken.note, taken.weights[1]],
    [{ method: "given", locked: 1 }, "1 locked domain keeps its weight.", 0.3],
  );
  state.toggleLock(2);
  assert.equal(
    state.move(0, 0.9).note,
    "Nothing can make room for “web”: every other domain is locked.",
  );
});
