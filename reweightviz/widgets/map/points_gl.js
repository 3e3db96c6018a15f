// Draws points: WebGL2 in one context that all maps of a page share, or plain sums where there is none.

const VERTEX = `#version 300 es
precision highp float; precision highp int;
layout(location=0) in vec2 place; layout(location=1) in uint domain; layout(location=2) in uvec2 mark;
uniform sampler2D style, ramp; uniform vec4 view; uniform float spot; uniform bool byValue; uniform int only;
out vec4 ink; flat out float across;
void main() {
  ivec2 at = ivec2(int(domain & 255u), 2 * int(domain >> 8));
  vec4 color = texelFetch(style, at, 0);
  float size = texelFetch(style, at + ivec2(0, 1), 0).r * spot;
  if (byValue) { vec4 shade = texelFetch(ramp, ivec2(int(mark.x), 0), 0); color = vec4(shade.rgb, color.a * shade.a); }
  bool chosen = (mark.y & 1u) != 0u;
  if (only == 1) { color = vec4(mix(color.rgb, vec3(.55), .75), color.a * .28); }
  if (only == 2) { color.a = min(1., 1.6 * color.a); size *= 1.2; }
  bool drawn = color.a > 0. && size > 0. && (only == 0 || chosen == (only == 2));
  across = max(size, 1.);
  color.a *= min(1., size * size);
  ink = vec4(color.rgb * color.a, color.a);
  gl_PointSize = across + 1.;
  gl_Position = drawn ? vec4(place * view.xy + view.zw, 0., 1.) : vec4(2., 2., 2., 1.);
}`;
const FRAGMENT = `#version 300 es
precision highp float; in vec4 ink; flat in float across; out vec4 color;
void main() {
  float depth = .5 * across + .5 - length(gl_PointCoord - .5) * (across + 1.);
  // A darker rim keeps large points apart where they crowd.
  float rim = across < 4. ? 1. : mix(.7, 1., clamp(depth - .6, 0., 1.));
  color = ink * clamp(depth, 0., 1.) * vec4(vec3(rim), 1.);
}`;
const COVER = `#version 300 es
void main() { gl_Position = vec4(gl_VertexID == 1 ? 3. : -1., gl_VertexID == 2 ? 3. : -1., 0., 1.); }`;
const COPY = `#version 300 es
precision highp float; uniform sampler2D source; out vec4 color;
void main() { color = texelFetch(source, ivec2(gl_FragCoord.xy), 0); }`;

/** The page's one context, or null where there is no WebGL2. */
function sharedContext() {
  const key = Symbol.for("reweightviz.gl.1");
  const page = /** @type {any} */ (globalThis);
  return (page[key] ??= { device: openDevice() }).device;
}

function openDevice() {
  const canvas = document.createElement("canvas");
  canvas.width = canvas.height = 1;
  const gl = canvas.getContext("webgl2", { antialias: false, depth: false, stencil: false });
  if (!gl) return null;
  const device = { gl, canvas, lost: false, layers: new Set(), programs: {}, target: null };
  canvas.addEventListener("webglcontextlost", (event) => {
    event.preventDefault();
    device.lost = true;
    for (const layer of device.layers) layer.changed();
  });
  canvas.addEventListener("webglcontextrestored", () => {
    prepare(device);
    for (const layer of device.layers) layer.restore();
  });
  return prepare(device);
}

/** @param {any} device */
function prepare(device) {
  const { gl } = device;
  device.lost = false;
  device.target = null;
  // Small opacities vanish on eight bits.
  device.deep =
    gl.getExtension("EXT_color_buffer_float") ?? gl.getExtension("EXT_color_buffer_half_float");
  device.programs = { points: linked(gl, VERTEX, FRAGMENT), copy: linked(gl, COVER, COPY) };
  return device;
}

/** @param {WebGL2RenderingContext} gl @param {string} vertex @param {string} fragment */
function linked(gl, vertex, fragment) {
  const program = /** @type {WebGLProgram} */ (gl.createProgram());
  for (const [kind, text] of /** @type {[number, string][]} */ ([
    [gl.VERTEX_SHADER, vertex],
    [gl.FRAGMENT_SHADER, fragment],
  ])) {
    const shader = /** @type {WebGLShader} */ (gl.createShader(kind));
    gl.shaderSource(shader, text);
    gl.compileShader(shader);
    gl.attachShader(program, shader);
  }
  gl.linkProgram(program);
  if (!gl.isContextLost() && !gl.getProgramParameter(program, gl.LINK_STATUS))
    throw new Error(gl.getProgramInfoLog(program) ?? "no shader");
  return { program, at: (/** @type {string} */ name) => gl.getUniformLocation(program, name) };
}

