// The mixture editor: one row a domain. Works without the kernel; the kernel hears of it.

import { join } from "../common/bus.js";
import { colorText, element, lineIcon, say } from "../common/elements.js";
import {
  budgetText,
  epochsText,
  percentText,
  ratioText,
  signedText,
  tokensText,
} from "../common/format.js";
import { MixtureState } from "./mixture_state.js";
import { parsePercent, parseTokens } from "../common/parse.js";
import { predictionPanel } from "./predictions.js";
import {
  axisEnd,
  effectiveDomains,
  passes,
  temperWeights,
  unimaxWeights,
} from "../common/simplex.js";

const ICONS = {
  undo: "M6 3 2.5 6.5 6 10 M2.5 6.5 H10 a3.5 3.5 0 0 1 0 7 H6",
  redo: "M10 3 13.5 6.5 10 10 M13.5 6.5 H6 a3.5 3.5 0 0 0 0 7 H10",
  open: "M4 7.5 h8 v6 h-8 z M6 7.5 V4.5 a2.3 2.3 0 0 1 4.5 -.8",
  shut: "M4 7.5 h8 v6 h-8 z M5.7 7.5 V5 a2.3 2.3 0 0 1 4.6 0 V7.5",
};
const STEPS = {
  ArrowUp: 0.001,
  ArrowRight: 0.001,
  ArrowDown: -0.001,
  ArrowLeft: -0.001,
  PageUp: 0.05,
  PageDown: -0.05,
};
const GRAB = 9;
let editorCount = 0;

/** A draft left by a page that was closed in mid-drag is nobody's. */
function initialize({ model }) {
  if (!model.get("draft")) return;
  model.set("draft", null);
  model.save_changes();
}

function render({ model, el }) {
  const view = new EditorView(model, el);
  return () => view.dispose();
}

export default { initialize, render };

/** What a mixture's source warns of; a source may hold anything. @param {any} source @returns {string[]} */
function warningsIn(source) {
  return Array.isArray(source?.warnings) ? source.warnings.map(String) : [];
}

class EditorView {
  constructor(model, el) {
    this.model = model;
    this.name = `rv-editor-${(editorCount += 1)}`;
    this.channel = join(model.get("link"));
    this.state = new MixtureState(model, () => this.refresh());
    this.order = { by: "given", down: false };
    this.wanted = ""; // the filter's text
    this.emitted = "";
    this.moved = false; // the last thing emitted was a draft of ours
    this.rows = this.heads = /** @type {any[]} */ ([]);
    this.offs = [];
    this.root = element("div", {
      class: "rv-editor",
      "data-rv": "editor",
      role: "group",
      "aria-label": "Mixture editor",
    });
    this.panel = predictionPanel(model, {
      hover: (domain) => this.channel.emit("hover", { domain }),
    });
    this.root.append(this.toolbar(), this.body());
    el.append(this.root);
    this.listen();
    this.rebuild();
    this.panel.load();
    this.paint();
  }

  dispose() {
    this.state.dispose();
    cancelAnimationFrame(this.frame);
    for (const off of this.offs) off();
    if (this.channel.last("weights")?.dragging && this.moved) this.emit(false);
    this.panel.dispose();
    this.root.remove();
  }

  listen() {
    const on = (names, listener) => {
      for (const name of names) {
        this.model.on(`change:${name}`, listener);
        this.offs.push(() => this.model.off(`change:${name}`, listener));
      }
    };
    on(
      [
        "journal",
        "page_steps",
        "draft",
        "budget",
        "max_epochs",
        "locked",
        "reference",
        "reference_name",
        "presets",
        "error",
      ],
      () => this.refresh(),
    );
    on(["domains", "tokens", "colors"], () => {
      this.rebuild();
      this.panel.load();
      this.refresh();
    });
    on(["law_header", "law_data", "level"], () => {
      this.panel.load();
      this.refresh();
    });
    this.offs.push(this.channel.on("hover", ({ domain }) => this.mark("rv-hover", domain)));
    this.offs.push(this.channel.on("focus", ({ domain }) => this.mark("rv-focus", domain)));
  }

  mark(style, domain) {
    for (const row of this.rows) row.node.classList.toggle(style, row.name === domain);
  }

