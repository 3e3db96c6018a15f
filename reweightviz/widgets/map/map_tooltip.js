// The note beside the cursor: domain and scores at once, the text when the kernel has sent it.

import { colorText, element } from "../common/elements.js";
import { numberText } from "./map_legend.js";

const DWELL = 70;
const REMEMBERED = 500;

/** @param {import("./map.js").Stage} stage @param {import("./map_store.js").MapStore} store */
export function tooltipPart(stage, store) {
  const note = mapTooltip(store.model, stage.node);
  const off = store.on("overlay", () => store.ring < 0 && note.hide());
  return {
    paint() {},
    /** @param {number} x @param {number} y */
    hover(x, y) {
      const { point, count } = store.pick(x, y);
      if (point < 0) return;
      const k = store.domainOf(point);
      note.show({
        point,
        x,
        y,
        name: store.domains[k],
        color: store.palette[k],
        detail: valueOf(store, point),
        more: count - 1,
      });
    },
    dispose() {
      off();
      note.dispose();
    },
  };
}

/** What the page knows of a document without the kernel. @param {import("./map_store.js").MapStore} store @param {number} i @returns {Record<string, string>} */
function valueOf({ legend, vertices }, i) {
  const { kind, title, names, low, high } = legend;
  const value = vertices[8 * i + 6];
  if (kind === "category") return { cluster: names[value - 1] ?? "–" };
  if (kind !== "number") return {};
  // Values are sent in 255 steps.
  return { [title]: value ? `≈ ${numberText(low + ((value - 1) / 254) * (high - low))}` : "–" };
}

/** @param {any} model @param {HTMLElement} stage */
function mapTooltip(model, stage) {
  const node = element("div", {
    class: "rv-map-tip",
    "data-rv": "tooltip",
    role: "status",
    hidden: "",
  });
  /** @type {Map<number, any>} */ const answers = new Map();
  /** @type {any} */ let shown = null;
  let timer = 0;
  stage.append(node);

  /** @param {any} reply */
  function receive(reply) {
    if (reply?.type !== "hover") return;
    if (!reply.error) answers.set(reply.id, reply);
    if (answers.size > REMEMBERED) answers.delete(answers.keys().next().value ?? -1);
    if (shown?.point === reply.id) fill(reply);
  }
  model.on("msg:custom", receive);

  /** @param {any} [reply] */
  function fill(reply) {
    const { name, color, detail, more } = shown;
    const scores = reply?.scores ?? detail;
    const text = reply?.error ?? reply?.text;
    node.replaceChildren(
      element(
        "div",
        { class: "rv-map-tip-head" },
        element("i", { style: `background:${colorText(color)}` }),
        element("b", {}, name),
        element("span", {}, reply?.name ?? ""),
      ),
      ...(text
        ? [element("div", { class: reply.error ? "rv-map-tip-error" : "rv-map-tip-text" }, text)]
        : []),
      element(
        "dl",
        {},
        ...Object.entries(scores).flatMap(([key, value]) => [
          element("dt", {}, key),
          element("dd", {}, typeof value === "string" ? value : numberText(value ?? NaN)),
        ]),
      ),
      ...(more > 0
        ? [
            element(
              "div",
              { class: "rv-map-tip-more" },
              `and ${more.toLocaleString("en-US")} more here`,
            ),
          ]
        : []),
    );
    move();
  }

  function move() {
    const { x, y } = shown;
    const { offsetWidth: width, offsetHeight: height } = node;
    const left = x + 14 + width > stage.clientWidth ? x - 14 - width : x + 14;
    node.style.transform = `translate(${Math.max(left, 2)}px, ${Math.max(Math.min(y + 12, stage.clientHeight - height - 2), 2)}px)`;
  }

  function ask() {
    const { point } = shown;
    try {
      model.send({ id: point, type: "hover", point });
    } catch {
      // No kernel behind this page: domain and value stay.
    }
  }

  return {
    /** @param {{point: number, x: number, y: number, name: string, color: string, detail: Record<string, any>, more: number}} document */
    show(document) {
      const again = shown?.point === document.point;
      shown = document;
      if (again) return move();
      node.hidden = false;
      clearTimeout(timer);
      fill(answers.get(document.point));
      if (!answers.has(document.point)) timer = setTimeout(ask, DWELL);
    },
    hide() {
      clearTimeout(timer);
      shown = null;
      node.hidden = true;
    },
    dispose() {
      clearTimeout(timer);
      model.off("msg:custom", receive);
    },
  };
}
