// What one map shows: points, weights, colours, hidden entries, selection, view. No DOM.
//
// Parts of the map read from here, call its verbs and listen to what changed:
//   style   weights, hidden or marked domains: how each domain's points are drawn
//   colors  another column colours the points
//   shade   entries of the legend that are hidden or looked at
//   selection, summary   which documents are selected; what the kernel counted of them
//   view    the map was moved, zoomed or sized; motion while it goes on
//   overlay the outline under way, or the point under the cursor
//   tool    what the pointer does

import { boundsOf, emphasis, fitView, fromScreen, toScreen, zoomAt } from "../common/scales.js";
import { combineBits, countBits, nearest, outlineMask, pickGrid, pointsInside } from "./picking.js";

const REACH = 8; // pixels from the cursor to a point that it picks
const SAME_PLACE = 1.5;

/** @typedef {[number, number]} Pixel */
/** @typedef {"style"|"colors"|"shade"|"selection"|"summary"|"view"|"motion"|"overlay"|"tool"} MapChange */

export class MapStore {
  /** @param {any} model @param {{emit(kind: string, detail: any): void}} channel */
  constructor(model, channel) {
    this.model = model;
    this.channel = channel;
    this.listeners = new Map();
    this.domains = /** @type {string[]} */ (model.get("domains"));
    this.palette = /** @type {string[]} */ (model.get("palette"));
    const { vertices, units, n } = interleavePoints(bytesOf(model.get("points")));
    this.vertices = vertices;
    this.units = units;
    this.n = n;
    this.bounds = boundsOf(this.units, this.n);
    this.grid = /** @type {import("./picking.js").PickGrid|null} */ (null);

    this.weights = /** @type {number[]} */ (model.get("weights"));
    this.hidden = new Set(/** @type {string[]} */ (model.get("hidden")));
    this.focus = /** @type {string|null} */ (null);
    this.hover = /** @type {string|null} */ (null);
    this.dragging = false;
    this.emphasis = /** @type {number[]} */ ([]);

    this.legend = model.get("legend");
    this.off = /** @type {Set<number>} */ (new Set()); // clusters that are hidden here
    this.only = /** @type {number|null} */ (null); // the cluster that is looked at
    this.before = /** @type {number[]|null} */ (null); // what was hidden before a first click

    this.bits = /** @type {Uint8Array} */ (new Uint8Array(0));
    this.selected = 0;
    this.awaited = false; // a selection that the kernel has not summed up yet

    this.tool = "pan";
    this.outline = /** @type {Pixel[]} */ ([]);
    this.ring = -1;
    this.size = { width: 0, height: 0, ratio: 1, fitted: 1 };
    this.view = { scale: 1, x: 0, y: 0 };
    this.weigh();
  }

  /** @param {MapChange} kind @param {() => void} listener @returns {() => void} */
  on(kind, listener) {
    const known = this.listeners.get(kind) ?? new Set();
    this.listeners.set(kind, known.add(listener));
    return () => known.delete(listener);
  }

  /** @param {MapChange} kind */
  changed(kind) {
    for (const listener of this.listeners.get(kind) ?? []) listener();
  }

  // ---- weights, and the domains that are hidden or marked

  weigh() {
    this.emphasis = emphasis(this.weights, this.model.get("natural"));
  }

  /** @param {{domains: string[], weights: number[], dragging?: boolean}} sent */
  reweigh(sent) {
    const given = new Map(sent.domains.map((name, i) => [name, sent.weights[i]]));
    if (!this.domains.some((name) => given.has(name))) return;
    this.weights = this.domains.map((name) => given.get(name) ?? 0);
    this.dragging = Boolean(sent.dragging);
    this.weigh();
    this.changed("style");
  }

  /** The one domain that stands out, or null. */
  get marked() {
    const name = this.hover ?? this.focus;
    return name !== null && this.domains.includes(name) ? name : null;
  }

  /** @param {"focus"|"hover"} how @param {string|null} domain */
  mark(how, domain) {
    this[how] = domain;
    this.changed("style");
  }