  // ---- weights: what the state's steps change in the view

  /** What a proposal's source warns of, while it is the mixture; locks make it another mixture. @returns {string[]} */
  get warnings() {
    const { source } = this.state;
    return source?.locked ? [] : warningsIn(source);
  }

  commit(weights, source) {
    this.state.commit(weights, source);
    this.arrange();
  }

  finish() {
    this.state.finish();
    this.arrange();
  }

  travel(by) {
    this.state.travel(by);
    this.arrange();
  }

  move(index, value, start) {
    const { weights, note } = this.state.move(index, value, start);
    this.tell(note);
    return weights;
  }

  /** @returns {[number[], any]} */
  take(weights, source) {
    const taken = this.state.take(weights, source);
    this.tell(taken.note);
    return [taken.weights, taken.source];
  }

  // ---- toolbar

  toolbar() {
    const button = (rv, label, icon, act) =>
      element(
        "button",
        {
          type: "button",
          class: "rv-button",
          "data-rv": rv,
          "aria-label": label,
          title: label,
          onclick: act,
        },
        icon,
      );
    this.undoButton = button("undo", "Undo", lineIcon(ICONS.undo), () => this.travel(-1));
    this.redoButton = button("redo", "Redo", lineIcon(ICONS.redo), () => this.travel(1));
    this.budgetInput = element("input", {
      class: "rv-field rv-budget",
      "data-rv": "budget",
      "aria-label": "Token budget",
      placeholder: "2T",
      spellcheck: "false",
      autocomplete: "off",
      title: "Tokens to train on, such as 2T or 300B",
      onchange: () => this.readBudget(),
      onkeydown: (event) => this.fieldKey(event),
    });
    this.menu = element("div", {
      class: "rv-menu",
      popover: "auto",
      role: "group",
      "aria-label": "Presets",
    });
    this.menuButton = element(
      "button",
      {
        type: "button",
        class: "rv-button",
        "data-rv": "preset",
        "aria-haspopup": "true",
        onclick: () => this.openMenu(),
      },
      "Presets ▾",
    );
    this.referenceSelect = element("select", {
      class: "rv-field",
      "data-rv": "reference",
      "aria-label": "Reference mixture",
      onchange: () => this.readReference(),
    });
    this.filterInput = element("input", {
      class: "rv-field rv-filter",
      type: "search",
      "data-rv": "filter",
      placeholder: "filter",
      "aria-label": "Filter domains",
      spellcheck: "false",
      oninput: () => {
        this.wanted = this.filterInput.value.trim().toLowerCase();
        this.arrange();
      },
    });
    this.root.addEventListener("keydown", (event) => this.rootKey(event));
    return element(
      "div",
      { class: "rv-toolbar" },
      element("label", { class: "rv-label" }, "budget", this.budgetInput),
      this.menuButton,
      this.menu,
      element("span", { class: "rv-pair" }, this.undoButton, this.redoButton),
      element("label", { class: "rv-label" }, "against", this.referenceSelect),
      this.filterInput,
    );
  }

  /** Plain keys are ours: a notebook in command mode would move, delete or run cells by them. */
  rootKey(event) {
    const key = event.key.toLowerCase();
    const chord = event.ctrlKey || event.metaKey;
    const undoes = chord && ["z", "y"].includes(key) && !event.target.matches("input");
    if (undoes) {
      this.travel(key === "y" || event.shiftKey ? 1 : -1);
      event.preventDefault();
    }
    if (undoes || !(chord || event.altKey || (key === "enter" && event.shiftKey)))
      event.stopPropagation();
  }

  readBudget() {
    const text = this.budgetInput.value.trim();
    const budget = parseTokens(text);
    if (text && budget === null) {
      this.refuse(
        this.budgetInput,
        `“${text.slice(0, 30)}” is no number of tokens; type for example 2T, 300B or 20M.`,
      );
      this.budgetInput.value = budgetText(this.model.get("budget"));
      return;
    }
    this.tell("");
    this.model.set("budget", budget);
    this.model.save_changes();
  }

