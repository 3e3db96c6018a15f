// The panel of predicted losses beside the editor's rows.

import { colorText, drawing, element, say } from "../common/elements.js";
import { signedText } from "../common/format.js";
import { contrastMixtures, lawProblem, readLaw, splitNote } from "./law.js";

const GLYPH = { width: 76, height: 18 };
const WORDS = {
  unknown: "no interval: noise unknown",
  noise: "within the noise",
  better: "better than the reference",
  worse: "worse than the reference",
};
const PATIENCE = 10_000;

/**
 * @param {any} model @param {{hover(domain: string|null): void}} actions
 * @returns {{node: HTMLElement, load(): void, show(weights: number[], settled: boolean, warnings: string[]): void, dispose(): void}}
 */
export function predictionPanel(model, actions) {
  const node = element("section", {
    class: "rv-law",
    "data-rv": "law",
    "aria-label": "Predicted losses",
  });
  const doubts = element("div", {
    class: "rv-note rv-doubts",
    "data-rv": "law-warnings",
    role: "note",
    hidden: "",
  });
  /** @type {any} */ let header = {};
  /** @type {any} */ let form = null;
  /** @type {any} */ let answer = null;
  let lines = [];
  let limit = 0;
  const kernel = kernelPredictor(model, (reply) => {
    for (const part of [reply.now, reply.change]) {
      for (const each of [...part.targets, part.mean]) {
        each.low ??= NaN;
        each.high ??= NaN;
      }
    }
    answer = reply;
    draw(true);
  });

  function load() {
    header = model.get("law_header") ?? {};
    [form, answer, lines, limit] = [null, null, [], 0];
    kernel.forget();
    node.replaceChildren();
    node.hidden = !header.kind;
    if (!header.kind) return;
    let problem = lawProblem(header, model.get("domains"));
    try {
      if (!problem && header.kind !== "kernel")
        form = readLaw(header, model.get("law_data"), model.get("domains"));
    } catch (error) {
      problem = String(/** @type {Error} */ (error).message);
    }
    if (problem) node.append(element("p", { class: "rv-note", "data-rv": "law-problem" }, problem));
    else build();
  }

  function build() {
    const level = Math.round(100 * model.get("level"));
    const head = element(
      "div",
      { class: "rv-line rv-line-head" },
      element("span", {}, "predicted loss"),
      element("span", { class: "rv-num" }, "value"),
      element("span", { class: "rv-mid", title: barTitle(level) }, `${level} % interval`),
      element("span", { class: "rv-num", title: changeTitle(level) }, "change"),
    );
    const sameWay = new Set(header.lower_is_better).size <= 1;
    lines = header.targets.map((name, m) => targetLine(name, header.lower_is_better[m], false));
    if (sameWay && lines.length > 1)
      lines.push(targetLine("mean", header.lower_is_better[0], true));
    const ordered =
      lines.length > header.targets.length
        ? [lines[lines.length - 1], ...lines.slice(0, -1)]
        : lines;
    const split = splitNote(header, model.get("domains"));
    node.append(head, ...ordered.map((line) => line.node), doubts);
    if (split)
      node.append(
        element("p", { class: "rv-note rv-short", "data-rv": "law-split", title: split }, split),
      );
  }

  function targetLine(name, lowerIsBetter, isMean) {
    const bar = drawing("line", { y1: 9, y2: 9, class: "rv-range" });
    const dot = drawing("circle", { cy: 9, r: 3, class: "rv-dot" });
    const tick = drawing("line", {
      x1: GLYPH.width / 2,
      x2: GLYPH.width / 2,
      y1: 0,
      y2: 18,
      class: "rv-origin",
    });
    const parts = {
      value: element("span", { class: "rv-num" }),
      change: element("span", { class: "rv-num", "data-rv": "target-delta" }),
      bar,
      dot,
    };
    const place = model.get("domains").indexOf(name);
    const swatch = element("i", {
      class: "rv-swatch",
      style: place >= 0 && !isMean ? `background:${colorText(model.get("colors")[place])}` : null,
    });
    const line = element(
      "div",
      {
        class: `rv-line${isMean ? " rv-mean" : ""}`,
        "data-rv": isMean ? "target-mean" : "target",
        "data-target": isMean ? null : name,
        onpointerenter: () => place >= 0 && actions.hover(name),
        onpointerleave: () => place >= 0 && actions.hover(null),
      },
      element(
        "span",
        { class: "rv-target", title: name + (lowerIsBetter ? "" : " (higher is better)") },
        swatch,
        element("span", { class: "rv-text" }, name),
      ),
      parts.value,
      drawing("svg", { ...GLYPH, class: "rv-glyph", "aria-hidden": "true" }, tick, bar, dot),
      parts.change,
    );
    return { node: line, ...parts };
  }

  /** @param {number[]} weights @param {boolean} settled @param {string[]} warnings  of the proposal that these weights are */
  function show(weights, settled, warnings) {
    if (!lines.length) return;
    doubts.hidden = !warnings.length;
    if (doubts.textContent !== warnings.join(""))
      doubts.replaceChildren(...warnings.map((sentence) => element("p", {}, sentence)));
    const reference = model.get("reference");
    if (header.kind === "kernel") {
      node.classList.toggle("rv-stale", kernel.ask(weights, reference));
      return;
    }
    answer = contrastMixtures(form, weights, reference, model.get("level"));
    draw(settled);
  }

  function draw(settled) {
    if (!answer || !lines.length) return;
    const { now, before, change } = answer;
    const all = [...now.targets, now.mean];
    const start = [...before.targets, before.mean];
    const changes = [...change.targets, change.mean];
    const wanted = axisLimit(all.slice(0, lines.length), start);
    limit = settled ? wanted : Math.max(limit, wanted);
    lines.forEach((line, m) => drawLine(line, all[m], start[m].value, changes[m]));
    node.classList.toggle("rv-stale", header.kind === "kernel" && kernel.waiting());
  }

  function drawLine(line, estimated, before, contrast) {
    const { change, verdict } = contrast;
    const at = (/** @type {number} */ x) =>
      (GLYPH.width / 2) * (1 + Math.max(-1.05, Math.min(1.05, (x - before) / limit)));
    const known = Number.isFinite(estimated.low) && Number.isFinite(estimated.high);
    line.bar.setAttribute("x1", at(known ? estimated.low : estimated.value));
    line.bar.setAttribute("x2", at(known ? estimated.high : estimated.value));
    line.dot.setAttribute("cx", at(estimated.value));
    if (line.node.dataset.verdict !== verdict) line.node.dataset.verdict = verdict;
    Object.assign(line.node.dataset, {
      value: estimated.value,
      low: estimated.low,
      high: estimated.high,
      change,
    });
    say(line.value, estimated.value.toFixed(3));
    const words = [WORDS[verdict]];
    if (verdict !== "unknown") {
      words.push(`change ${signedText(contrast.low, 3)} to ${signedText(contrast.high, 3)}`);
    }
    if (known) words.push(`one run ${estimated.low.toFixed(3)} to ${estimated.high.toFixed(3)}`);
    say(line.change, signedText(change, 3), words.join("; "));
  }

  return { node, load, show, dispose: () => kernel.dispose() };
}