  /** @param {string[]} names */
  hide(names) {
    this.hidden = new Set(names);
    const ours = this.domains.filter((name) => this.hidden.has(name));
    if (ours.join("\0") !== this.model.get("hidden").join("\0")) {
      this.model.set("hidden", ours);
      this.model.save_changes();
    }
    this.changed("style");
  }

  // ---- colours, and the entries of their legend: domains are hidden everywhere, clusters here

  get byCluster() {
    return this.legend.kind === "category";
  }

  recolor() {
    this.legend = this.model.get("legend");
    this.off = new Set();
    this.only = null;
    const values = bytesOf(this.model.get("values"));
    for (let i = 0; i < this.n; i++) this.vertices[8 * i + 6] = values.length ? values[i] : 0;
    this.changed("colors");
  }

  /** Opacity of the points with a value, 0 to 255; value 0 is none. @param {number} value */
  shadeOf(value) {
    if (this.off.has(value - 1)) return 0;
    return this.only !== null && this.only !== value - 1 ? 25 : 255;
  }

  get entries() {
    return this.byCluster ? this.legend.names.length : this.domains.length;
  }

  get hiddenEntries() {
    if (this.byCluster) return new Set(this.off);
    return new Set([...this.domains.keys()].filter((k) => this.hidden.has(this.domains[k])));
  }

  /** @param {number} k */
  toggleEntry(k) {
    const hidden = this.hiddenEntries;
    this.before = [...hidden];
    if (!hidden.delete(k)) hidden.add(k);
    this.hideEntries(hidden);
  }

  /** Only this one; again: all. @param {number} k */
  isolateEntry(k) {
    // The first click of a double click has toggled the entry.
    const before = new Set(this.before ?? this.hiddenEntries);
    this.before = null;
    const alone = before.size === this.entries - 1 && !before.has(k);
    const others = [...Array(this.entries).keys()].filter((each) => each !== k);
    this.hideEntries(new Set(alone ? [] : others));
  }

  /** @param {Set<number>} entries */
  hideEntries(entries) {
    if (this.byCluster) {
      this.off = entries;
      this.changed("shade");
      return;
    }
    const elsewhere = [...this.hidden].filter((name) => !this.domains.includes(name));
    const here = this.domains.filter((_, k) => entries.has(k));
    this.channel.emit("hidden", { domains: [...elsewhere, ...here] });
  }

  /** @param {number|null} k */
  hoverEntry(k) {
    if (!this.byCluster) {
      this.channel.emit("hover", { domain: k === null ? null : this.domains[k] });
      return;
    }
    this.only = k;
    this.changed("shade");
  }

  // ---- view

  get zoomed() {
    return this.view.scale / this.size.fitted;
  }

  /** The same part of the map in another size. @param {number} width @param {number} height @param {number} ratio */
  resize(width, height, ratio) {
    const whole = fitView(this.bounds, width, height);
    const first = !this.size.width;
    const zoomed = this.zoomed;
    const [u, v] = fromScreen(this.view, this.size.width / 2, this.size.height / 2);
    this.size = { width, height, ratio, fitted: whole.scale };
    this.view = whole;
    if (!first && Math.abs(zoomed - 1) > 1e-6) {
      const scale = zoomed * whole.scale;
      this.view = { scale, x: width / 2 - u * scale, y: height / 2 + v * scale };
    }
    this.changed("view");
  }

  fit() {
    this.view = fitView(this.bounds, this.size.width, this.size.height);
    this.changed("view");
  }

  /** @param {number} factor @param {number} [x] @param {number} [y] */
  zoom(factor, x = this.size.width / 2, y = this.size.height / 2) {
    this.leave();
    this.view = zoomAt(this.view, factor, x, y, this.size.fitted);
    this.changed("view");
    this.changed("motion");
  }

  /** @param {number} dx @param {number} dy */
  pan(dx, dy) {
    this.view = { ...this.view, x: this.view.x + dx, y: this.view.y + dy };
    this.changed("motion");
  }

  /** @param {number} i @returns {Pixel} */
  pixelOf(i) {
    const [x, y] = toScreen(this.view, this.units[4 * i], this.units[4 * i + 1]);
    return [x, y];
  }

