// The mixture of one editor: committed, moving, taken back; what the locks leave. No DOM.

import { percentText } from "../common/format.js";
import { applyTarget, freeShare, moveWeight } from "../common/simplex.js";
import { followSteps, neighbour, presentMixture, unheardSteps } from "./undo_journal.js";

const DRAFT_EVERY = 100; // ms
const PAGE = `page-${Math.random().toString(36).slice(2)}`;
let stepCount = 0;

/**
 * What moves now: `source` is null while nothing has moved, `keys` the value that keys reached.
 * @typedef {{start: number[], weights: number[], source: any, keys?: {value: number}}} Gesture
 */

export class MixtureState {
  /** @param {any} model @param {() => void} changed  called where what is shown changed */
  constructor(model, changed) {
    this.model = model;
    this.changed = changed;
    this.gesture = /** @type {Gesture|null} */ (null);
    this.draftTimer = /** @type {any} */ (null);
    this.known = /** @type {any[]} */ ([]);
  }

  // ---- what holds now

  /** The kernel's journal with the steps of this page that it does not hold yet. */
  get journal() {
    const [latest, steps] = [this.model.get("journal"), this.model.get("page_steps")];
    if (this.known[0] !== latest || this.known[1] !== steps) {
      this.known = [latest, steps, followSteps(latest, unheardSteps(steps, latest))];
    }
    return this.known[2];
  }

  /** @returns {number[]} */
  get committed() {
    return /** @type {number[]} */ (presentMixture(this.journal).weights);
  }

  /** Where the committed mixture came from. @returns {any} */
  get source() {
    return presentMixture(this.journal).source;
  }

  /** What is shown. @returns {number[]} */
  get weights() {
    return this.gesture?.weights ?? this.model.get("draft") ?? this.committed;
  }

  get canUndo() {
    return neighbour(this.journal, -1) !== undefined;
  }

  get canRedo() {
    return neighbour(this.journal, 1) !== undefined;
  }

  // ---- a gesture: begun, shown while it moves, committed or cancelled

  begin() {
    this.gesture ??= { start: [...this.committed], weights: this.committed, source: null };
    return this.gesture;
  }

  /** Show weights that are not committed; the kernel receives the latest ten times a second. */
  preview(/** @type {number[]} */ weights, /** @type {any} */ source) {
    Object.assign(this.begin(), { weights, source });
    this.changed();
    this.draftTimer ??= setTimeout(() => {
      this.draftTimer = null;
      if (!this.gesture) return;
      this.model.set("draft", this.gesture.weights);
      this.model.save_changes();
    }, DRAFT_EVERY);
  }

  /** Commit what moved; an entry of the kernel that came meanwhile is one undo away. */
  finish() {
    const moved = this.gesture;
    this.gesture = null;
    if (moved?.source) this.commit(moved.weights, moved.source);
    else this.changed();
  }

  cancel() {
    this.gesture = null;
    this.model.set("draft", null);
    this.model.save_changes();
    this.changed();
  }

  // ---- steps of the journal

  commit(/** @type {number[]} */ weights, /** @type {any} */ source) {
    const before = this.committed;
    this.model.set("draft", null);
    if (weights.some((w, k) => w !== before[k])) this.add({ at: this.journal.at, weights, source });
    this.model.save_changes();
    this.changed();
  }

  /** Step over entries, -1 to undo and 1 to redo. */
  travel(/** @type {number} */ by) {
    // The values of a selection or of hidden domains are in the kernel: it carries such a step out
    // as soon as it answers, while the page already stands there and goes on over mixtures.
    const at = neighbour(this.journal, by);
    if (at === undefined) return;
    this.add({ at });
    this.model.save_changes();
    this.changed();
  }

  add(/** @type {{at: string, weights?: number[], source?: any}} */ step) {
    const latest = this.model.get("journal");
    const before = unheardSteps(this.model.get("page_steps"), latest);
    const id = `${PAGE}:${(stepCount += 1)}`;
    this.model.set("page_steps", [...before, { id, seen: latest.version, ...step }]);
  }

  // ---- locks

  toggleLock(/** @type {number} */ index) {
    this.model.set(
      "locked",
      this.model.get("locked").map((is, k) => (k === index ? !is : is)),
    );
    this.model.save_changes();
  }

  /** Move one weight within what the locks leave; `note` is a sentence where they stop it. */
  move(/** @type {number} */ index, /** @type {number} */ value, start = this.committed) {
    return {
      weights: moveWeight(start, index, value, this.model.get("locked")),
      note: this.obstacle(index, value, start),
    };
  }

  obstacle(
    /** @type {number} */ index,
    /** @type {number} */ value,
    /** @type {number[]} */ start,
  ) {
    const locked = this.model.get("locked");
    const free = locked.filter((is, k) => !is && k !== index).length;
    const room = freeShare(start, locked);
    if (locked[index]) return `${this.quoted(index)} is locked.`;
    if (!free)
      return `Nothing can make room for ${this.quoted(index)}: every other domain is locked.`;
    if (value > room + 1e-9 && room < 1 - 1e-9)
      return `The locked domains leave at most ${percentText(room)} %.`;
    return "";
  }

  quoted(/** @type {number} */ index) {
    const name = this.model.get("domains")[index];
    return `“${name.length > 40 ? `${name.slice(0, 39)}…` : name}”`;
  }

  /** A whole mixture within what the locks leave; its source counts the locked domains. */
  take(/** @type {number[]} */ weights, /** @type {any} */ source) {
    const locked = this.model.get("locked");
    const held = locked.filter(Boolean).length;
    if (!held) return { weights: [...weights], source, note: "" };
    const note = `${held} locked ${held === 1 ? "domain keeps its weight" : "domains keep their weights"}.`;
    return {
      weights: applyTarget(this.committed, weights, locked),
      source: { ...source, locked: held },
      note,
    };
  }

  dispose() {
    if (this.gesture) this.cancel();
    clearTimeout(this.draftTimer);
  }
}
