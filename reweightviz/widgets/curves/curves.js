// The names at the ends of the lines, and the wire between the page's bus, the plotly figure beside it and the kernel.
import { join } from "../common/bus.js";
import { colorText, drawing, element, say } from "../common/elements.js";
import { errorLine } from "../common/error_line.js";
import { tokensText } from "../common/format.js";

// pixels a label
const ROW = 15;
// pixels between a line's end and its label
const LEADER = 18;
// milliseconds until plotly has drawn
const RETRY = 60;
// milliseconds after which a width is no longer being dragged
const SETTLED = 200;

/**
 * Where labels of ROW pixels go so that none overlaps: as near as possible to where they want to be.
 * @param {number[]} wanted centres, sorted @param {number} top @param {number} bottom @returns {number[]}
 */
export function spread(wanted, top, bottom) {
  const placed = wanted.map((y) => Math.max(y, top + ROW / 2));
  for (let i = 1; i < placed.length; i++) placed[i] = Math.max(placed[i], placed[i - 1] + ROW);
  let limit = bottom - ROW / 2;
  for (let i = placed.length - 1; i >= 0; i--, limit -= ROW) placed[i] = Math.min(placed[i], limit);
  return placed;
}

/** The line of a domain that goes on where the run has not been yet; nothing is read from it. @param {any} trace */
const isAhead = (trace) => trace.meta[2] === "ahead";

/** The last row at or before `x` that holds a number; -1 where there is none. @param {any} trace @param {number} x */
function rowAt(trace, x) {
  let row = -1;
  for (let i = 0; i < trace.x.length && trace.x[i] <= x; i++)
    if (Number.isFinite(trace.y[i])) row = i;
  return row;
}

/** @param {number} value @param {string} unit */
function valueText(value, unit) {
  if (!Number.isFinite(value)) return "";
  if (unit.startsWith("%")) return `${value.toFixed(value < 9.95 ? 2 : 1)}%`;
  return unit === "tokens" ? tokensText(value) : value.toFixed(3);
}

/**
 * The traces to read: for each domain the smooth one where it is drawn, of the run asked for or else of the one that goes furthest.
 * @param {any[]} traces @param {string|null} run @returns {Map<string, any>}
 */
function readable(traces, run) {
  const chosen = new Map();
  const reach = (/** @type {any} */ trace) => [
    trace.meta[1] === run ? 1 : 0,
    trace.x[trace.x.length - 1],
    trace.meta[2] === "smooth" ? 1 : 0,
  ];
  for (const trace of traces.filter((each) => !isAhead(each))) {
    const [mine, other] = [
      reach(trace),
      chosen.has(trace.meta[0]) ? reach(chosen.get(trace.meta[0])) : [-1, 0, 0],
    ];
    const first = mine.findIndex((value, i) => value !== other[i]);
    if (first >= 0 && mine[first] > other[first]) chosen.set(trace.meta[0], trace);
  }
  return chosen;
}

