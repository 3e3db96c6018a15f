// The map: joins the renderer, the legend, the pointer and the page's bus.

import { join } from "../common/bus.js";
import { element, lineIcon, say } from "../common/elements.js";
import { errorLine } from "../common/error_line.js";
import {
  boundsOf,
  dotDiameter,
  emphasis,
  fitView,
  fromScreen,
  neutralOpacity,
  opacity,
  sizeFactor,
  toScreen,
  zoomAt,
} from "../common/scales.js";
import { combineBits, countBits, nearest, outlineMask, pickGrid, pointsInside } from "./picking.js";
import { pointsLayer } from "./points_gl.js";
import { mapLegend, numberText, shareText } from "./map_legend.js";
import { drawLabels, drawOutline, drawRing } from "./map_overlay.js";
import { mapTooltip } from "./map_tooltip.js";
import { followPointer } from "./map_pointer.js";

const SAMPLE = 60_000;
const REACH = 8;
const SAME_PLACE = 1.5;
const TOOLS = [
  [
    "pan",
    "Move (p)",
    "M8 1.5v13M1.5 8h13M8 1.5 6 3.5M8 1.5l2 2M8 14.5l-2-2M8 14.5l2-2M1.5 8l2-2M1.5 8l2 2M14.5 8l-2-2M14.5 8l-2 2",
  ],
  [
    "lasso",
    "Lasso (l) · shift adds, alt subtracts",
    "M5.2 11.6C3 10.9 1.5 9.2 1.5 7.2c0-2.9 2.9-5.2 6.5-5.2s6.5 2.3 6.5 5.2-2.9 5.2-6.5 5.2q-1 0-1.8-.2M5.3 10.3a1.5 1.5 0 1 0 .1 0M5.6 13.3q.2 1.3-1.3 1.7",
  ],
  ["rect", "Rectangle (r) · shift adds, alt subtracts", "M2 3.5h12v9H2z"],
];
const MOVES = [
  ["zoom-in", "Zoom in (+)", "M7 2.5a4.5 4.5 0 1 0 .01 0M10.3 10.3 14 14M7 5v4M5 7h4"],
  ["zoom-out", "Zoom out (−)", "M7 2.5a4.5 4.5 0 1 0 .01 0M10.3 10.3 14 14M5 7h4"],
  ["fit", "Whole map (0)", "M2 5.5V2h3.5M14 5.5V2h-3.5M2 10.5V14h3.5M14 10.5V14h-3.5"],
];

/** @param {DataView} view */
const bytesOf = (view) => new Uint8Array(view.buffer, view.byteOffset, view.byteLength);
const count = (/** @type {number} */ n) => n.toLocaleString("en-US");

/** Eight bytes a point, from what the kernel sent. @param {any} model */
function interleaved(model) {
  const places = bytesOf(model.get("points"));
  const n = places.length / 6;
  const vertices = new Uint8Array(8 * n),
    units = new Uint16Array(vertices.buffer),
    given = new Uint16Array(places.slice().buffer);
  for (let i = 0; i < n; i++) for (let c = 0; c < 3; c++) units[4 * i + c] = given[3 * i + c];
  return { vertices, units, n };
}