  /** The mixtures one can start from or compare with: name -> weights. */
  presets() {
    const tokens = this.model.get("tokens");
    const known = [
      ["natural", temperWeights(tokens, 1), { method: "natural", exponent: 1 }],
      ["uniform", tokens.map(() => 1 / tokens.length), { method: "uniform" }],
    ];
    return [
      ...known,
      ...this.model
        .get("presets")
        .map(({ name, weights, source }) => [name, weights, { ...source, preset: name }]),
    ];
  }

  openMenu() {
    const doubts = (source) => {
      const found = warningsIn(source).length;
      return found ? element("small", {}, `${found} ${found === 1 ? "warning" : "warnings"}`) : "";
    };
    const choose = ([name, weights, source]) =>
      element(
        "button",
        {
          type: "button",
          class: "rv-choice",
          "data-rv": "preset-item",
          "data-preset": name,
          title: [name, ...warningsIn(source)].join("\n"),
          onclick: () => {
            this.menu.hidePopover();
            this.commit(...this.take(weights, source));
          },
        },
        element("span", { class: "rv-text" }, name),
        doubts(source),
      );
    this.menu.replaceChildren(
      ...this.presets().map(choose),
      this.unimaxChoice(),
      this.temperatureChoice(),
    );
    this.menu.showPopover();
    const [anchor, menu] = [
      this.menuButton.getBoundingClientRect(),
      this.menu.getBoundingClientRect(),
    ];
    this.menu.style.left = `${Math.max(4, Math.min(anchor.left, innerWidth - menu.width - 8))}px`;
    this.menu.style.top = `${anchor.bottom + menu.height + 8 < innerHeight ? anchor.bottom + 3 : Math.max(4, anchor.top - menu.height - 3)}px`;
    this.menu.querySelector("button")?.focus();
  }

  unimaxChoice() {
    const [budget, most] = [this.model.get("budget"), this.model.get("max_epochs")];
    return element(
      "button",
      {
        type: "button",
        class: "rv-choice",
        "data-rv": "preset-item",
        "data-preset": "unimax",
        disabled: budget ? null : "",
        title: budget
          ? `As even as at most ${most} epochs of any domain allow`
          : "UniMax needs a budget",
        onclick: () => {
          this.menu.hidePopover();
          this.commit(
            ...this.take(unimaxWeights(this.model.get("tokens"), budget, most), {
              method: "unimax",
              budget,
              max_epochs: most,
            }),
          );
        },
      },
      element("span", { class: "rv-text" }, "UniMax"),
      element("small", {}, budget ? `≤ ${most} epochs` : "needs a budget"),
    );
  }

  temperatureChoice() {
    const figure = element("output", { class: "rv-num" }, this.exponent?.toFixed(2) ?? "0.70");
    const show = (slider) => {
      this.exponent = Number(slider.value);
      say(figure, this.exponent.toFixed(2));
      this.state.preview(
        ...this.take(temperWeights(this.model.get("tokens"), this.exponent), {
          method: "temperature",
          exponent: this.exponent,
        }),
      );
    };
    const slider = element("input", {
      type: "range",
      min: 0,
      max: 1.5,
      step: 0.05,
      value: this.exponent ?? 0.7,
      "data-rv": "temperature",
      "aria-label": "Exponent of the temperature mixture",
      oninput: (event) => show(event.target),
      onchange: () => this.finish(),
      onclick: (event) => {
        show(event.target);
        this.finish();
      },
    });
    return element(
      "label",
      {
        class: "rv-choice rv-temper",
        title: "Weights proportional to tokens to this power: 0 is uniform, 1 natural",
      },
      element("span", { class: "rv-text" }, "tokens ", element("sup", {}, "α")),
      slider,
      figure,
    );
  }

  readReference() {
    const name = this.referenceSelect.value;
    const found = this.presets().find(([preset]) => preset === name);
    const weights = name === "current" ? this.state.weights : found?.[1];
    if (!weights) return;
    this.model.set("reference", [...weights]);
    this.model.set("reference_name", name);
    this.model.save_changes();
  }

  fieldKey(event) {
    if (event.key === "Escape") event.target.value = budgetText(this.model.get("budget"));
  }

  // ---- rows