/** @param {{model: any, el: HTMLElement}} given */
function render({ model, el }) {
  const channel = join(model.get("link"));
  const scope = `rv-${Math.random().toString(36).slice(2)}`;
  const emphasis = element("style");
  const leaders = drawing("svg", { class: "rv-curves-leaders", "aria-hidden": "true" });
  const [atRun, atPlace] = [element("span"), element("span")];
  const at = element("div", { class: "rv-curves-at" }, atRun, atPlace);
  const alarm = errorLine(model, "rv-curves-error");
  const root = element(
    "div",
    { class: "rv-curves-labels", role: "group", "aria-label": "domains" },
    leaders,
    at,
    alarm.node,
  );
  /** @type {Map<string, any>} */
  let rows = new Map();
  /** @type {any} */
  let plot = null;
  /** @type {string|null} */
  let pointed = null;
  /** @type {{x: number, run: string}|null} */
  let moment = null;
  let disposed = false;
  el.append(emphasis, root);

  const put = (/** @type {string} */ name, /** @type {any} */ value) => {
    model.set(name, value);
    model.save_changes();
  };
  const known = (/** @type {string|null} */ name) => model.get("domains").includes(name);
  const front = () => (known(pointed) ? pointed : model.get("focus"));
  const emitFocus = (/** @type {string} */ name) =>
    channel.emit("focus", { domain: model.get("focus") === name ? null : name });
  const emitHover = (/** @type {string|null} */ name) => {
    if (name !== pointed) channel.emit("hover", { domain: name });
  };

  /** Hide one, or with `alone` all others; twice brings them back. @param {string} name @param {boolean} alone */
  function emitHidden(name, alone) {
    const now = model.get("hidden");
    const foreign = (channel.last("hidden")?.domains ?? []).filter(
      (/** @type {string} */ each) => !known(each),
    );
    const others = model.get("domains").filter((/** @type {string} */ each) => each !== name);
    const isAlone = !now.includes(name) && now.length === others.length;
    const next = alone
      ? isAlone
        ? []
        : others
      : now.includes(name)
        ? now.filter((/** @type {string} */ each) => each !== name)
        : [...now, name];
    channel.emit("hidden", { domains: [...foreign, ...next] });
  }

  // plotly gives traces that are not visible no meta.
  const drawn = () =>
    plot._fullData.filter(
      (/** @type {any} */ trace) => trace.visible === true && trace.meta && trace.x?.length,
    );

  function buildRows() {
    rows.forEach((row) => row.node.remove());
    const colors = model.get("colors");
    rows = new Map(
      model.get("domains").map((/** @type {string} */ name, /** @type {number} */ i) => {
        const value = element("span");
        const swatch = element("button", {
          class: "rv-curves-swatch",
          tabindex: "-1",
          "aria-hidden": "true",
          onclick: (/** @type {MouseEvent} */ event) => emitHidden(name, event.shiftKey),
        });
        const label = element(
          "button",
          {
            class: "rv-curves-name",
            title: name,
            "aria-keyshortcuts": "h",
            onclick: () => emitFocus(name),
            onkeydown: (/** @type {KeyboardEvent} */ event) =>
              event.key.toLowerCase() === "h" && emitHidden(name, event.shiftKey),
          },
          element("span", {}, name),
          value,
        );
        const node = element(
          "div",
          {
            class: "rv-curves-label",
            style: `--color: ${colorText(colors[i])}`,
            onpointerenter: () => emitHover(name),
            onpointerleave: () => emitHover(null),
          },
          swatch,
          label,
        );
        root.insertBefore(node, at);
        return [name, { node, swatch, label, value, color: colors[i] }];
      }),
    );
  }

  /** The ends of the lines in pixels from the top, and the values shown beside the names. */
  function readPlot() {
    const { xaxis, yaxis, meta } = plot._fullLayout;
    const edge = Math.max(...xaxis.range);
    const unit = meta?.unit ?? "";
    const traces = drawn();
    const chosen = readable(traces, moment?.run ?? null);
    const aheads = new Map(
      traces.filter(isAhead).map((/** @type {any} */ trace) => [trace.meta[0], trace.y.at(-1)]),
    );
    const ends = new Map();
    let below = 0;
    for (const [name, trace] of chosen) {
      const end = rowAt(trace, edge);
      const read = moment ? rowAt(trace, moment.x) : end;
      const y = end < 0 ? NaN : trace.y[end];
      const leaves = aheads.get(name) ?? (meta?.stacked ? below + y / 2 : y);
      ends.set(name, {
        y: yaxis._offset + yaxis.l2p(leaves),
        text: read < 0 ? "" : valueText(trace.y[read], unit),
      });
      below += y;
    }
    const any = chosen.values().next().value;
    const x = moment?.x ?? (any ? any.x[Math.max(rowAt(any, edge), 0)] : NaN);
    const several = new Set(traces.map((/** @type {any} */ trace) => trace.meta[1])).size > 1;
    return {
      ends,
      top: yaxis._offset,
      bottom: yaxis._offset + yaxis._length,
      run: any && several ? any.meta[1] : "",
      where: any ? placeText(x) : "",
    };
  }

  /** @param {number} x where on the axis the values are read */
  function placeText(x) {
    const axis = plot.layout.xaxis?.title?.text ?? "step";
    const number =
      axis === "tokens" ? tokensText(x) : x.toLocaleString("en-US", { maximumFractionDigits: 2 });
    return axis.endsWith("since the start")
      ? `${number} ${axis.split(" ")[0]}`
      : `${axis} ${number}`;
  }

  /** Labels at the ends of their lines; a sorted list that scrolls where they do not fit. */
  function place() {
    if (!plot?._fullLayout?.yaxis) return;
    const { ends, top, bottom, run, where } = readPlot();
    const height = (/** @type {string} */ name) =>
      Math.min(Math.max(ends.get(name)?.y ?? bottom, top), bottom);
    const order = [...rows.keys()].sort(
      (a, b) => Number(!ends.has(a)) - Number(!ends.has(b)) || height(a) - height(b),
    );
    const listed = order.length * ROW > model.get("height") - 20;
    root.classList.toggle("rv-listed", listed);
    root.style.height = `${model.get("height")}px`;
    const room = Math.max(bottom, Math.min(top + order.length * ROW, model.get("height") - 20));
    const places = spread(order.map(height), Math.min(top, room - order.length * ROW), room);
    order.forEach((name, i) => {
      const { node, value } = rows.get(name);
      node.style.top = listed ? "" : `${places[i] - ROW / 2}px`;
      if (node.nextSibling !== (rows.get(order[i + 1])?.node ?? at)) root.insertBefore(node, at);
      say(value, ends.get(name)?.text ?? "");
    });
    say(atRun, run && `${run},`, run);
    say(atPlace, where);
    leaders.setAttribute("height", String(model.get("height")));
    leaders.replaceChildren(
      ...order.flatMap((name, i) =>
        ends.has(name) ? [leader(name, height(name), places[i])] : [],
      ),
    );
    emphasise();
  }

  function leader(
    /** @type {string} */ name,
    /** @type {number} */ from,
    /** @type {number} */ to,
  ) {
    const path = `M0 ${from}C${LEADER / 2} ${from} ${LEADER / 2} ${to} ${LEADER - 1} ${to}`;
    const dim = front() !== null && front() !== name;
    return drawing("path", {
      d: path,
      fill: "none",
      stroke: rows.get(name).color,
      "stroke-opacity": dim ? 0.12 : 0.7,
    });
  }

  /** What is out of focus fades at once, by a style sheet that survives plotly's redraws. */
  function emphasise() {
    const [name, hidden] = [front(), model.get("hidden")];
    for (const [each, { node, label, swatch }] of rows) {
      node.classList.toggle("rv-front", each === name);
      node.classList.toggle("rv-dim", name !== null && each !== name);
      node.classList.toggle("rv-off", hidden.includes(each));
      label.setAttribute("aria-pressed", String(each === model.get("focus")));
      label.setAttribute("aria-label", `${each}${hidden.includes(each) ? ", hidden" : ""}`);
      swatch.title = hidden.includes(each) ? "show (h)" : "hide (h); alone (shift)";
    }
    const stacked = plot?._fullLayout.meta?.stacked;
    const traces = plot ? drawn() : [];
    const parts = traces.map((/** @type {any} */ _, /** @type {number} */ i) =>
      partsOf(traces, i, stacked),
    );
    const faded = traces.flatMap((/** @type {any} */ trace, /** @type {number} */ i) =>
      name !== null && trace.meta[0] !== name ? parts[i] : [],
    );
    const raised = traces.flatMap((/** @type {any} */ trace, /** @type {number} */ i) =>
      trace.meta[0] === name && !stacked ? [`${parts[i][0]} path.js-line`] : [],
    );
    const gone = traces.flatMap((/** @type {any} */ trace, /** @type {number} */ i) =>
      hidden.includes(trace.meta[0]) ? parts[i] : [],
    );
    const rule = (/** @type {string[]} */ list, /** @type {string} */ what) =>
      list.length ? `${list.join(",")}{${what}}` : "";
    say(
      emphasis,
      rule(faded, "opacity:0.13!important") +
        rule(raised, "stroke-width:2.6px!important") +
        rule(gone, "visibility:hidden"),
    );
  }

  /** Selectors of what belongs to a trace; plotly keeps a stacked band in the group of the trace below. @param {any[]} traces @param {number} i @param {boolean} stacked */
  function partsOf(traces, i, stacked) {
    const group = (/** @type {number} */ j) =>
      `.${scope} .scatterlayer .trace${CSS.escape(traces[j].uid)}`;
    if (!stacked) return [group(i)];
    return [
      `${group(i)} .lines`,
      i ? `${group(i - 1)} .fills > g:last-child` : `${group(0)} .fills > g:first-child`,
    ];
  }

  /** Which band of a stacked figure the mouse is in. @param {any} event @returns {any} */
  function bandUnder(event) {
    const { xaxis, yaxis } = plot._fullLayout;
    const box = plot.getBoundingClientRect();
    const [x, y] = [
      xaxis.p2l(event.clientX - box.left - xaxis._offset),
      yaxis.p2l(event.clientY - box.top - yaxis._offset),
    ];
    let below = 0;
    for (const trace of drawn()) {
      const row = rowAt(trace, x);
      below += row < 0 ? 0 : trace.y[row];
      if (y <= below) return { trace, x };
    }
    return null;
  }

  const under = (/** @type {any} */ data) =>
    plot._fullLayout.meta?.stacked
      ? bandUnder(data.event)
      : { trace: data.points[0].fullData, x: data.points[0].x };

  function onHover(/** @type {any} */ data) {
    const found = under(data);
    moment = found && !isAhead(found.trace) ? { x: found.x, run: found.trace.meta[1] } : null;
    emitHover(found?.trace.meta[0] ?? null);
    place();
  }

  function onUnhover() {
    moment = null;
    emitHover(null);
    place();
  }

  const onClick = (/** @type {any} */ data) => {
    const found = under(data);
    if (found) emitFocus(found.trace.meta[0]);
  };
  // Long lines are decimated: what a person zooms to, the kernel sends in more detail. plotly's own widget does not tell it of a double click.
  const onZoom = () => {
    const { range, autorange } = plot._fullLayout.xaxis;
    const within = autorange ? [] : range.map(Number);
    if (within.join() !== model.get("within").join()) put("within", within);
  };
  const handlers = /** @type {[string, (data: any) => void][]} */ ([
    ["plotly_hover", onHover],
    ["plotly_unhover", onUnhover],
    ["plotly_click", onClick],
    ["plotly_afterplot", () => place()],
    ["plotly_relayout", onZoom],
  ]);

  /** @type {any} */
  let settling;
  const resized = new ResizeObserver(() => {
    // plotly listens to the window alone; a side bar that opens must be told to it.
    const room = plot.clientWidth;
    if (room && Math.abs(room - plot._fullLayout.width) > 1) {
      // a layout that Python set as a whole leaves one, and plotly would keep to it
      delete plot.layout.width;
      globalThis.dispatchEvent(new Event("resize"));
    }
    clearTimeout(settling);
    settling = setTimeout(() => room && room !== model.get("room") && put("room", room), SETTLED);
  });

  /** The figure is drawn by another widget of the same box, some time. */
  function meetPlot() {
    if (disposed) return;
    const box = el.closest(".rv-curves");
    const found = /** @type {any} */ (box?.querySelector(".rv-curves-plot .js-plotly-plot"));
    if (!box || !found?.on || !found._fullLayout?.yaxis?.l2p)
      return void setTimeout(meetPlot, RETRY);
    plot = found;
    box.classList.add(scope);
    handlers.forEach(([kind, handler]) => plot.on(kind, handler));
    fit();
    resized.observe(plot);
    place();
  }

  const offs = [
    channel.on("focus", ({ domain }) => {
      const name = known(domain) ? domain : null;
      if (name !== model.get("focus")) put("focus", name);
      place();
    }),
    channel.on("hover", ({ domain }) => {
      pointed = domain;
      place();
    }),
    channel.on("hidden", ({ domains }) => {
      const mine = domains.filter(known);
      if (mine.join("\n") !== model.get("hidden").join("\n")) put("hidden", mine);
      emphasise();
    }),
  ];
  // What Python set goes to the page; what the page said is already there.
  const tellFocus = () => {
    const name = model.get("focus");
    if (
      (channel.last("focus")?.domain ?? null) !== name &&
      (name !== null || known(channel.last("focus")?.domain))
    )
      channel.emit("focus", { domain: name });
    place();
  };
  const tellHidden = () => {
    const last = channel.last("hidden")?.domains ?? [];
    const hidden = model.get("hidden");
    if (last.filter(known).join("\n") !== hidden.join("\n"))
      channel.emit("hidden", {
        domains: [...last.filter((/** @type {string} */ each) => !known(each)), ...hidden],
      });
    place();
  };
  const fit = () => {
    if (plot) plot.style.height = `${model.get("height")}px`;
  };
  const rebuild = () => {
    buildRows();
    place();
  };
  const listeners = /** @type {[string, () => void][]} */ ([
    ["change:focus", tellFocus],
    ["change:hidden", tellHidden],
    ["change:colors", rebuild],
    ["change:domains", rebuild],
    ["change:height", fit],
  ]);
  listeners.forEach(([kind, listener]) => model.on(kind, listener));
  buildRows();
  tellFocus();
  tellHidden();
  meetPlot();
  return () => {
    disposed = true;
    clearTimeout(settling);
    alarm.dispose();
    offs.forEach((off) => off());
    listeners.forEach(([kind, listener]) => model.off(kind, listener));
    handlers.forEach(([kind, handler]) => plot?.removeListener?.(kind, handler));
    resized.disconnect();
  };
}

export default { render };
