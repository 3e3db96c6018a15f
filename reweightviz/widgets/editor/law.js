// A mixing law as coefficients: the same numbers as Python's, without the kernel. No DOM.

/**
 * @typedef {[row: number, column: number, share: number]} Share  how much of an editor's domain counts as one of the law's
 * @typedef {{kind: string, domains: string[], targets: string[], lower_is_better: boolean[], draws: number, shares?: Share[]}} LawHeader
 * @typedef {{shares: Share[], domains: number, targets: number, draws: number, numbers: Float64Array,
 *   lowerIsBetter: boolean[]}} LawForm
 * @typedef {{value: number, low: number, high: number}} Estimate  low and high are NaN where there is no interval
 * @typedef {"better"|"worse"|"noise"|"unknown"} Verdict
 * @typedef {{change: number, low: number, high: number, verdict: Verdict}} Contrast
 * @typedef {{value: number, draws: Float64Array}} Figure  a target or the mean, as predicted and as drawn
 * @typedef {{targets: Figure[], mean: Figure}} Figures
 */

/** Changes of a loss up to this are rounding, not changes; the same in Python. */
const ROUNDING = 1e-9;

/**
 * What each of the editor's domains counts as: by Python's shares where domains were split, else by name.
 * @param {LawHeader} header @param {string[]} domains @returns {Share[]}
 */
export function lawShares(header, domains) {
  if (header.shares) return header.shares;
  return header.domains
    .map((name, row) => /** @type {Share} */ ([row, domains.indexOf(name), 1]))
    .filter(([, column]) => column >= 0);
}

/**
 * One sentence when the law cannot serve these domains, else "". It serves them when whatever they weigh, the weights sum
 * to 1 over its own domains. @param {LawHeader} header @param {string[]} domains
 */
export function lawProblem(header, domains) {
  const shares = lawShares(header, domains);
  const absent = header.domains.filter((_, k) => !shares.some(([row]) => row === k));
  if (absent.length)
    return `The law was fitted with ${quoted(absent)}, which this mixture does not have; no losses can be predicted.`;
  const totals = domains.map(() => 0);
  for (const [, column, share] of shares) totals[column] += share;
  const strangers = domains.filter((_, k) => Math.abs(totals[k] - 1) > 1e-9);
  if (strangers.length)
    return `The law was fitted without ${quoted(strangers)}, which this mixture has; no losses can be predicted.`;
  return "";
}

/** One sentence on the domains that were split off and count as others, else "". @param {LawHeader} header @param {string[]} domains */
export function splitNote(header, domains) {
  const parts = domains
    .map((name, k) => {
      const own = lawShares(header, domains).filter(
        ([row, column]) => column === k && header.domains[row] !== name,
      );
      const counted = own.map(
        ([row, , share]) =>
          `${share > 1 - 1e-9 ? "" : `${Math.round(100 * share)} % `}${quoted([header.domains[row]])}`,
      );
      return own.length ? `${quoted([name])} as ${counted.join(" and ")}` : "";
    })
    .filter(Boolean);
  return parts.length ? `The law was fitted before a split; it counts ${parts.join(", ")}.` : "";
}

/** The first three names. @param {string[]} names */
function quoted(names) {
  const shown = names
    .slice(0, 3)
    .map((name) => `“${name.slice(0, 40)}”`)
    .join(", ");
  return shown + (names.length > 3 ? ` and ${names.length - 3} more` : "");
}

/**
 * The log-linear form: float32, little-endian: coef (M, 1+K) rows [log c, t_1..t_K], draws (B, M, 1+K), noise (B, M).
 * Throws one sentence when the bytes do not fit the header, or the law does not fit the domains.
 * @param {LawHeader} header @param {DataView} data @param {string[]} domains  the editor's
 * @returns {LawForm}
 */
export function readLaw(header, data, domains) {
  const [K, M, B] = [header.domains.length, header.targets.length, header.draws];
  const count = M * (1 + K) + B * M * (1 + K) + B * M;
  if (header.kind !== "log-linear")
    throw new Error(`The browser knows no law of kind “${header.kind}”.`);
  if (data.byteLength !== 4 * count)
    throw new Error(`The law's form should hold ${4 * count} bytes; ${data.byteLength} came.`);
  const problem = lawProblem(header, domains);
  if (problem) throw new Error(problem);
  const numbers = Float64Array.from({ length: count }, (_, i) => data.getFloat32(4 * i, true));
  const lowerIsBetter = header.lower_is_better;
  return {
    shares: lawShares(header, domains),
    domains: K,
    targets: M,
    draws: B,
    numbers,
    lowerIsBetter,
  };
}