  // ---- the pointer: what lies under it, what it encloses

  /** @param {string} name */
  setTool(name) {
    this.tool = name;
    this.changed("tool");
  }

  /** @param {number} i */
  domainOf(i) {
    return this.units[4 * i + 2];
  }

  /** Whether a point is drawn: not hidden, and with weight. @param {number} i */
  isSeen(i) {
    const k = this.domainOf(i);
    const hidden = this.hidden.has(this.domains[k]) || this.off.has(this.vertices[8 * i + 6] - 1);
    return !hidden && this.emphasis[k] > 0;
  }

  /**
   * The point nearest to a pixel, -1 where there is none, and how many lie in its place.
   * @param {number} x @param {number} y
   */
  pick(x, y) {
    this.grid ??= pickGrid(this.units, this.n);
    const seen = (/** @type {number} */ i) => this.isSeen(i);
    const [u, v] = fromScreen(this.view, x, y);
    const { point } = nearest(this.grid, u, v, REACH / this.view.scale, seen);
    this.setRing(point);
    if (point < 0) return { point, count: 0 };
    const [left, up] = [this.units[4 * point], this.units[4 * point + 1]];
    return {
      point,
      count: nearest(this.grid, left, up, SAME_PLACE / this.view.scale, seen).count,
    };
  }

  leave() {
    this.setRing(-1);
  }

  /** @param {number} point */
  setRing(point) {
    if (point === this.ring) return;
    this.ring = point;
    this.changed("overlay");
  }

  /** @param {Pixel[]} points */
  setOutline(points) {
    this.outline = points;
    this.changed("overlay");
  }

  /** @param {Pixel[]} points @param {"replace"|"add"|"subtract"} how */
  select(points, how) {
    const width = Math.ceil(this.size.width);
    const height = Math.ceil(this.size.height);
    const mask = outlineMask(points, width, height);
    const seen = (/** @type {number} */ i) => this.isSeen(i);
    const inside = pointsInside(this.units, this.n, mask, width, height, this.view, seen);
    this.choose(combineBits(this.bits, inside, how));
  }

  // ---- selection

  clearSelection() {
    this.choose(new Uint8Array(0));
  }

  /** Select, and send it to the kernel. @param {Uint8Array} bits */
  choose(bits) {
    const sent = countBits(bits) ? bits : new Uint8Array(0);
    this.awaited = true;
    this.showSelection(sent);
    this.model.set("selection_bits", new DataView(sent.slice().buffer));
    this.model.save_changes();
  }

  /** @param {Uint8Array} bits */
  showSelection(bits) {
    this.bits = bits;
    this.selected = countBits(bits);
    for (let i = 0; i < this.n; i++)
      this.vertices[8 * i + 7] = bits.length ? (bits[i >> 3] >> (i & 7)) & 1 : 0;
    this.changed("selection");
  }

  /** The kernel's sum of the tokens selected arrived. */
  takeSummary() {
    this.awaited = false;
    this.changed("summary");
  }

  /** Share of the tokens that are selected, null until the kernel has answered. @returns {number|null} */
  get selectedShare() {
    const { selected, share } = this.model.get("summary");
    const known = !this.awaited && selected === this.selected && typeof share === "number";
    return known ? share : null;
  }

  /** Take back what was done last: the selection, then the focus. */
  escape() {
    if (this.selected) this.clearSelection();
    else if (this.focus !== null) this.channel.emit("focus", { domain: null });
  }
}

/** @param {DataView} view */
export function bytesOf(view) {
  return new Uint8Array(view.buffer, view.byteOffset, view.byteLength);
}

/** Eight bytes a point for the renderer, from the six that the kernel sent. @param {Uint8Array} places */
function interleavePoints(places) {
  const n = places.length / 6;
  const vertices = new Uint8Array(8 * n);
  const units = new Uint16Array(vertices.buffer);
  const given = new Uint16Array(places.slice().buffer);
  for (let i = 0; i < n; i++) for (let c = 0; c < 3; c++) units[4 * i + c] = given[3 * i + c];
  return { vertices, units, n };
}
