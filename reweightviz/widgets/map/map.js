// The map: one store, and parts that draw it, read the pointer and write it.

import { join } from "../common/bus.js";
import { element } from "../common/elements.js";
import { errorLine } from "../common/error_line.js";
import { legendPart } from "./map_legend.js";
import { overlayPart } from "./map_overlay.js";
import { followPointer } from "./map_pointer.js";
import { pointsPart } from "./map_points.js";
import { bytesOf, MapStore } from "./map_store.js";
import { count, toolbarPart } from "./map_toolbar.js";
import { tooltipPart } from "./map_tooltip.js";

/**
 * Where parts put what they draw. A part is `(stage, store) -> {paint, dispose}`; `draw` asks for a
 * frame, in which every part paints.
 * @typedef {{root: HTMLElement, tools: HTMLElement, body: HTMLElement, node: HTMLElement,
 *   canvas: HTMLCanvasElement, over: HTMLCanvasElement, draw(): void}} Stage
 */

/** @param {{model: any, el: HTMLElement}} host */
function render({ model, el }) {
  const channel = join(model.get("link"));
  const store = new MapStore(model, channel);
  const abort = new AbortController();
  let frame = 0;
  const stage = buildStage(store, () => {
    frame ||= requestAnimationFrame(paint);
  });
  const alarm = errorLine(model, "rv-map-error");
  stage.body.before(alarm.node);
  el.append(stage.root);

  const legend = legendPart(stage, store);
  const tooltip = tooltipPart(stage, store);
  const parts = [
    pointsPart(stage, store),
    overlayPart(stage, store),
    legend,
    tooltip,
    toolbarPart(stage, store),
  ];

  function paint() {
    frame = 0;
    if (store.size.width) for (const part of parts) part.paint();
  }

  function resize() {
    const { clientWidth: width, clientHeight: height } = stage.node;
    const ratio = devicePixelRatio || 1;
    const before = store.size;
    const same = width === before.width && height === before.height && ratio === before.ratio;
    if (!width || !height || same) return;
    for (const canvas of [stage.canvas, stage.over]) {
      canvas.width = Math.round(width * ratio);
      canvas.height = Math.round(height * ratio);
    }
    store.resize(width, height, ratio);
    // A canvas that was sized is empty: it is painted before the page shows it.
    cancelAnimationFrame(frame);
    paint();
  }

  function setHeight() {
    stage.node.style.height = `${model.get("height")}px`;
  }

  /** @type {[string, () => void][]} */
  const traits = [
    ["weights", () => channel.last("weights")?.dragging || takeWeights(store)],
    ["legend", () => store.recolor()],
    ["hidden", () => emitHidden(store)],
    ["selection_bits", () => takeSelection(store)],
    ["summary", () => store.takeSummary()],
    ["height", setHeight],
  ];
  for (const [name, act] of traits) model.on(`change:${name}`, act);

  setHeight();
  legend.limit(`${model.get("height")}px`);
  store.setTool("pan");
  store.recolor();
  takeSelection(store);
  resize();
  if (!channel.last("hidden") && store.hidden.size)
    channel.emit("hidden", { domains: [...store.hidden] });
  const offs = [
    channel.on("weights", (sent) => store.reweigh(sent)),
    channel.on("hidden", ({ domains }) => store.hide(domains)),
    channel.on("focus", ({ domain }) => store.mark("focus", domain)),
    channel.on("hover", ({ domain }) => store.mark("hover", domain)),
  ];
  followPointer(stage.canvas, stage.root, store, tooltip.hover, abort.signal);
  const sized = new ResizeObserver(resize);
  sized.observe(stage.node);

  return () => {
    abort.abort();
    sized.disconnect();
    cancelAnimationFrame(frame);
    for (const off of offs) off();
    for (const [name, act] of traits) model.off(`change:${name}`, act);
    alarm.dispose();
    for (const part of parts) part.dispose();
    stage.root.remove();
  };
}

/** @param {MapStore} store @param {() => void} draw @returns {Stage} */
function buildStage(store, draw) {
  const keys =
    "Arrows move, plus and minus zoom, l lasso, r rectangle, 0 whole map, Escape clears.";
  const canvas = element("canvas", {
    "data-rv": "map-canvas",
    tabindex: "0",
    role: "application",
    "aria-roledescription": "map",
    "aria-label": `Map of ${count(store.n)} documents in ${store.domains.length} domains. ${keys}`,
  });
  const over = element("canvas", { class: "rv-map-over", "aria-hidden": "true" });
  const node = element("div", { class: "rv-map-stage" }, canvas, over);
  const tools = element("div", { class: "rv-map-tools", role: "toolbar", "aria-label": "Map" });
  const body = element("div", { class: "rv-map-body" }, node);
  const root = element(
    "div",
    { class: "rv-map", "data-rv": "map", "data-lm-suppress-shortcuts": "true" },
    tools,
    body,
  );
  return { root, tools, body, node, canvas, over, draw };
}

/** @param {MapStore} store */
function takeWeights(store) {
  store.reweigh({ domains: store.domains, weights: store.model.get("weights") });
}

/** @param {MapStore} store */
function takeSelection(store) {
  store.showSelection(bytesOf(store.model.get("selection_bits")).slice());
}

/** Hide what Python hides; it is on the bus already where it came from there. @param {MapStore} store */
function emitHidden(store) {
  const wanted = /** @type {string[]} */ (store.model.get("hidden"));
  const here = store.domains.filter((name) => store.hidden.has(name));
  if (wanted.join("\0") !== here.join("\0")) store.channel.emit("hidden", { domains: wanted });
}

export default { render };
