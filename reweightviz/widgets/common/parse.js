// Numbers as people type them. No DOM.

// The same grammar as parse_count in core/token_counts.py; tests/golden/token_counts.json holds both.
const COUNT = /^(\d{1,3}(?:[,_\s]\d{3})+|\d+)?(\.\d*)?(?:e([+-]?\d{1,4}))?\s*([kmgbt]?)$/i;
const POWERS = /** @type {Record<string, number>} */ ({ k: 3, m: 6, g: 9, b: 9, t: 12 });

/** "2T", "300 B", "1,000,000" -> tokens; null where the text is no number above 0. @param {string} text */
export function parseTokens(text) {
  const [, whole = "", part = "", power = 0, letter = ""] = COUNT.exec(text.trim()) ?? [];
  const zeros = POWERS[letter.toLowerCase()] ?? 0;
  // One text for the decimal number, so that it is rounded once; without a digit it is none.
  const tokens = Number(`${whole.replace(/[,_\s]/g, "")}${part}e${Number(power) + zeros}`);
  return Number.isFinite(tokens) && tokens > 0 ? tokens : null;
}

/** "12.5", "12.5 %", "12,5" -> 0.125: always percent; null outside 0 to 100. @param {string} text */
export function parsePercent(text) {
  const plain = text.trim().replace(/\s*%$/, "").replace(",", ".");
  const share = /^(\d+\.?\d*|\.\d+)(e-?\d+)?$/i.test(plain) ? Number(plain) / 100 : NaN;
  return share >= 0 && share <= 1 ? share : null;
}
