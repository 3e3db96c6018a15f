// Weights on the simplex: what moves, who makes room. No DOM.

/** @typedef {number[]} Weights */

const clampTo = (/** @type {number} */ x, /** @type {number} */ low, /** @type {number} */ high) =>
  Math.min(Math.max(x, low), high);
const sumOf = (/** @type {Weights} */ values) => values.reduce((sum, value) => sum + value, 0);

/** What the locked domains leave to the others. @param {Weights} weights @param {boolean[]} locked */
export function freeShare(weights, locked) {
  return clampTo(1 - sumOf(weights.filter((_, k) => locked[k])), 0, 1);
}

/**
 * Set one weight; the other unlocked ones keep their proportions and make room. Where all of them
 * are 0 they share evenly. A locked domain, or one with no partner, does not move.
 * @param {Weights} weights @param {number} index @param {number} value @param {boolean[]} locked
 * @returns {Weights}
 */
export function moveWeight(weights, index, value, locked) {
  const partners = weights.map((_, k) => k).filter((k) => k !== index && !locked[k]);
  if (locked[index] || !partners.length || Number.isNaN(value)) return [...weights];
  const room = freeShare(weights, locked);
  const next = [...weights];
  next[index] = clampTo(value, 0, room);
  return fill(next, weights, partners, room - next[index]);
}

/**
 * Take the proportions of `target` in what the locked domains leave; those keep their weight.
 * @param {Weights} weights @param {Weights} target @param {boolean[]} locked
 * @returns {Weights}
 */
export function applyTarget(weights, target, locked) {
  const free = weights.map((_, k) => k).filter((k) => !locked[k]);
  return free.length ? fill([...weights], target, free, freeShare(weights, locked)) : [...weights];
}

/**
 * Spread `room` over `members` in the proportions of `shape`; the rounding error goes to the largest of them.
 * @param {Weights} next @param {Weights} shape @param {number[]} members @param {number} room
 */
function fill(next, shape, members, room) {
  const total = sumOf(members.map((k) => shape[k]));
  for (const k of members) next[k] = total > 0 ? (shape[k] / total) * room : room / members.length;
  const largest = members.reduce((best, k) => (next[k] > next[best] ? k : best), members[0]);
  if (next[largest] > 0) next[largest] = Math.max(0, next[largest] + (1 - sumOf(next)));
  return next;
}

/** Weights proportional to tokens ** exponent; an empty domain gets 0. @param {number[]} tokens @param {number} exponent */
export function temperWeights(tokens, exponent) {
  const top = Math.max(...tokens);
  if (!(top > 0)) return tokens.map(() => 1 / tokens.length);
  const raw = tokens.map((n) => (n > 0 ? Math.exp(exponent * Math.log(n / top)) : 0));
  return applyTarget(
    raw,
    raw,
    raw.map(() => false),
  );
}

/**
 * UniMax (Chung et al., 2023): as even as no domain passing `maxEpochs` epochs of `budget` allows.
 * The budget that nobody may take is dropped, so the weights still sum to 1.
 * @param {number[]} tokens @param {number} budget @param {number} maxEpochs
 */
export function unimaxWeights(tokens, budget, maxEpochs) {
  const ascending = tokens.map((_, k) => k).sort((a, b) => tokens[a] - tokens[b]);
  const taken = tokens.map(() => 0);
  let left = budget;
  ascending.forEach((k, place) => {
    taken[k] = Math.min(left / (tokens.length - place), tokens[k] * maxEpochs);
    left -= taken[k];
  });
  return applyTarget(
    taken,
    taken,
    taken.map(() => false),
  );
}

/** Passes over each domain when `budget` tokens are trained. @param {number} weight @param {number} tokens @param {number} budget */
export function passes(weight, tokens, budget) {
  if (tokens > 0) return (weight * budget) / tokens;
  return weight > 0 ? Infinity : 0;
}

/**
 * The effective number of domains: exp of the entropy, between 1 and K. The same as effective_domains in
 * core/mixture.py; tests/golden/effective_domains.json holds both. @param {Weights} weights
 */
export function effectiveDomains(weights) {
  return Math.exp(-sumOf(weights.map((w) => (w > 0 ? w * Math.log(w) : 0))));
}

/** The end of the bars' axis: a round number that leaves some room above the largest weight. @param {Weights} weights */
export function axisEnd(weights) {
  const wanted = 1.2 * Math.max(...weights);
  return (
    [0.01, 0.02, 0.05, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.6, 0.8].find((end) => end >= wanted) ?? 1
  );
}
