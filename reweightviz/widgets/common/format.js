// Figures as people write them. No DOM.

const UNITS = /** @type {[string, number][]} */ ([
  ["T", 1e12],
  ["B", 1e9],
  ["M", 1e6],
  ["k", 1e3],
]);
const MINUS = "−";

/** 1.20T, 300B, 20.0M, 512. @param {number} tokens */
export function tokensText(tokens) {
  if (tokens >= 9.995e14) return tokens.toExponential(1).replace("+", "");
  const [unit, size] = UNITS.find(([, each]) => tokens >= 0.9995 * each) ?? ["", 1];
  const scaled = tokens / size;
  return unit
    ? scaled.toFixed(scaled < 9.995 ? 2 : scaled < 99.95 ? 1 : 0) + unit
    : String(Math.round(scaled));
}

/** As one types it: 2T, 1.5B. @param {number|null} tokens */
export function budgetText(tokens) {
  if (tokens === null || tokens === undefined) return "";
  const [unit, size] = UNITS.find(([, each]) => tokens >= each) ?? ["", 1];
  return `${Number((tokens / size).toPrecision(4))}${unit}`;
}

/** A share in percent, without the sign. @param {number} share */
export function percentText(share) {
  const percent = 100 * share;
  if (percent > 0 && percent < 0.1)
    return percent < 1e-4 ? "<0.0001" : String(Number(percent.toPrecision(2)));
  return percent.toFixed(2);
}

/** @param {number} epochs */
export function epochsText(epochs) {
  if (!Number.isFinite(epochs)) return "∞";
  return epochs < 10 ? epochs.toFixed(2) : epochs < 100 ? epochs.toFixed(1) : tokensText(epochs);
}

/** With its sign, a true minus; 0 has none. @param {number} value @param {number} digits */
export function signedText(value, digits) {
  const text = Math.abs(value).toFixed(digits);
  if (Number(text) === 0) return text;
  return (value < 0 ? MINUS : "+") + text;
}

/** A factor: ×1.4; "new" where there was nothing before. @param {number} value @param {number} before */
export function ratioText(value, before) {
  if (!(before > 0)) return value > 0 ? "new" : "";
  const ratio = value / before;
  return `×${ratio < 9.95 ? ratio.toFixed(ratio < 0.095 && ratio > 0 ? 2 : 1) : tokensText(ratio)}`;
}