  body() {
    const head = (by, label, title) =>
      element(
        "button",
        {
          type: "button",
          class: `rv-sort${by === "given" ? "" : " rv-num"}`,
          "data-rv": "sort",
          "data-sort": by,
          title,
          onclick: () => this.sortBy(by),
        },
        label,
      );
    this.heads = [
      head("given", "domain", "Sort in the given order"),
      head("tokens", "tokens", "Tokens available; sort by them"),
      head("weight", "weight %", "Share of training tokens; sort by it"),
    ];
    this.axis = element(
      "span",
      { class: "rv-axis", "aria-hidden": "true" },
      element("span", {}, "0"),
      element("span", {}),
      element("span", {}),
    );
    const header = element(
      "div",
      { class: "rv-row rv-head" },
      element("i"),
      this.heads[0],
      this.heads[1],
      this.axis,
      this.heads[2],
      element(
        "span",
        { class: "rv-num rv-minor", title: "Change against the reference, in percentage points" },
        "± pt",
      ),
      element(
        "span",
        { class: "rv-num rv-ratio", title: "Weight as a multiple of the reference weight" },
        "ratio",
      ),
      element(
        "span",
        { class: "rv-num", title: "Passes over the domain's tokens at this budget" },
        "epochs",
      ),
      element("i"),
    );
    this.list = element("div", { class: "rv-rows" });
    const scroller = element("div", { class: "rv-scroll" }, header, this.list);
    return element(
      "div",
      { class: "rv-body" },
      element("div", { class: "rv-main" }, scroller, this.foot()),
      this.panel.node,
    );
  }

  rebuild() {
    this.rows = this.model.get("domains").map((name, index) => this.row(name, index));
    this.filterInput.hidden = this.rows.length <= 12;
    this.state.gesture = null;
    this.arrange();
  }

  row(name, index) {
    const row = { name, index, typing: false };
    row.fill = element("div", { class: "rv-fill" });
    row.tick = element("div", { class: "rv-tick" });
    row.over = element("div", { class: "rv-over" });
    row.bar = element(
      "div",
      {
        class: "rv-bar",
        "data-rv": "bar",
        role: "slider",
        tabindex: 0,
        "aria-label": `Weight of ${name}`,
        "aria-valuemin": 0,
        "aria-valuemax": 100,
        onpointerdown: (event) => this.grab(row, event),
        onkeydown: (event) => this.barKey(row, event),
        onkeyup: (event) => event.key in STEPS && this.finish(),
        onblur: () => this.state.gesture?.keys && this.finish(),
      },
      element("div", { class: "rv-track" }, row.over, row.fill),
      row.tick,
    );
    row.input = element("input", {
      class: "rv-field rv-num",
      "data-rv": "weight-input",
      "aria-label": `Weight of ${name} in percent`,
      inputmode: "decimal",
      spellcheck: "false",
      autocomplete: "off",
      onfocus: () => row.input.select(),
      oninput: () => {
        row.typing = true;
      },
      onblur: () => this.readWeight(row),
      onkeydown: (event) => this.inputKey(row, event),
      onkeyup: (event) => event.key in STEPS && this.state.gesture?.keys && this.finish(),
    });
    row.lock = element(
      "button",
      {
        type: "button",
        class: "rv-lock",
        "data-rv": "lock",
        "aria-label": `Lock ${name}`,
        onclick: () => this.state.toggleLock(index),
      },
      lineIcon(ICONS.open),
      lineIcon(ICONS.shut),
    );
    for (const part of ["delta", "ratio", "epochs"])
      row[part] = element("span", { class: `rv-num rv-${part}`, "data-rv": part });
    const tokens = this.model.get("tokens")[index];
    row.node = element(
      "div",
      {
        class: "rv-row",
        "data-rv": "row",
        "data-domain": name,
        style: `--rv-colour:${colorText(this.model.get("colors")[index])}`,
        onpointerenter: () => !this.state.gesture && this.channel.emit("hover", { domain: name }),
        onpointerleave: () => !this.state.gesture && this.channel.emit("hover", { domain: null }),
      },
      element("i", { class: "rv-swatch" }),
      element(
        "button",
        {
          type: "button",
          class: "rv-name rv-text",
          "data-rv": "name",
          tabindex: -1,
          title: name,
          onclick: () => this.focusDomain(name),
        },
        name,
      ),
      element(
        "span",
        { class: "rv-num rv-tokens", title: `${tokens.toLocaleString("en")} tokens available` },
        tokensText(tokens),
      ),
      row.bar,
      row.input,
      row.delta,
      row.ratio,
      row.epochs,
      row.lock,
    );
    return row;
  }

