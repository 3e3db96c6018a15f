// plotly listens to the window alone: a cell that gives its figure another width must be told to it.
const RETRY = 60; // milliseconds until plotly has drawn

/** @param {{el: HTMLElement}} given */
function render({ el }) {
  let disposed = false;
  /** @type {any} */
  let plot = null;
  const resized = new ResizeObserver(() => {
    const room = plot.parentElement.clientWidth;
    if (room && Math.abs(room - plot._fullLayout.width) > 1)
      globalThis.dispatchEvent(new Event("resize"));
  });

  function meetPlot() {
    if (disposed) return;
    plot = el.closest(".rv-pareto")?.querySelector(".js-plotly-plot");
    if (!plot?._fullLayout) return void setTimeout(meetPlot, RETRY);
    resized.observe(plot.parentElement);
  }

  meetPlot();
  return () => {
    disposed = true;
    resized.disconnect();
  };
}

export default { render };
