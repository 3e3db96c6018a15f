// A mixing law as coefficients: the same numbers as Python's, without the kernel. No DOM.

/**
 * @typedef {[row: number, column: number, share: number]} Share  how much of an editor's domain counts as one of the law's
 * @typedef {{kind: string, domains: string[], targets: string[], lower_is_better: boolean[], draws: number, shares?: Share[]}} LawHeader
 * @typedef {{shares: Share[], domains: number, targets: number, draws: number, numbers: Float64Array}} LawForm
 * @typedef {{value: number, low: number, high: number}} Estimate  low and high are NaN where there is no interval
 */

/**
 * What each of the editor's domains counts as: by Python's shares where domains were split, else by name.
 * @param {LawHeader} header @param {string[]} domains @returns {Share[]}
 */
export function lawShares(header, domains) {
  if (header.shares) return header.shares;
  return header.domains.map((name, row) => /** @type {Share} */ ([row, domains.indexOf(name), 1])).filter(([, column]) => column >= 0);
}

/**
 * One sentence when the law cannot serve these domains, else "". It serves them when whatever they weigh, the weights sum
 * to 1 over its own domains. @param {LawHeader} header @param {string[]} domains
 */
export function lawProblem(header, domains) {
  const shares = lawShares(header, domains);
  const absent = header.domains.filter((_, k) => !shares.some(([row]) => row === k));
  if (absent.length) return `The law was fitted with ${quoted(absent)}, which this mixture does not have; no losses can be predicted.`;
  const totals = domains.map(() => 0);
  for (const [, column, share] of shares) totals[column] += share;
  const strangers = domains.filter((_, k) => Math.abs(totals[k] - 1) > 1e-9);
  if (strangers.length) return `The law was fitted without ${quoted(strangers)}, which this mixture has; no losses can be predicted.`;
  return "";
}

/** One sentence on the domains that were split off and count as others, else "". @param {LawHeader} header @param {string[]} domains */
export function splitNote(header, domains) {
  const parts = domains.map((name, k) => {
    const own = lawShares(header, domains).filter(([row, column]) => column === k && header.domains[row] !== name);
    const counted = own.map(([row, , share]) => `${share > 1 - 1e-9 ? "" : `${Math.round(100 * share)} % `}${quoted([header.domains[row]])}`);
    return own.length ? `${quoted([name])} as ${counted.join(" and ")}` : "";
  }).filter(Boolean);
  return parts.length ? `The law was fitted before a split; it counts ${parts.join(", ")}.` : "";
}

/** The first three names. @param {string[]} names */
function quoted(names) {
  const shown = names.slice(0, 3).map((name) => `“${name.slice(0, 40)}”`).join(", ");
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
  if (header.kind !== "log-linear") throw new Error(`The browser knows no law of kind “${header.kind}”.`);
  if (data.byteLength !== 4 * count) throw new Error(`The law's form should hold ${4 * count} bytes; ${data.byteLength} came.`);
  const problem = lawProblem(header, domains);
  if (problem) throw new Error(problem);
  const numbers = Float64Array.from({ length: count }, (_, i) => data.getFloat32(4 * i, true));
  return { shares: lawShares(header, domains), domains: K, targets: M, draws: B, numbers };
}

/**
 * Predictions of every target, and of their mean, with the interval at `level`.
 * @param {LawForm} law @param {number[]} weights @param {number} level
 * @returns {{targets: Estimate[], mean: Estimate}}
 */
export function evaluateLaw(law, weights, level) {
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
  const drawn = Array.from({ length: M }, () => new Float64Array(B));
  const means = new Float64Array(B);
  for (let b = 0; b < B; b++) {
    for (let m = 0; m < M; m++) {
      drawn[m][b] = curve(M * (1 + b) + m) + numbers[noise + b * M + m];
      means[b] += drawn[m][b] / M;
    }
  }
  const values = drawn.map((_, m) => curve(m));
  const mean = values.reduce((sum, value) => sum + value / M, 0);
  return { targets: values.map((value, m) => estimate(value, drawn[m], level)), mean: estimate(mean, means, level) };
}

/** @param {number} value @param {Float64Array} draws @param {number} level @returns {Estimate} */
function estimate(value, draws, level) {
  draws.sort();
  return { value, low: quantileSorted(draws, (1 - level) / 2), high: quantileSorted(draws, (1 + level) / 2) };
}

/** What a next draw lies below as often as q says, Weibull's place q (B + 1), as in Python. @param {Float64Array} sorted @param {number} q */
export function quantileSorted(sorted, q) {
  if (!sorted.length) return NaN;
  const place = Math.min(Math.max(q * (sorted.length + 1) - 1, 0), sorted.length - 1);
  const below = Math.floor(place);
  const above = Math.min(below + 1, sorted.length - 1);
  return sorted[below] + (sorted[above] - sorted[below]) * (place - below);
}

/**
 * A change counts when it is larger than the interval is wide on either side; without an interval nobody can tell.
 * @param {Estimate} estimated @param {number} change @param {boolean} lowerIsBetter @returns {"unknown"|"noise"|"good"|"bad"}
 */
export function verdictOn(estimated, change, lowerIsBetter) {
  const half = (estimated.high - estimated.low) / 2;
  if (!Number.isFinite(half)) return "unknown";
  if (Math.abs(change) <= Math.max(half, 1e-9)) return "noise";
  return change < 0 === lowerIsBetter ? "good" : "bad";
}