  focusDomain(name) {
    this.channel.emit("focus", {
      domain: this.channel.last("focus")?.domain === name ? null : name,
    });
  }

  sortBy(by) {
    this.order = { by, down: this.order.by === by ? !this.order.down : by !== "given" };
    this.arrange();
  }

  /** Order and filter the rows; the focus stays where it was. */
  arrange() {
    const { by, down } = this.order;
    const values = { given: null, tokens: this.model.get("tokens"), weight: this.state.committed }[
      by
    ];
    const rank = (row) => (values ? values[row.index] : row.index);
    const sorted = [...this.rows].sort(
      (a, b) => (down ? -1 : 1) * (rank(a) - rank(b)) || a.index - b.index,
    );
    for (const row of this.rows) row.node.hidden = !row.name.toLowerCase().includes(this.wanted);
    if (
      sorted.some((row, place) => this.list.children[place] !== row.node) ||
      this.list.children.length !== sorted.length
    ) {
      const active = /** @type {any} */ (this.root.getRootNode()).activeElement;
      this.list.replaceChildren(...sorted.map((row) => row.node));
      if (active && this.list.contains(active)) active.focus({ preventScroll: true });
    }
    for (const head of this.heads)
      head.dataset.order = head.dataset.sort === by ? (down ? "down" : "up") : "";
  }

  /** Drag: near the bar's end it is picked up where it is, elsewhere it jumps to the pointer; shift is ten times finer. */
  grab(row, event) {
    if (event.button !== 0) return;
    event.preventDefault();
    row.bar.focus({ preventScroll: true });
    const box = row.bar.getBoundingClientRect();
    const perPixel = this.axisMax / box.width;
    const { start } = this.state.begin();
    const end = box.left + start[row.index] / perPixel;
    let [value, x] = [
      Math.abs(event.clientX - end) <= GRAB
        ? start[row.index]
        : (event.clientX - box.left) * perPixel,
      event.clientX,
    ];
    const source = { method: "by hand", moved: row.name };
    const follow = () =>
      this.state.gesture && this.state.preview(this.move(row.index, value, start), source);
    const onMove = (/** @type {PointerEvent} */ moved) => {
      value += (moved.clientX - x) * perPixel * (moved.shiftKey ? 0.1 : 1);
      x = moved.clientX;
      follow();
    };
    const release = () => {
      row.bar.removeEventListener("pointermove", onMove);
      row.node.classList.remove("rv-dragged");
      if (this.state.gesture) this.finish();
    };
    row.bar.setPointerCapture(event.pointerId);
    row.bar.addEventListener("pointermove", onMove);
    row.bar.addEventListener("lostpointercapture", release, { once: true });
    row.node.classList.add("rv-dragged");
    if (value !== start[row.index]) follow();
  }

  barKey(row, event) {
    const { key } = event;
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (key in STEPS)
      this.nudge(row, STEPS[key] * (event.shiftKey && Math.abs(STEPS[key]) < 0.01 ? 10 : 1));
    else if (key === "Home" || key === "End")
      this.commit(this.move(row.index, key === "End" ? 1 : 0), {
        method: "by hand",
        moved: row.name,
      });
    else if (key === "Escape" && this.state.gesture) this.state.cancel();
    else if (key === "Enter") this.focusDomain(row.name);
    else if (key === "l") this.state.toggleLock(row.index);
    else if (/^[\d.]$/.test(key)) Object.assign(row.input, { value: "" }).focus();
    else return;
    if (!/^[\d.]$/.test(key)) event.preventDefault();
  }

  /** A held key is one entry of the journal: it is committed on release. */
  nudge(row, step) {
    const gesture = this.state.begin();
    gesture.keys ??= { value: gesture.start[row.index] };
    gesture.keys.value = Math.min(Math.max(gesture.keys.value + step, 0), 1);
    this.state.preview(this.move(row.index, gesture.keys.value, gesture.start), {
      method: "by hand",
      moved: row.name,
    });
  }

