// The module of every widget: it passes on to the one that the model refers to, which a page loads once.
// A browser keeps each module that it loaded until the page goes: with one a widget, a cell that is run again leaves megabytes.

/** @returns {Map<string, Promise<any>>} text of a module to what it exports */
function loadedModules() {
  const key = Symbol.for("reweightviz.modules");
  const page = /** @type {any} */ (globalThis);
  return (page[key] ??= new Map());
}

/** @param {string} text */
function loadModule(text) {
  const loaded = loadedModules();
  if (!loaded.has(text)) {
    const url = URL.createObjectURL(new Blob([text], { type: "text/javascript" }));
    const loading = import(url)
      .then((module) => module.default)
      .finally(() => URL.revokeObjectURL(url));
    loaded.set(text, loading);
  }
  return /** @type {Promise<any>} */ (loaded.get(text));
}

const PATIENCE = 100; // tries
const BETWEEN = 100; // ms
const WAIT = 1800; // ms

/** @param {number} ms */
const pause = (ms) => new Promise((go) => setTimeout(go, ms));

/** The text that a model refers to; a notebook that opens makes its models in any order. @param {any} model */
async function moduleText(model) {
  const id = model.get("_module").replace("IPY_MODEL_", "");
  for (let tries = 0; ; tries++) {
    try {
      return (await model.widget_manager.get_model(id)).get("text");
    } catch (problem) {
      if (tries === PATIENCE) throw problem;
      await pause(BETWEEN);
    }
  }
}

/**
 * A widget as anywidget takes it, one a model. What a view listens to on the model of `initialize`, as plotly's do, ends
 * with the view: a view that is gone would throw, and keep those that are there from their news.
 */
function sharedWidget() {
  /** @type {Promise<any> | null} */ let opened = null;
  /** @type {[string, any][] | null} */ let heard = null;
  /** @type {any} */ let first = null;

  const watched = () => ({
    get: (/** @type {string} */ name) => first.get(name),
    set: (/** @type {string} */ name, /** @type {any} */ value) => first.set(name, value),
    save_changes: () => first.save_changes(),
    send: (/** @type {any[]} */ ...message) => first.send(...message),
    off: (/** @type {any[]} */ ...listened) => first.off(...listened),
    on(/** @type {string} */ name, /** @type {any} */ listener) {
      heard?.push([name, listener]);
      first.on(name, listener);
    },
  });

  async function openWidget(/** @type {any} */ given) {
    const shared = await loadModule(await moduleText(given.model));
    const widget = typeof shared === "function" ? await shared() : shared;
    first = given.model;
    await widget.initialize?.({ ...given, model: watched() });
    return widget;
  }

  const open = (/** @type {any} */ given) => (opened ??= openWidget(given));

  return {
    /** The model takes no news before it is ready; anywidget gives one up that is not in two seconds. @param {any} given */
    async initialize(given) {
      const opening = open(given).catch(() => {}); // render says it
      await Promise.race([opening, pause(WAIT)]);
    },

    /** @param {any} given */
    async render(given) {
      const widget = await open(given);
      if (given.signal?.aborted) return undefined;
      const mine = (heard = /** @type {[string, any][]} */ ([]));
      const closing = widget.render(given);
      heard = null;
      const close = await closing;
      return () => {
        for (const [name, listener] of mine) first.off(name, listener);
        close?.();
      };
    },
  };
}

export default sharedWidget;
