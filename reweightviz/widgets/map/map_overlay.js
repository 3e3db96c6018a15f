// What is drawn over the points: names of clusters, the outline under way, a ring around the point under the cursor.

import { toScreen } from "../common/scales.js";
import { dotOf } from "./map_points.js";

/** @param {import("./map.js").Stage} stage @param {import("./map_store.js").MapStore} store */
export function overlayPart(stage, store) {
  const { root, node, over } = stage;
  const pen = /** @type {CanvasRenderingContext2D} */ (over.getContext("2d"));

  function paint() {
    const style = getComputedStyle(root);
    const paper = getComputedStyle(node).backgroundColor;
    const theme = { ink: style.color, paper, font: style.fontFamily };
    const { width, height, ratio } = store.size;
    // Chromium may go on showing the last frame of a canvas that was cleared and left empty.
    over.hidden = !store.byCluster && store.outline.length < 2 && store.ring < 0;
    pen.setTransform(ratio, 0, 0, ratio, 0, 0);
    pen.clearRect(0, 0, width, height);
    if (store.byCluster) drawLabels(pen, clusterLabels(store), width, height, theme);
    drawOutline(pen, store.outline, style.getPropertyValue("--rv-accent"));
    if (store.ring >= 0) drawRing(pen, ...store.pixelOf(store.ring), dotOf(store) / 2 + 3, theme);
  }

  // The ring follows the cursor at once; drawing the points again would take a frame.
  const off = store.on("overlay", paint);
  const themed = new MutationObserver(() => requestAnimationFrame(paint));
  themed.observe(document.body, {
    attributes: true,
    attributeFilter: ["data-jp-theme-light", "data-jp-theme-name", "class"],
  });
  return {
    paint,
    dispose() {
      off();
      themed.disconnect();
    },
  };
}

/** Names of the clusters that are shown, at their places. @param {import("./map_store.js").MapStore} store */
function clusterLabels({ legend, off, only, view }) {
  const labels = [];
  for (const [i, text] of legend.names.entries()) {
    if (off.has(i) || (only !== null && only !== i)) continue;
    const [x, y] = toScreen(view, legend.at[i][0], legend.at[i][1]);
    labels.push({ x, y, text, weight: legend.counts[i] });
  }
  return labels;
}

/** @typedef {{x: number, y: number, text: string, weight: number}} Label */

/** Labels by weight that overlap none before them. @param {Label[]} labels @param {(text: string) => number} measure @param {number} width @param {number} height */
export function placedLabels(labels, measure, width, height) {
  /** @type {(Label & {left: number, right: number})[]} */
  const placed = [];
  for (const label of [...labels].sort((a, b) => b.weight - a.weight)) {
    const half = measure(label.text) / 2 + 5;
    if (label.x < 0 || label.y < 0 || label.x > width || label.y > height) continue;
    const x = Math.min(Math.max(label.x, half), width - half),
      y = Math.min(Math.max(label.y, 10), height - 10);
    const box = { ...label, x, y, left: x - half, right: x + half };
    if (
      placed.every(
        (other) => other.right < box.left || other.left > box.right || Math.abs(other.y - y) > 17,
      )
    )
      placed.push(box);
  }
  return placed;
}

/** @param {CanvasRenderingContext2D} pen @param {Label[]} labels @param {number} width @param {number} height @param {{ink: string, paper: string, font: string}} theme */
export function drawLabels(pen, labels, width, height, theme) {
  pen.font = `600 11px ${theme.font}`;
  pen.textAlign = "center";
  pen.textBaseline = "middle";
  pen.lineJoin = "round";
  const short = labels.map((label) => ({
    ...label,
    text: label.text.length > 34 ? `${label.text.slice(0, 33)}…` : label.text,
  }));
  for (const { x, y, text } of placedLabels(
    short,
    (each) => pen.measureText(each).width,
    width,
    height,
  )) {
    pen.strokeStyle = theme.paper;
    pen.globalAlpha = 0.82;
    pen.lineWidth = 4;
    pen.strokeText(text, x, y);
    pen.globalAlpha = 1;
    pen.fillStyle = theme.ink;
    pen.fillText(text, x, y);
  }
}

/** @param {CanvasRenderingContext2D} pen @param {[number, number][]} outline @param {string} accent */
export function drawOutline(pen, outline, accent) {
  if (outline.length < 2) return;
  pen.beginPath();
  for (const [x, y] of outline) pen.lineTo(x, y);
  pen.closePath();
  pen.globalAlpha = 0.1;
  pen.fillStyle = pen.strokeStyle = accent;
  pen.fill();
  pen.globalAlpha = 1;
  pen.lineWidth = 1.25;
  pen.stroke();
}

/** @param {CanvasRenderingContext2D} pen @param {number} x @param {number} y @param {number} radius @param {{ink: string, paper: string}} theme */
export function drawRing(pen, x, y, radius, theme) {
  for (const [color, width] of /** @type {[string, number][]} */ ([
    [theme.paper, 4],
    [theme.ink, 1.5],
  ])) {
    pen.beginPath();
    pen.arc(x, y, radius, 0, 7);
    pen.strokeStyle = color;
    pen.lineWidth = width;
    pen.stroke();
  }
}