/** Room for a picture of this size; it only grows. @param {any} device @param {number} width @param {number} height */
function makeRoom(device, width, height) {
  const { gl, canvas, deep } = device;
  if (canvas.width < width) canvas.width = width;
  if (canvas.height < height) canvas.height = height;
  const kept = device.target;
  if (!deep || (kept && kept.width >= width && kept.height >= height)) return;
  if (kept) {
    gl.deleteFramebuffer(kept.frame);
    gl.deleteTexture(kept.texture);
  }
  const texture = gl.createTexture(),
    frame = gl.createFramebuffer();
  gl.activeTexture(gl.TEXTURE2);
  gl.bindTexture(gl.TEXTURE_2D, texture);
  gl.texStorage2D(gl.TEXTURE_2D, 1, gl.RGBA16F, canvas.width, canvas.height);
  gl.bindFramebuffer(gl.FRAMEBUFFER, frame);
  gl.framebufferTexture2D(gl.FRAMEBUFFER, gl.COLOR_ATTACHMENT0, gl.TEXTURE_2D, texture, 0);
  if (gl.checkFramebufferStatus(gl.FRAMEBUFFER) === gl.FRAMEBUFFER_COMPLETE)
    device.target = { frame, texture, width: canvas.width, height: canvas.height };
  else [device.deep, device.target] = [null, null];
}

/**
 * One map's points. The arrays here are the truth; the device holds copies that are renewed when marked stale.
 * @param {Uint8Array} vertices  8 bytes a point: uint16 x, y, domain; uint8 value, flags
 * @param {number} K @param {() => void} changed  called when the device came or went
 */
export function pointsLayer(vertices, K, changed) {
  const n = vertices.length / 8,
    rows = 2 * Math.ceil(K / 256);
  const style = new Float32Array(256 * rows * 4),
    ramp = new Uint8Array(1024).fill(255);
  const stale = { vertices: true, style: true, ramp: true };
  const device = sharedContext();
  /** @type {any} */ let held = null;
  const layer = {
    vertices,
    n,
    ramp,
    stale,
    changed,
    get accelerated() {
      return Boolean(device && !device.lost);
    },
    /** @param {number} k @param {number[]} color  0 to 1 @param {number} alpha @param {number} size */
    setStyle(k, color, alpha, size) {
      const at = 4 * (2 * (k >> 8) * 256 + (k & 255));
      style.set([...color, alpha], at);
      style[at + 1024] = size;
      stale.style = true;
    },
    restore() {
      held = null;
      stale.vertices = stale.style = stale.ramp = true;
      changed();
    },
    /** @param {CanvasRenderingContext2D} onto @param {Frame} frame */
    draw(onto, frame) {
      const { width, height } = frame;
      onto.clearRect(0, 0, width, height);
      if (!layer.accelerated) return drawSums(onto, layer, style, frame);
      makeRoom(device, width, height);
      held ??= hold(device.gl);
      renew(device.gl, held, layer, style, rows);
      paint(device, held, layer, frame);
      onto.drawImage(
        device.canvas,
        0,
        device.canvas.height - height,
        width,
        height,
        0,
        0,
        width,
        height,
      );
    },
    dispose() {
      device?.layers.delete(layer);
      if (held && layer.accelerated)
        for (const [kind, thing] of Object.entries(held)) device.gl[RELEASE[kind]](thing);
    },
  };
  device?.layers.add(layer);
  return layer;
}

/** @typedef {{width: number, height: number, view: {scale: number, x: number, y: number}, dot: number, count: number, byValue: boolean, chosen: boolean}} Frame  in device pixels */

/** @type {Record<string, "deleteBuffer"|"deleteVertexArray"|"deleteTexture">} */
const RELEASE = {
  buffer: "deleteBuffer",
  shape: "deleteVertexArray",
  style: "deleteTexture",
  ramp: "deleteTexture",
};

/** @param {WebGL2RenderingContext} gl */
function hold(gl) {
  const held = {
    buffer: gl.createBuffer(),
    shape: gl.createVertexArray(),
    style: gl.createTexture(),
    ramp: gl.createTexture(),
  };
  gl.bindVertexArray(held.shape);
  gl.bindBuffer(gl.ARRAY_BUFFER, held.buffer);
  for (const slot of [0, 1, 2]) gl.enableVertexAttribArray(slot);
  gl.vertexAttribPointer(0, 2, gl.UNSIGNED_SHORT, false, 8, 0);
  gl.vertexAttribIPointer(1, 1, gl.UNSIGNED_SHORT, 8, 4);
  gl.vertexAttribIPointer(2, 2, gl.UNSIGNED_BYTE, 8, 6);
  for (const texture of [held.style, held.ramp]) {
    gl.activeTexture(gl.TEXTURE0);
    gl.bindTexture(gl.TEXTURE_2D, texture);
    gl.texParameteri(gl.TEXTURE_2D, gl.TEXTURE_MIN_FILTER, gl.NEAREST);
    gl.texParameteri(gl.TEXTURE_2D, gl.TEXTURE_MAG_FILTER, gl.NEAREST);
  }
  return held;
}