/**
 * Predictions of every target, and of their mean, with the interval of one new run at `level`.
 * @param {LawForm} law @param {number[]} weights @param {number} level
 * @returns {{targets: Estimate[], mean: Estimate}}
 */
export function evaluateLaw(law, weights, level) {
  return estimates(figuresOf(law, weights), level);
}

/**
 * Predictions of a mixture and of its reference, and the change between them by paired draws:
 * numerics/contrast.py explains what its interval holds.
 * @param {LawForm} law @param {number[]} weights @param {number[]} reference @param {number} level
 */
export function contrastMixtures(law, weights, reference, level) {
  const now = figuresOf(law, weights);
  const before = figuresOf(law, reference);
  const falls = law.lowerIsBetter;
  const targets = now.targets.map((figure, m) =>
    contrastFigure(figure, before.targets[m], falls[m], level),
  );
  const mean = contrastFigure(now.mean, before.mean, falls.some(Boolean), level);
  return {
    now: estimates(now, level),
    before: estimates(before, level),
    change: { targets, mean },
  };
}

/**
 * @param {Figure} chosen @param {Figure} reference @param {boolean} lowerIsBetter @param {number} level
 * @returns {Contrast}
 */
function contrastFigure(chosen, reference, lowerIsBetter, level) {
  const change = chosen.value - reference.value;
  const differences = new Float64Array(chosen.draws.length);
  for (let b = 0; b < differences.length; b++)
    differences[b] = chosen.draws[b] - reference.draws[b];
  const [low, high] = interval(differences, level);
  return { change, low, high, verdict: verdictOn(change, low, high, lowerIsBetter) };
}

/**
 * "better" or "worse" where the change and its whole interval lie on one side of 0.
 * @param {number} change @param {number} low @param {number} high @param {boolean} lowerIsBetter
 * @returns {Verdict}
 */
export function verdictOn(change, low, high, lowerIsBetter) {
  const ends = [change, low, high];
  if (!ends.every(Number.isFinite)) return "unknown";
  const fell = Math.max(...ends) < -ROUNDING;
  const rose = Math.min(...ends) > ROUNDING;
  if (!fell && !rose) return "noise";
  return fell === lowerIsBetter ? "better" : "worse";
}

/**
 * Every target and their mean under one mixture. The mean is that of the losses, or, where there is
 * no loss, of all targets.
 * @param {LawForm} law @param {number[]} weights @returns {Figures}
 */
function figuresOf(law, weights) {
  const { shares, targets: M, draws: B, numbers } = law;
  const w = new Float64Array(law.domains);
  for (const [row, column, share] of shares) w[row] += share * weights[column];
  const width = 1 + w.length;
  const curve = (/** @type {number} */ row) => {
    let exponent = 0;
    for (let k = 0; k < w.length; k++) exponent += numbers[row * width + 1 + k] * w[k];
    return Math.exp(numbers[row * width]) + Math.exp(exponent);
  };
  const noise = M * width * (1 + B);
  // Plain loops: this runs in every frame of a drag.
  const targets = Array.from({ length: M }, (_, m) => {
    const draws = new Float64Array(B);
    for (let b = 0; b < B; b++) draws[b] = curve(M * (1 + b) + m) + numbers[noise + b * M + m];
    return { value: curve(m), draws };
  });
  const losses = targets.filter((_, m) => law.lowerIsBetter[m]);
  const averaged = losses.length ? losses : targets;
  const mean = { value: 0, draws: new Float64Array(B) };
  for (const { value, draws } of averaged) {
    mean.value += value / averaged.length;
    for (let b = 0; b < B; b++) mean.draws[b] += draws[b] / averaged.length;
  }
  return { targets, mean };
}

/** @param {Figures} figures @param {number} level @returns {{targets: Estimate[], mean: Estimate}} */
function estimates(figures, level) {
  const estimate = (/** @type {Figure} */ figure) => {
    const [low, high] = interval(figure.draws, level);
    return { value: figure.value, low, high };
  };
  return { targets: figures.targets.map(estimate), mean: estimate(figures.mean) };
}

/** @param {Float64Array} draws @param {number} level @returns {[number, number]} */
function interval(draws, level) {
  const sorted = draws.slice().sort();
  return [quantileSorted(sorted, (1 - level) / 2), quantileSorted(sorted, (1 + level) / 2)];
}

/** What a next draw lies below as often as q says, Weibull's place q (B + 1), as in Python. @param {Float64Array} sorted @param {number} q */
export function quantileSorted(sorted, q) {
  if (!sorted.length) return NaN;
  const place = Math.min(Math.max(q * (sorted.length + 1) - 1, 0), sorted.length - 1);
  const below = Math.floor(place);
  const above = Math.min(below + 1, sorted.length - 1);
  return sorted[below] + (sorted[above] - sorted[below]) * (place - below);
}