/** @param {{model: any, el: HTMLElement}} host */
function render({ model, el }) {
  const { vertices, units, n } = interleaved(model);
  /** @type {string[]} */ const domains = model.get("domains");
  /** @type {string[]} */ const palette = model.get("palette");
  const K = domains.length;
  const rgb = palette.map((hex) =>
    [1, 3, 5].map((at) => parseInt(hex.slice(at, at + 2), 16) / 255),
  );
  const channel = join(model.get("link"));
  const bounds = boundsOf(units, n);
  const abort = new AbortController();

  const state = {
    weights: /** @type {number[]} */ (model.get("weights")),
    e: /** @type {number[]} */ ([]),
    hidden: new Set(model.get("hidden")),
    off: new Set(),
    only: /** @type {number|null} */ (null),
    focus: /** @type {string|null} */ (null),
    hover: /** @type {string|null} */ (null),
    legend: model.get("legend"),
    tool: "pan",
    bits: /** @type {Uint8Array} */ (new Uint8Array(0)),
    selected: 0,
    asked: false,
    outline: /** @type {[number, number][]} */ ([]),
    ring: -1,
    moving: false,
    dragging: false,
    before: /** @type {any} */ (null),
  };
  const size = { width: 0, height: 0, ratio: 1, fitted: 1 };
  let view = { scale: 1, x: 0, y: 0 };
  /** @type {import("./picking.js").PickGrid|null} */ let grid = null;

  // ---- elements

  const canvas = element("canvas", {
    "data-rv": "map-canvas",
    tabindex: "0",
    role: "application",
    "aria-roledescription": "map",
    "aria-label": `Map of ${count(n)} documents in ${K} domains. Arrows move, plus and minus zoom, l lasso, r rectangle, 0 whole map, Escape clears.`,
  });
  const over = element("canvas", { class: "rv-map-over", "aria-hidden": "true" });
  const stage = element("div", { class: "rv-map-stage" }, canvas, over);
  const tools = TOOLS.map(([name, title, path]) =>
    toolButton(name, title, path, () => setTool(name)),
  );
  const moves = { "zoom-in": () => zoom(1.5), "zoom-out": () => zoom(1 / 1.5), fit };
  const status = element("span", {
    class: "rv-map-status",
    "data-rv": "map-status",
    role: "status",
  });
  const clear = toolButton(
    "clear",
    "Clear the selection (Escape)",
    "M3.5 3.5l9 9M12.5 3.5l-9 9",
    () => choose(new Uint8Array(0)),
  );
  const colorBy = element("select", {
    "data-rv": "color-by",
    "aria-label": "Colour by",
    title: "Colour by",
    onchange: () => {
      model.set("color_by", colorBy.value);
      model.save_changes();
    },
  });
  const legend = mapLegend({ hide: toggle, isolate, hover: hoverEntry });
  const alarm = errorLine(model, "rv-map-error");
  const root = element(
    "div",
    { class: "rv-map", "data-rv": "map", "data-lm-suppress-shortcuts": "true" },
    element(
      "div",
      { class: "rv-map-tools", role: "toolbar", "aria-label": "Map" },
      ...tools,
      element("hr"),
      ...MOVES.map(([name, title, path]) =>
        toolButton(name, title, path, moves[/** @type {"fit"} */ (name)]),
      ),
      status,
      clear,
      element("label", { class: "rv-map-by" }, "colour ", colorBy),
    ),
    alarm.node,
    element("div", { class: "rv-map-body" }, stage, legend.node),
  );
  el.append(root);
  const brush = /** @type {CanvasRenderingContext2D} */ (canvas.getContext("2d"));
  const pen = /** @type {CanvasRenderingContext2D} */ (over.getContext("2d"));
  const layer = pointsLayer(vertices, K, () => draw());
  const tooltip = mapTooltip(model, stage);

  /** @param {string} name @param {string} title @param {string} path @param {() => void} act */
  function toolButton(name, title, path, act) {
    return element(
      "button",
      {
        type: "button",
        class: "rv-map-tool",
        "data-tool": name,
        title,
        "aria-label": title,
        onclick: act,
      },
      lineIcon(path),
    );
  }

  // ---- drawing: at most once a frame

  let frame = 0;
  const draw = () => {
    frame ||= requestAnimationFrame(paint);
  };
  let settle = 0;
  /** A part of the points while something moves, all of them once it rests. */
  function move() {
    state.moving = true;
    clearTimeout(settle);
    settle = setTimeout(() => {
      state.moving = false;
      draw();
    }, 140);
    draw();
  }

  function paint() {
    frame = 0;
    if (!size.width) return;
    const { ratio } = size,
      zoomed = view.scale / size.fitted;
    const partly = (state.moving || state.dragging) && n > 1.5 * SAMPLE;
    layer.draw(brush, {
      width: canvas.width,
      height: canvas.height,
      view: { scale: view.scale * ratio, x: view.x * ratio, y: view.y * ratio },
      dot: spot(zoomed) * ratio,
      count: partly ? SAMPLE : n,
      byValue: byValue(),
      chosen: state.selected > 0,
    });
    paintOver();
  }

  const spot = (/** @type {number} */ zoomed) =>
    Math.min(dotDiameter(n, size.width, size.height) * Math.max(zoomed, 0.7) ** 0.45, 9);
  const byValue = () => state.legend.kind !== "domain";

  function paintOver() {
    const style = getComputedStyle(root);
    const theme = {
      ink: style.color,
      paper: getComputedStyle(stage).backgroundColor,
      font: style.fontFamily,
    };
    // Chromium may go on showing the last frame of a canvas that was cleared and left empty.
    over.hidden = state.legend.kind !== "category" && state.outline.length < 2 && state.ring < 0;
    pen.setTransform(size.ratio, 0, 0, size.ratio, 0, 0);
    pen.clearRect(0, 0, size.width, size.height);
    if (state.legend.kind === "category") drawLabels(pen, labels(), size.width, size.height, theme);
    drawOutline(pen, state.outline, style.getPropertyValue("--rv-accent"));
    if (state.ring >= 0)
      drawRing(pen, ...screenOf(state.ring), spot(view.scale / size.fitted) / 2 + 3, theme);
  }

  function labels() {
    const { at, names, counts } = state.legend;
    return names
      .map((/** @type {string} */ text, /** @type {number} */ i) => {
        const [x, y] = toScreen(view, at[i][0], at[i][1]);
        return { x, y, text, weight: counts[i], i };
      })
      .filter(
        (/** @type {any} */ label) =>
          !state.off.has(label.i) && (state.only === null || state.only === label.i),
      );
  }

  /** @param {number} i @returns {[number, number]} */
  const screenOf = (i) =>
    /** @type {[number, number]} */ (toScreen(view, units[4 * i], units[4 * i + 1]));

  // ---- weights and colours: K texels

  function restyle() {
    state.e = emphasis(state.weights, model.get("natural"));
    const neutral = neutralOpacity(n, view.scale / size.fitted);
    const bright = state.hover ?? state.focus;
    const dims = bright !== null && domains.includes(bright);
    domains.forEach((name, k) => {
      const faint = dims && name !== bright ? 0.1 : 1;
      layer.setStyle(
        k,
        rgb[k],
        state.hidden.has(name) ? 0 : faint * opacity(state.e[k], neutral),
        sizeFactor(state.e[k]),
      );
    });
    showLegend();
    draw();
  }

  function showLegend() {
    if (state.legend.kind === "category") {
      legend.show({
        off: (k) => state.off.has(k),
        e: [],
        figures: state.legend.counts.map((/** @type {number} */ c) => shareText(c / n)),
      });
    } else
      legend.show({
        off: (k) => state.hidden.has(domains[k]),
        e: state.e,
        figures: state.weights.map(shareText),
      });
  }

  function shadeRamp() {
    for (let i = 0; i < 256; i++)
      layer.ramp[4 * i + 3] = state.off.has(i - 1)
        ? 0
        : state.only !== null && state.only !== i - 1
          ? 25
          : 255;
    layer.stale.ramp = true;
    draw();
  }

  function recolor() {
    state.legend = model.get("legend");
    state.off = new Set();
    state.only = null;
    const values = bytesOf(model.get("values")),
      ramp = bytesOf(model.get("ramp"));
    for (let i = 0; i < n; i++) vertices[8 * i + 6] = values.length ? values[i] : 0;
    for (let i = 0; i < 768; i++) layer.ramp[4 * Math.floor(i / 3) + (i % 3)] = ramp[i];
    layer.stale.vertices = true;
    const { kind, names, colors } = state.legend;
    if (kind === "number") legend.bar(state.legend, layer.ramp);
    else
      legend.list(
        kind === "category" ? names : domains,
        kind === "category" ? colors : palette,
        kind,
      );
    colorBy.replaceChildren(
      ...model
        .get("color_options")
        .map((/** @type {string} */ name) => element("option", { value: name }, name)),
    );
    colorBy.value = model.get("color_by");
    shadeRamp();
    showLegend();
  }

  /** @param {{domains: string[], weights: number[], dragging?: boolean}} sent */
  function reweigh(sent) {
    const given = new Map(sent.domains.map((name, i) => [name, sent.weights[i]]));
    if (!domains.some((name) => given.has(name))) return;
    state.weights = domains.map((name) => given.get(name) ?? 0);
    state.dragging = Boolean(sent.dragging);
    restyle();
  }

  // ---- legend: domains are hidden everywhere, clusters here

  /** @param {number} k */
  function toggle(k) {
    const set = hiddenEntries();
    state.before = [...set];
    set.has(k) ? set.delete(k) : set.add(k);
    hideEntries(set);
  }

  /** Only this one; again: all. A double click has toggled it before. @param {number} k */
  function isolate(k) {
    const all = state.legend.kind === "category" ? state.legend.names.length : K;
    const before = new Set(state.before ?? [...hiddenEntries()]);
    state.before = null;
    const alone = before.size === all - 1 && !before.has(k);
    hideEntries(new Set(alone ? [] : [...Array(all).keys()].filter((each) => each !== k)));
  }

  function hiddenEntries() {
    return state.legend.kind === "category"
      ? new Set(state.off)
      : new Set([...domains.keys()].filter((k) => state.hidden.has(domains[k])));
  }

  /** @param {Set<number>} set */
  function hideEntries(set) {
    if (state.legend.kind === "category") {
      state.off = set;
      shadeRamp();
      return showLegend();
    }
    const elsewhere = [...state.hidden].filter((name) => !domains.includes(name));
    channel.emit("hidden", { domains: [...elsewhere, ...domains.filter((_, k) => set.has(k))] });
  }

  /** @param {{domains: string[]}} sent */
  function hide(sent) {
    state.hidden = new Set(sent.domains);
    const ours = domains.filter((name) => state.hidden.has(name));
    if (ours.join("\0") !== model.get("hidden").join("\0")) {
      model.set("hidden", ours);
      model.save_changes();
    }
    restyle();
  }

  /** @param {number|null} k */
  function hoverEntry(k) {
    if (state.legend.kind !== "category")
      return channel.emit("hover", { domain: k === null ? null : domains[k] });
    state.only = k;
    shadeRamp();
  }

  // ---- view

  function resize() {
    const width = stage.clientWidth,
      height = stage.clientHeight,
      ratio = devicePixelRatio || 1;
    if (
      !width ||
      !height ||
      (width === size.width && height === size.height && ratio === size.ratio)
    )
      return;
    const whole = fitView(bounds, width, height);
    const kept = size.width ? view.scale / size.fitted : 1;
    const centre = size.width ? fromScreen(view, size.width / 2, size.height / 2) : null;
    Object.assign(size, { width, height, ratio, fitted: whole.scale });
    for (const each of [canvas, over])
      [each.width, each.height] = [Math.round(width * ratio), Math.round(height * ratio)];
    view = whole;
    if (centre && Math.abs(kept - 1) > 1e-6) {
      const scale = kept * whole.scale;
      view = { scale, x: width / 2 - centre[0] * scale, y: height / 2 + centre[1] * scale };
    }
    restyle();
    cancelAnimationFrame(frame);
    paint();
  }

  function fit() {
    view = fitView(bounds, size.width, size.height);
    restyle();
  }

  /** @param {number} factor @param {number} [x] @param {number} [y] */
  function zoom(factor, x = size.width / 2, y = size.height / 2) {
    leave();
    view = zoomAt(view, factor, x, y, size.fitted);
    restyle();
    move();
  }

  /** @param {number} dx @param {number} dy */
  function pan(dx, dy) {
    view = { ...view, x: view.x + dx, y: view.y + dy };
    move();
  }

  /** @param {string} name */
  function setTool(name) {
    state.tool = name;
    tools.forEach((button, i) => button.setAttribute("aria-pressed", String(TOOLS[i][0] === name)));
    canvas.style.cursor = name === "pan" ? "grab" : "crosshair";
  }

  // ---- pick and select

  /** Not hidden, and with weight. @param {number} i */
  const seen = (i) =>
    !state.hidden.has(domains[units[4 * i + 2]]) &&
    state.e[units[4 * i + 2]] > 0 &&
    !state.off.has(vertices[8 * i + 6] - 1);

  /** @param {number} x @param {number} y */
  function hover(x, y) {
    grid ??= pickGrid(units, n);
    const [u, v] = fromScreen(view, x, y);
    const { point } = nearest(grid, u, v, REACH / view.scale, seen);
    if (point !== state.ring) {
      state.ring = point;
      paintOver();
    }
    if (point < 0) return tooltip.hide();
    const stack = nearest(
      grid,
      units[4 * point],
      units[4 * point + 1],
      SAME_PLACE / view.scale,
      seen,
    ).count;
    const k = units[4 * point + 2];
    tooltip.show({
      point,
      x,
      y,
      name: domains[k],
      color: palette[k],
      detail: valueOf(point),
      more: stack - 1,
    });
  }

  /** What the page knows without the kernel. @param {number} i */
  function valueOf(i) {
    const { kind, title, names, low, high } = state.legend,
      value = vertices[8 * i + 6];
    if (kind === "category") return { cluster: names[value - 1] ?? "–" };
    return kind === "number"
      ? { [title]: value ? `≈ ${numberText(low + ((value - 1) / 254) * (high - low))}` : "–" }
      : {};
  }

  function leave() {
    tooltip.hide();
    if (state.ring < 0) return;
    state.ring = -1;
    paintOver();
  }

  /** @param {[number, number][]} points @param {"replace"|"add"|"subtract"} how */
  function select(points, how) {
    const width = Math.ceil(size.width),
      height = Math.ceil(size.height);
    const inside = pointsInside(
      units,
      n,
      outlineMask(points, width, height),
      width,
      height,
      view,
      seen,
    );
    choose(combineBits(state.bits, inside, how));
  }

  /** @param {Uint8Array} bits */
  function choose(bits) {
    const sent = countBits(bits) ? bits : new Uint8Array(0);
    state.asked = true;
    mark(sent);
    model.set("selection_bits", new DataView(sent.slice().buffer));
    model.save_changes();
  }

  /** @param {Uint8Array} bits */
  function mark(bits) {
    state.bits = bits;
    state.selected = countBits(bits);
    for (let i = 0; i < n; i++)
      vertices[8 * i + 7] = bits.length ? (bits[i >> 3] >> (i & 7)) & 1 : 0;
    layer.stale.vertices = true;
    report();
    draw();
  }

  function report() {
    const { selected, share } = model.get("summary");
    const known = !state.asked && selected === state.selected && typeof share === "number";
    const said = state.selected
      ? `${count(state.selected)} of ${count(n)} selected${known ? ` · ${shareText(share)} of tokens` : ""}`
      : `${count(n)} documents`;
    say(status, said, said);
    clear.hidden = !state.selected;
  }

  function escape() {
    if (state.selected) choose(new Uint8Array(0));
    else if (state.focus !== null) channel.emit("focus", { domain: null });
  }

  // ---- wires

  /** @type {[string, () => void][]} */
  const traits = [
    [
      "change:weights",
      () =>
        channel.last("weights")?.dragging || reweigh({ domains, weights: model.get("weights") }),
    ],
    ["change:legend", recolor],
    [
      "change:hidden",
      () =>
        model.get("hidden").join("\0") !==
          domains.filter((name) => state.hidden.has(name)).join("\0") &&
        channel.emit("hidden", { domains: model.get("hidden") }),
    ],
    ["change:selection_bits", () => mark(bytesOf(model.get("selection_bits")).slice())],
    [
      "change:summary",
      () => {
        state.asked = false;
        report();
      },
    ],
    [
      "change:height",
      () => {
        stage.style.height = `${model.get("height")}px`;
      },
    ],
  ];
  for (const [kind, act] of traits) model.on(kind, act);
  stage.style.height = legend.node.style.maxHeight = `${model.get("height")}px`;
  setTool("pan");
  recolor();
  mark(bytesOf(model.get("selection_bits")).slice());
  resize();
  if (!channel.last("hidden") && state.hidden.size)
    channel.emit("hidden", { domains: [...state.hidden] });
  const offs = [
    channel.on("weights", reweigh),
    channel.on("hidden", hide),
    channel.on("focus", ({ domain }) => {
      state.focus = domain;
      restyle();
    }),
    channel.on("hover", ({ domain }) => {
      state.hover = domain;
      restyle();
    }),
  ];
  followPointer(
    canvas,
    root,
    {
      tool: () => state.tool,
      setTool,
      pan,
      zoom,
      fit,
      hover,
      leave,
      select,
      escape,
      outline: (points) => {
        state.outline = points;
        paintOver();
      },
    },
    abort.signal,
  );
  const sized = new ResizeObserver(resize);
  sized.observe(stage);
  const themed = new MutationObserver(() => requestAnimationFrame(paintOver));
  themed.observe(document.body, {
    attributes: true,
    attributeFilter: ["data-jp-theme-light", "data-jp-theme-name", "class"],
  });

  return () => {
    abort.abort();
    sized.disconnect();
    themed.disconnect();
    cancelAnimationFrame(frame);
    clearTimeout(settle);
    for (const off of offs) off();
    for (const [kind, act] of traits) model.off(kind, act);
    alarm.dispose();
    tooltip.dispose();
    layer.dispose();
    root.remove();
  };
}

export default { render };
