// How the followed runs stand: a dot and a few words for each, which the page keeps up to date by itself.
import { element, say } from "../common/elements.js";

const UNITS = /** @type {[string, number][]} */ ([
  ["d", 86400],
  ["h", 3600],
  ["min", 60],
]);

/** @param {number} seconds */
export function ago(seconds) {
  const [unit, each] = UNITS.find(([, size]) => seconds >= size) ?? ["s", 1];
  return `${Math.round(Math.max(seconds, 0) / each)} ${unit}`;
}

/**
 * @param {{state: string, step: number|null, heard: number|null, quiet: number, usual?: number|null, file: string}} run
 * @param {boolean} paused @param {number} now in seconds @returns {[string, string]} the kind of dot, and the words
 */
export function standing(run, paused, now) {
  const at = run.step === null ? "no step yet" : `step ${run.step.toLocaleString("en-US")}`;
  const age = run.heard === null ? Infinity : now - run.heard;
  if (run.state === "ended") return ["ended", `ended · ${at}`];
  if (paused) return ["paused", `paused · ${at}`];
  if (run.state === "gone")
    return run.step === null
      ? ["quiet", `waiting for ${run.file}`]
      : ["gone", `gone: ${run.file} is not there any more · ${at}`];
  if (age <= run.quiet) return ["live", `live · ${at} · ${ago(age)} ago`];
  const late = `no news for ${ago(age)}`;
  const words = run.usual == null ? late : `late: ${late}, usually every ${ago(run.usual)}`;
  return ["quiet", `${words} · ${at}`];
}

/** @param {{model: any, el: HTMLElement}} given */
function render({ model, el }) {
  const root = element("div", { class: "rv-live", "data-rv": "live", role: "status" });
  el.append(root);
  const toggle = () => {
    model.set("paused", !model.get("paused"));
    model.save_changes();
  };
  const several = () => model.get("runs").length > 1;

  function rebuild() {
    root.replaceChildren(
      ...model
        .get("runs")
        .map(() =>
          element(
            "button",
            { type: "button", onclick: toggle },
            element("i", { "aria-hidden": "true" }),
            element("span"),
          ),
        ),
    );
    tick();
  }

  function tick() {
    const [runs, paused] = [model.get("runs"), model.get("paused")];
    if (root.children.length !== runs.length) return rebuild();
    runs.forEach((/** @type {any} */ run, /** @type {number} */ i) => {
      const node = root.children[i];
      const [state, words] = standing(run, paused, Date.now() / 1000);
      node.dataset.state = run.problem ? "problem" : state;
      say(node.lastChild, several() ? `${run.name}: ${words}` : words);
      const does =
        state === "ended" ? run.file : `${run.file}; click to ${paused ? "go on" : "pause"}`;
      say(node, node.textContent, run.problem || does);
    });
  }

  const count = (/** @type {number} */ by) => {
    model.set("seen", model.get("seen") + by);
    model.save_changes();
  };
  const clock = setInterval(tick, 1000);
  model.on("change:runs change:paused", tick);
  tick();
  count(1);
  return () => {
    clearInterval(clock);
    model.off("change:runs change:paused", tick);
    count(-1);
  };
}

export default { render };
