// The page's own wire: widgets with the same link id meet here, without the kernel.
// Each anywidget is a module of its own, so the one shared thing is a registry on globalThis.

/** @returns {Map<string, {target: EventTarget, last: Map<string, any>}>} */
function busRegistry() {
  const key = Symbol.for("reweightviz.bus");
  const page = /** @type {any} */ (globalThis);
  return (page[key] ??= new Map());
}

/**
 * Join the channel `link`. A channel remembers the last detail of every kind, so a widget
 * that is drawn later starts where the others are.
 * @param {string} link
 */
export function join(link) {
  const registry = busRegistry();
  if (!registry.has(link)) registry.set(link, { target: new EventTarget(), last: new Map() });
  const { target, last } = /** @type {{target: EventTarget, last: Map<string, any>}} */ (
    registry.get(link)
  );
  return {
    /** @param {string} kind @param {any} detail */
    emit(kind, detail) {
      last.set(kind, detail);
      target.dispatchEvent(new CustomEvent(kind, { detail }));
    },
    /** @param {string} kind @param {(detail: any) => void} listener @returns {() => void} */
    on(kind, listener) {
      const handler = (/** @type {Event} */ event) =>
        listener(/** @type {CustomEvent} */ (event).detail);
      target.addEventListener(kind, handler);
      if (last.has(kind)) listener(last.get(kind));
      return () => target.removeEventListener(kind, handler);
    },
    /** @param {string} kind */
    last(kind) {
      return last.get(kind);
    },
  };
}