  inputKey(row, event) {
    const step = /^(Arrow(Up|Down)|Page)/.test(event.key) ? STEPS[event.key] : 0;
    if (step && !row.typing)
      this.nudge(row, step * (event.shiftKey && Math.abs(step) < 0.01 ? 10 : 1));
    if (event.key === "Enter") {
      this.readWeight(row);
      row.input.select();
    }
    if (event.key === "Escape") {
      row.typing = false;
      this.refresh();
      row.input.select();
    }
    if (step) event.preventDefault();
  }

  readWeight(row) {
    if (this.state.gesture?.keys) this.finish();
    if (!row.typing) return;
    row.typing = false;
    const share = parsePercent(row.input.value);
    if (share === null)
      this.refuse(
        row.input,
        `“${row.input.value.slice(0, 30)}” is no percentage between 0 and 100; type for example 12.5.`,
      );
    else this.commit(this.move(row.index, share), { method: "by hand", moved: row.name });
    this.refresh();
  }

  // ---- messages and the footer

  foot() {
    this.facts = element("div", { class: "rv-facts", "data-rv": "facts" });
    this.messageText = element("span", {});
    this.message = element(
      "div",
      { class: "rv-message", "data-rv": "message", role: "status", hidden: "" },
      this.messageText,
      element(
        "button",
        {
          type: "button",
          class: "rv-lock",
          "aria-label": "Dismiss",
          title: "Dismiss",
          onclick: () => this.dismiss(),
        },
        "×",
      ),
    );
    return element("footer", {}, this.facts, this.message);
  }

  tell(text) {
    this.note = text;
    this.refresh();
  }

  dismiss() {
    this.note = "";
    this.model.set("error", "");
    this.model.save_changes();
    this.refresh();
  }

  refuse(node, text) {
    this.tell(text);
    if (!matchMedia("(prefers-reduced-motion: reduce)").matches) {
      node.animate(
        [0, -4, 4, -3, 2, 0].map((x) => ({ transform: `translateX(${x}px)` })),
        { duration: 260 },
      );
    }
  }

  // ---- one frame

  refresh() {
    this.frame ??= requestAnimationFrame(() => this.paint());
  }

  paint() {
    this.frame = null;
    const weights = this.state.weights;
    const [reference, locked, budget, most] = ["reference", "locked", "budget", "max_epochs"].map(
      (name) => this.model.get(name),
    );
    if (!this.state.gesture || !this.axisMax) this.setAxis(axisEnd([...weights, ...reference]));
    const epochs = budget
      ? this.model.get("tokens").map((n, k) => passes(weights[k], n, budget))
      : null;
    for (const row of this.rows)
      this.paintRow(
        row,
        weights[row.index],
        reference[row.index],
        locked[row.index],
        epochs?.[row.index],
        most,
        budget,
      );
    this.paintFrame(weights, epochs, most);
    this.panel.show(weights, !this.state.gesture, this.state.gesture ? [] : this.warnings);
    const others = !this.state.gesture && !this.moved && this.channel.last("weights")?.dragging;
    if (!others) this.emit(Boolean(this.state.gesture?.source));
  }

  emit(dragging) {
    const detail = {
      domains: this.model.get("domains"),
      weights: [...this.state.weights],
      dragging,
    };
    const same = JSON.stringify(detail);
    if (same === this.emitted) return;
    [this.emitted, this.moved] = [same, dragging];
    this.channel.emit("weights", detail);
  }

  setAxis(end) {
    this.axisMax = end;
    const [, middle, last] = this.axis.children;
    say(middle, `${Number((50 * end).toPrecision(3))}`);
    say(last, `${Number((100 * end).toPrecision(3))} %`);
  }

