// The map's legend: domains or clusters to hide and isolate, or a bar of numbers.

import { element, say } from "../common/elements.js";
import { sizeFactor } from "../common/scales.js";

/** @typedef {{hide(entry: number): void, isolate(entry: number): void, hover(entry: number|null): void}} LegendActions */

/** @param {LegendActions} actions */
export function mapLegend(actions) {
  const node = element("div", {
    class: "rv-map-legend",
    "data-rv": "legend",
    role: "group",
    "aria-label": "Legend",
  });
  /** @type {{button: any, dot: any, figure: any}[]} */ let entries = [];

  /** @param {string[]} names @param {string[]} palette @param {string} kind */
  function list(names, palette, kind) {
    entries = names.map((name, k) => entry(name, palette[k], kind, k));
    node.replaceChildren(...entries.map((each) => each.button));
  }

  /** @param {string} name @param {string} color @param {string} kind @param {number} k */
  function entry(name, color, kind, k) {
    const dot = element("i", { style: `background:${color}` });
    const figure = element("span", { class: "rv-map-figure" });
    const button = element(
      "button",
      {
        type: "button",
        class: "rv-map-entry",
        "data-rv": "legend-item",
        [`data-${kind}`]: name,
        "aria-pressed": "true",
        title: `${name}\nclick: hide or show · shift-click or double-click: only this`,
        onclick: (/** @type {MouseEvent} */ e) =>
          e.shiftKey || e.altKey || e.detail === 2 ? actions.isolate(k) : actions.hide(k),
        onpointerenter: () => actions.hover(k),
        onpointerleave: () => actions.hover(null),
        onfocus: () => button.matches(":focus-visible") && actions.hover(k),
        onblur: () => actions.hover(null),
      },
      element("span", { class: "rv-map-swatch" }, dot),
      element("span", { class: "rv-map-name" }, name),
      figure,
    );
    return { button, dot, figure };
  }

  return {
    node,
    list,
    /** @param {any} legend @param {Uint8Array} ramp */
    bar(legend, ramp) {
      entries = [];
      const stops = Array.from(
        { length: 17 },
        (_, i) =>
          `rgb(${ramp.subarray(4 * (1 + Math.round(i * 15.875)), 4 * (1 + Math.round(i * 15.875)) + 3).join()})`,
      );
      const scale = element(
        "div",
        { class: "rv-map-ticks" },
        element("span", {}, (legend.below ? "≤ " : "") + numberText(legend.low)),
        element("span", {}, (legend.above ? "≥ " : "") + numberText(legend.high)),
      );
      const missing = legend.missing
        ? [
            element(
              "div",
              { class: "rv-map-missing" },
              element("i", { style: `background:rgb(${ramp.subarray(0, 3).join()})` }),
              `no value (${legend.missing.toLocaleString("en-US")})`,
            ),
          ]
        : [];
      node.replaceChildren(
        element("div", {
          class: "rv-map-bar",
          "data-rv": "legend-bar",
          style: `background:linear-gradient(90deg,${stops.join()})`,
        }),
        scale,
        ...missing,
      );
    },
    /** What is drawn: swatches follow the points' size. @param {{off(k: number): boolean, e: number[], figures: string[]}} shown */
    show({ off, e, figures }) {
      entries.forEach(({ button, dot, figure }, k) => {
        button.setAttribute("aria-pressed", String(!off(k)));
        dot.style.transform = `scale(${Math.max(sizeFactor(e[k] ?? 1), 0.4) * 0.8})`;
        dot.style.opacity = e[k] === 0 ? "0.35" : "1";
        say(figure, figures[k] ?? "");
      });
    },
  };
}

/** Three figures. @param {number} value */
export function numberText(value) {
  if (!Number.isFinite(value)) return "–";
  const size = Math.abs(value);
  if (size >= 1000) return Math.round(value).toLocaleString("en-US").replace("-", "−");
  return (
    size && size < 0.001 ? value.toExponential(1) : String(Number(value.toPrecision(3)))
  ).replace("-", "−");
}

/** A share in percent, three figures. @param {number} share */
export function shareText(share) {
  return `${share > 0 && share < 0.0005 ? "< 0.1" : (100 * share).toFixed(1)} %`;
}
