// Building DOM: text is always text, never HTML.

/**
 * An element; `on...` entries are listeners, the others attributes (null leaves one out).
 * @param {string} tag @param {Record<string, any>} [given] @param {...(Node|string)} children
 * @returns {any}
 */
export function element(tag, given = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(given)) {
    if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
    else if (value !== null && value !== undefined) node.setAttribute(name, value);
  }
  node.append(...children);
  return node;
}

/** @param {string} tag @param {Record<string, any>} given @param {...Node} children @returns {any} */
export function drawing(tag, given, ...children) {
  const node = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [name, value] of Object.entries(given)) node.setAttribute(name, value);
  node.append(...children);
  return node;
}

/** A 16 x 16 line icon. @param {string} path */
export function lineIcon(path) {
  return drawing(
    "svg",
    { viewBox: "0 0 16 16", width: 14, height: 14, "aria-hidden": "true", class: "rv-icon" },
    drawing("path", { d: path }),
  );
}

/** Write only what differs: a frame touches few nodes. @param {any} node @param {string} text @param {string} [title] */
export function say(node, text, title) {
  if (node.textContent !== text) node.textContent = text;
  if (title !== undefined && node.title !== title) node.title = title;
}

/** A colour as a style takes it, and nothing else: what follows a semicolon, or an address, is none. @param {string} text */
export function colorText(text) {
  return CSS.supports("color", text) ? text : "currentColor";
}