  paintRow(row, weight, before, locked, epochs, most, budget) {
    const share = (/** @type {number} */ w) =>
      `${Math.min(100, (100 * w) / this.axisMax).toFixed(2)}%`;
    const limit = budget ? (most * this.model.get("tokens")[row.index]) / budget : Infinity;
    row.fill.style.width = share(weight);
    row.tick.style.left = share(before);
    row.over.style.left = share(limit);
    row.bar.title = `${percentText(weight)} %, ${this.model.get("reference_name")} ${percentText(before)} %${limit < this.axisMax ? `; on the brown line, from ${percentText(limit)} % on, more than ${most} epochs` : ""}`;
    row.bar.setAttribute("aria-valuenow", (100 * weight).toFixed(3));
    row.bar.setAttribute("aria-valuetext", `${percentText(weight)} percent`);
    row.bar.setAttribute("aria-disabled", String(locked));
    row.input.readOnly = locked;
    if (!row.typing && row.input.value !== percentText(weight))
      row.input.value = percentText(weight);
    row.node.classList.toggle("rv-locked", locked);
    row.lock.setAttribute("aria-pressed", String(locked));
    row.lock.title = locked ? "Locked: keeps its weight" : "Lock this weight";
    const change = 100 * (weight - before);
    const still = Math.abs(change) < 0.005;
    say(
      row.delta,
      still ? "" : signedText(change, Math.abs(change) < 0.1 ? 2 : 1),
      `${signedText(change, 3)} percentage points against ${this.model.get("reference_name")}`,
    );
    say(
      row.ratio,
      still && before > 0 ? "" : ratioText(weight, before),
      `${percentText(before)} % in ${this.model.get("reference_name")}`,
    );
    const over = epochs > most;
    row.node.dataset.weight = weight;
    row.epochs.classList.toggle("rv-warn", over);
    if (epochs === undefined) say(row.epochs, "", "Type a budget to see epochs");
    else
      say(
        row.epochs,
        epochsText(epochs),
        over
          ? `${epochs < Infinity ? Number(epochs.toFixed(2)) : "∞"} epochs, over ${most}`
          : `${epochsText(epochs)} epochs of the tokens available`,
      );
  }

  paintFrame(weights, epochs, most) {
    this.undoButton.disabled = !this.state.canUndo;
    this.redoButton.disabled = !this.state.canRedo;
    const tokens = this.model.get("budget");
    const budget = budgetText(tokens);
    if (/** @type {any} */ (this.root.getRootNode()).activeElement !== this.budgetInput)
      this.budgetInput.value = budget;
    this.paintReferences();
    const over = epochs?.filter((each) => each > most).length ?? 0;
    const worst = epochs?.length ? Math.max(...epochs) : 0;
    const total = 100 * weights.reduce((sum, w) => sum + w, 0);
    const facts = [
      ["sum", `${Number(total.toFixed(6))} %`],
      ["effective domains", effectiveDomains(weights).toFixed(1)],
    ];
    if (epochs)
      facts.push(
        [
          "most epochs",
          `${epochsText(worst)} (${this.rows[epochs.indexOf(worst)].name.slice(0, 24)})`,
        ],
        [`over ${most} epochs`, over ? `${over} ${over === 1 ? "domain" : "domains"}` : "none"],
      );
    const limited = this.model.get("tokens").some((n) => most * n < this.axisMax * tokens);
    const key = JSON.stringify([facts, limited]);
    if (key !== this.factsShown) {
      this.factsShown = key;
      this.facts.replaceChildren(
        ...facts.map(([label, value]) =>
          element(
            "span",
            label.startsWith("over")
              ? {
                  class: `${over ? "rv-warn" : ""} ${limited ? "rv-limit" : ""}`,
                  title: "the brown lines under the bars",
                }
              : {},
            `${label} `,
            element("b", {}, value),
          ),
        ),
      );
    }
    const text = this.model.get("error") || this.note || "";
    say(this.messageText, text);
    this.message.hidden = !text;
    this.message.classList.toggle("rv-error", Boolean(this.model.get("error")));
  }

  paintReferences() {
    const names = [...this.presets().map(([name]) => name), "current"];
    const chosen = this.model.get("reference_name");
    if (!names.includes(chosen)) names.unshift(chosen);
    const key = JSON.stringify(names);
    if (key !== this.referencesShown) {
      this.referencesShown = key;
      this.referenceSelect.replaceChildren(
        ...names.map((name) =>
          element(
            "option",
            { value: name, title: name },
            name === "current" ? "current, as it is now" : name,
          ),
        ),
      );
    }
    if (this.referenceSelect.value !== chosen) this.referenceSelect.value = chosen;
  }
}
