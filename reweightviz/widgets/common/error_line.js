// The line that shows a widget's `error`, a sentence from Python, until it is dismissed.

import { element, say } from "./elements.js";

/** @param {any} model @param {string} style  the line's class @returns {{node: HTMLElement, dispose(): void}} */
export function errorLine(model, style) {
  const sentence = element("span");
  const dismiss = () => {
    model.set("error", "");
    model.save_changes();
  };
  const node = element(
    "div",
    { class: style, "data-rv": "error", role: "alert" },
    sentence,
    element(
      "button",
      { type: "button", "aria-label": "Dismiss", title: "Dismiss", onclick: dismiss },
      "×",
    ),
  );
  const show = () => {
    say(sentence, model.get("error"));
    node.hidden = !model.get("error");
  };
  model.on("change:error", show);
  show();
  return { node, dispose: () => model.off("change:error", show) };
}
