// The undo journal of a page: the kernel's latest, with the page's own steps applied to it. No DOM.
// How the two meet is written in core/undo_journal.py, which does the same.

/**
 * @typedef {{id: string, version: number, what: string[], weights?: number[], source?: any}} Entry
 *   weights only where the mixture was changed: other values stay in the kernel
 * @typedef {{entries: Entry[], at: string, version: number,
 *   heard: {[page: string]: string}}} Journal
 * @typedef {{id: string, at: string, seen: number, weights?: number[], source?: any}} PageStep
 *   goes to the entry `at`; with weights, adds an entry behind it; the id is "page:number"
 */

export const STEPS_KEPT = 50;

/**
 * The steps that the kernel has not taken yet: those behind the last one taken from their page.
 * @param {PageStep[]} steps @param {Journal} journal
 */
export function unheardSteps(steps, journal) {
  return steps.filter((step, place) => {
    const last = journal.heard[pageOf(step.id)];
    return place > steps.findIndex((each) => each.id === last);
  });
}

/**
 * The journal after the page's steps.
 * @param {Journal} journal @param {PageStep[]} steps @returns {Journal}
 */
export function followSteps(journal, steps) {
  return steps.reduce((now, step) => append(stand(now, step), step), journal);
}

/**
 * Id of the entry that lies `by` away from the present one, or undefined.
 * @param {Journal} journal @param {number} by
 */
export function neighbour(journal, by) {
  return journal.entries[placeOf(journal, journal.at) + by]?.id;
}

/** The entry that holds the present weights. @param {Journal} journal @returns {Entry} */
export function presentMixture(journal) {
  const done = journal.entries.slice(0, placeOf(journal, journal.at) + 1);
  return /** @type {Entry} */ (done.filter((entry) => entry.weights).at(-1));
}

/** @param {Journal} journal @param {string} id */
function placeOf(journal, id) {
  return journal.entries.findIndex((entry) => entry.id === id);
}

/** @param {Journal} journal @param {PageStep} step @returns {Journal} */
function stand(journal, step) {
  const place = placeOf(journal, step.at);
  if (place < 0) return journal;
  const passed = journal.entries.slice(place + 1, placeOf(journal, journal.at) + 1);
  const later = passed.filter((entry) => entry.version > step.seen);
  const unseen = later.filter((entry) => pageOf(entry.id) !== pageOf(step.id));
  const undone = journal.entries.slice(place + 1).filter((entry) => !unseen.includes(entry));
  const entries = [...journal.entries.slice(0, place + 1), ...unseen, ...undone];
  return { ...journal, entries, at: entries[place + unseen.length].id };
}

/** @param {string} id */
const pageOf = (id) => id.split(":")[0];

/** @param {Journal} journal @param {PageStep} step @returns {Journal} */
function append(journal, step) {
  if (!step.weights) return journal;
  const { id, seen, weights, source } = step;
  const added = { id, version: seen, what: ["mixture"], weights, source };
  const entries = [...journal.entries.slice(0, placeOf(journal, journal.at) + 1), added];
  // What lies furthest back is forgotten; the first entry always holds weights.
  while (entries.length > STEPS_KEPT + 1) entries.splice(0, 2, { ...entries[0], ...entries[1] });
  return { ...journal, entries, at: added.id };
}