/** @param {number} level in per cent */
function barTitle(level) {
  return `Bar: where one new run would land, ${level} %. Centre line: the reference mixture.`;
}

/** @param {number} level in per cent */
function changeTitle(level) {
  return (
    "Change of the expected loss against the reference mixture; grey where its " +
    `${level} % interval holds 0. One run each may not show a small change.`
  );
}

/** Half the width of the shared axis, in loss units: every change fits, typical intervals too; a very wide one may run off. */
function axisLimit(now, before) {
  const changes = now.map((one, m) => Math.abs(one.value - before[m].value));
  const reach = now.map((one, m) =>
    Math.max(Math.abs(one.low - before[m].value), Math.abs(one.high - before[m].value)),
  );
  const known = reach.filter(Number.isFinite).sort((a, b) => a - b);
  const typical = known.length ? known[Math.floor(0.75 * (known.length - 1))] : 0;
  return 1.15 * Math.max(...changes, 1.3 * typical, 1e-6);
}

/** A law without coefficients answers from the kernel: one question at a time, the latest one next. */
function kernelPredictor(model, receive) {
  const name = Math.random().toString(36).slice(2);
  let [count, asked, next] = [0, 0, /** @type {any} */ (null)];
  let last = "";

  function post() {
    [asked, count] = [Date.now(), count + 1];
    model.send({ id: `${name}:${count}`, type: "predict", ...next });
    next = null;
  }
  function onMessage(/** @type {any} */ reply) {
    if (reply?.id !== `${name}:${count}`) return;
    asked = 0;
    if (next) post();
    if (!reply.error) receive(reply);
  }
  model.on("msg:custom", onMessage);
  return {
    waiting: () => asked > 0,
    forget: () => {
      last = "";
    },
    /** Returns whether what is shown is not yet the answer. */
    ask(weights, reference) {
      const question = JSON.stringify([weights, reference]);
      if (question !== last) {
        last = question;
        next = { weights, reference };
        if (!asked || Date.now() - asked > PATIENCE) post();
      }
      return asked > 0;
    },
    dispose: () => model.off("msg:custom", onMessage),
  };
}
