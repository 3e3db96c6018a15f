// The part that draws the points: a texel a domain, a ramp of colours, at most one picture a frame.

import { dotDiameter, neutralOpacity, opacity, sizeFactor } from "../common/scales.js";
import { bytesOf } from "./map_store.js";
import { pointsLayer } from "./points_gl.js";

const SAMPLE = 60_000; // points drawn while something moves: they are in random order
const REST = 140; // ms without motion after which all are drawn

/** Diameter of a neutral point in pixels. @param {import("./map_store.js").MapStore} store */
export function dotOf(store) {
  const { width, height } = store.size;
  const dot = dotDiameter(store.n, width, height) * Math.max(store.zoomed, 0.7) ** 0.45;
  return Math.min(dot, 9);
}

/** @param {import("./map.js").Stage} stage @param {import("./map_store.js").MapStore} store */
export function pointsPart(stage, store) {
  const { canvas, draw } = stage;
  const brush = /** @type {CanvasRenderingContext2D} */ (canvas.getContext("2d"));
  const layer = pointsLayer(store.vertices, store.domains.length, draw);
  const rgb = store.palette.map((hex) =>
    [1, 3, 5].map((at) => parseInt(hex.slice(at, at + 2), 16) / 255),
  );
  let moving = false;
  let settle = 0;

  function restyle() {
    const neutral = neutralOpacity(store.n, store.zoomed);
    const { marked } = store;
    store.domains.forEach((name, k) => {
      const faint = marked !== null && name !== marked ? 0.1 : 1;
      const e = store.emphasis[k];
      const alpha = store.hidden.has(name) ? 0 : faint * opacity(e, neutral);
      layer.setStyle(k, rgb[k], alpha, sizeFactor(e));
    });
    draw();
  }

  function shade() {
    for (let value = 0; value < 256; value++) layer.ramp[4 * value + 3] = store.shadeOf(value);
    layer.stale.ramp = true;
    draw();
  }

  function recolor() {
    const ramp = bytesOf(store.model.get("ramp"));
    for (let i = 0; i < 768; i++) layer.ramp[4 * Math.floor(i / 3) + (i % 3)] = ramp[i];
    layer.stale.vertices = true;
    shade();
  }

  function move() {
    moving = true;
    clearTimeout(settle);
    settle = setTimeout(() => {
      moving = false;
      draw();
    }, REST);
    draw();
  }

  const offs = [
    store.on("style", restyle),
    store.on("view", restyle),
    store.on("shade", shade),
    store.on("colors", recolor),
    store.on("motion", move),
    store.on("selection", () => {
      layer.stale.vertices = true;
      draw();
    }),
  ];
  return {
    paint() {
      const { ratio } = store.size;
      const { scale, x, y } = store.view;
      const partly = (moving || store.dragging) && store.n > 1.5 * SAMPLE;
      layer.draw(brush, {
        width: canvas.width,
        height: canvas.height,
        view: { scale: scale * ratio, x: x * ratio, y: y * ratio },
        dot: dotOf(store) * ratio,
        count: partly ? SAMPLE : store.n,
        byValue: store.legend.kind !== "domain",
        chosen: store.selected > 0,
      });
    },
    dispose() {
      clearTimeout(settle);
      for (const off of offs) off();
      layer.dispose();
    },
  };
}
