// The map's legend: domains or clusters to hide and isolate, or a bar of numbers.

import { colorText, element, say } from "../common/elements.js";
import { sizeFactor } from "../common/scales.js";
import { bytesOf } from "./map_store.js";

/** @param {import("./map.js").Stage} stage @param {import("./map_store.js").MapStore} store */
export function legendPart(stage, store) {
  const legend = mapLegend({
    hide: (k) => store.toggleEntry(k),
    isolate: (k) => store.isolateEntry(k),
    hover: (k) => store.hoverEntry(k),
  });
  stage.body.append(legend.node);

  function list() {
    const { kind, names, colors } = store.legend;
    if (kind === "number") legend.bar(store.legend, bytesOf(store.model.get("ramp")));
    else if (kind === "category") legend.list(names, colors, kind);
    else legend.list(store.domains, store.palette, kind);
    show();
  }

  function show() {
    const hidden = store.hiddenEntries;
    const shares = store.byCluster
      ? store.legend.counts.map((/** @type {number} */ count) => count / store.n)
      : store.weights;
    legend.show({
      off: (k) => hidden.has(k),
      e: store.byCluster ? [] : store.emphasis,
      figures: shares.map(shareText),
    });
  }

  const offs = [store.on("colors", list), store.on("style", show), store.on("shade", show)];
  return {
    paint() {},
    /** @param {string} height */
    limit(height) {
      legend.node.style.maxHeight = height;
    },
    dispose() {
      for (const off of offs) off();
    },
  };
}

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
    const dot = element("i", { style: `background:${colorText(color)}` });
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
    /** @param {any} legend @param {Uint8Array} ramp  three bytes a value, the first of no value */
    bar(legend, ramp) {
      entries = [];
      const stops = Array.from({ length: 17 }, (_, i) => colorAt(ramp, 1 + Math.round(i * 15.875)));
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
              element("i", { style: `background:${colorAt(ramp, 0)}` }),
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

/** @param {Uint8Array} ramp @param {number} value */
function colorAt(ramp, value) {
  return `rgb(${ramp.subarray(3 * value, 3 * value + 3).join()})`;
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