/** @param {WebGL2RenderingContext} gl @param {any} held @param {any} layer @param {Float32Array} style @param {number} rows */
function renew(gl, held, layer, style, rows) {
  const { stale } = layer;
  if (stale.vertices) {
    gl.bindBuffer(gl.ARRAY_BUFFER, held.buffer);
    gl.bufferData(gl.ARRAY_BUFFER, layer.vertices, gl.STATIC_DRAW);
  }
  gl.activeTexture(gl.TEXTURE0);
  gl.bindTexture(gl.TEXTURE_2D, held.style);
  if (stale.style)
    gl.texImage2D(gl.TEXTURE_2D, 0, gl.RGBA32F, 256, rows, 0, gl.RGBA, gl.FLOAT, style);
  gl.activeTexture(gl.TEXTURE1);
  gl.bindTexture(gl.TEXTURE_2D, held.ramp);
  if (stale.ramp)
    gl.texImage2D(gl.TEXTURE_2D, 0, gl.RGBA8, 256, 1, 0, gl.RGBA, gl.UNSIGNED_BYTE, layer.ramp);
  stale.vertices = stale.style = stale.ramp = false;
}

/** @param {any} device @param {any} held @param {any} layer @param {Frame} frame */
function paint(device, held, layer, { width, height, view, dot, count, byValue, chosen }) {
  const {
    gl,
    programs: { points, copy },
    target,
  } = device;
  gl.bindFramebuffer(gl.FRAMEBUFFER, target?.frame ?? null);
  gl.viewport(0, 0, width, height);
  gl.clearColor(0, 0, 0, 0);
  gl.clear(gl.COLOR_BUFFER_BIT);
  gl.useProgram(points.program);
  gl.bindVertexArray(held.shape);
  gl.uniform1i(points.at("style"), 0);
  gl.uniform1i(points.at("ramp"), 1);
  gl.uniform4f(
    points.at("view"),
    (2 * view.scale) / width,
    (2 * view.scale) / height,
    (2 * view.x) / width - 1,
    1 - (2 * view.y) / height,
  );
  gl.uniform1f(points.at("spot"), dot);
  gl.uniform1i(points.at("byValue"), Number(byValue));
  gl.enable(gl.BLEND);
  gl.blendFunc(gl.ONE, gl.ONE_MINUS_SRC_ALPHA);
  for (const only of chosen ? [1, 2] : [0]) {
    gl.uniform1i(points.at("only"), only);
    gl.drawArrays(gl.POINTS, 0, count);
  }
  if (!target) return;
  gl.bindFramebuffer(gl.FRAMEBUFFER, null);
  gl.disable(gl.BLEND);
  gl.activeTexture(gl.TEXTURE2);
  gl.bindTexture(gl.TEXTURE_2D, target.texture);
  gl.useProgram(copy.program);
  gl.uniform1i(copy.at("source"), 2);
  gl.drawArrays(gl.TRIANGLES, 0, 3);
}

/** Without WebGL2: the ink of each pixel summed, its mean colour, opaque where there is much. @param {CanvasRenderingContext2D} onto @param {any} layer @param {Float32Array} style @param {Frame} frame */
function drawSums(onto, layer, style, { width, height, view, dot, count, byValue, chosen }) {
  const coarse = Math.max(1, Math.round(dot / 1.5));
  const w = Math.ceil(width / coarse),
    h = Math.ceil(height / coarse);
  const sums = new Float32Array(w * h * 4),
    places = new Uint16Array(layer.vertices.buffer, 0, 4 * layer.n);
  for (let i = 0; i < count; i++) {
    const x = Math.floor((view.x + places[4 * i] * view.scale) / coarse),
      y = Math.floor((view.y - places[4 * i + 1] * view.scale) / coarse);
    if (x < 0 || y < 0 || x >= w || y >= h) continue;
    const k = places[4 * i + 2],
      value = layer.vertices[8 * i + 6],
      at = 4 * (2 * (k >> 8) * 256 + (k & 255)),
      pixel = 4 * (y * w + x);
    const faint = chosen && !(layer.vertices[8 * i + 7] & 1) ? 0.15 : 1;
    const ink =
      faint *
      style[at + 3] *
      style[at + 1024] ** 2 *
      (byValue ? layer.ramp[4 * value + 3] / 255 : 1);
    for (let c = 0; c < 3; c++)
      sums[pixel + c] += ink * (byValue ? layer.ramp[4 * value + c] : 255 * style[at + c]);
    sums[pixel + 3] += ink;
  }
  const image = new ImageData(w, h);
  for (let p = 0; p < sums.length; p += 4) {
    if (sums[p + 3] <= 0) continue;
    for (let c = 0; c < 3; c++) image.data[p + c] = sums[p + c] / sums[p + 3];
    image.data[p + 3] = 255 * (1 - Math.exp(-1.6 * sums[p + 3]));
  }
  const small = new OffscreenCanvas(w, h);
  /** @type {OffscreenCanvasRenderingContext2D} */ (small.getContext("2d")).putImageData(
    image,
    0,
    0,
  );
  onto.imageSmoothingEnabled = false;
  onto.drawImage(small, 0, 0, w, h, 0, 0, w * coarse, h * coarse);
}
