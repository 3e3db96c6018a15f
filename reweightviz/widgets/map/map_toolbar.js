// The map's toolbar: tools, zoom, how many are selected, what colours the points.

import { element, lineIcon, say } from "../common/elements.js";
import { shareText } from "./map_legend.js";

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
const LENS = "M7 2.5a4.5 4.5 0 1 0 .01 0M10.3 10.3 14 14";
const FRAME = "M2 5.5V2h3.5M14 5.5V2h-3.5M2 10.5V14h3.5M14 10.5V14h-3.5";
const CROSS = "M3.5 3.5l9 9M12.5 3.5l-9 9";

/** @param {import("./map.js").Stage} stage @param {import("./map_store.js").MapStore} store */
export function toolbarPart(stage, store) {
  const { model } = store;
  const tools = TOOLS.map(([name, title, path]) =>
    toolButton(name, title, path, () => store.setTool(name)),
  );
  const status = element("span", {
    class: "rv-map-status",
    "data-rv": "map-status",
    role: "status",
  });
  const clear = toolButton("clear", "Clear the selection (Escape)", CROSS, () =>
    store.clearSelection(),
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
  stage.tools.append(
    ...tools,
    element("hr"),
    toolButton("zoom-in", "Zoom in (+)", `${LENS}M7 5v4M5 7h4`, () => store.zoom(1.5)),
    toolButton("zoom-out", "Zoom out (−)", `${LENS}M5 7h4`, () => store.zoom(1 / 1.5)),
    toolButton("fit", "Whole map (0)", FRAME, () => store.fit()),
    status,
    clear,
    element("label", { class: "rv-map-by" }, "colour ", colorBy),
  );

  function showTool() {
    for (const button of tools)
      button.setAttribute("aria-pressed", String(button.dataset.tool === store.tool));
    stage.canvas.style.cursor = store.tool === "pan" ? "grab" : "crosshair";
  }

  function showColors() {
    const names = /** @type {string[]} */ (model.get("color_options"));
    const notes = /** @type {Record<string, string>} */ (model.get("color_notes"));
    colorBy.replaceChildren(
      ...names.map((name) => {
        // The strongest evidence stands first; the others show on hover.
        const first = notes[name]?.split(", ")[0];
        return element("option", { value: name }, first ? `${name} · ${first}` : name);
      }),
    );
    colorBy.value = model.get("color_by");
    colorBy.title = notes[colorBy.value] ?? "Colour by";
  }

  function showSelection() {
    const text = selectionText(store);
    say(status, text, text);
    clear.hidden = !store.selected;
  }

  const offs = [
    store.on("tool", showTool),
    store.on("colors", showColors),
    store.on("selection", showSelection),
    store.on("summary", showSelection),
  ];
  return {
    paint() {},
    dispose() {
      for (const off of offs) off();
    },
  };
}

/** How many documents are selected, of how many. @param {import("./map_store.js").MapStore} store */
function selectionText(store) {
  if (!store.selected) return `${count(store.n)} documents`;
  const share = store.selectedShare;
  const tokens = share === null ? "" : ` · ${shareText(share)} of tokens`;
  return `${count(store.selected)} of ${count(store.n)} selected${tokens}`;
}

/** @param {string} name @param {string} title @param {string} path @param {() => void} act */
function toolButton(name, title, path, act) {
  const given = { type: "button", class: "rv-map-tool", "data-tool": name };
  return element("button", { ...given, title, "aria-label": title, onclick: act }, lineIcon(path));
}

/** @param {number} n */
export function count(n) {
  return n.toLocaleString("en-US");
}
