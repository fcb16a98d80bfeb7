/* plotly.js, as all charts of the page use it: fetched once, when a chart is first shown. It is our
   own build (scripts/plotly) with the traces that we draw, a quarter of the whole. */
import { ApiError } from "./api.js";
import { download } from "./download.js";

const FONT = "system-ui, -apple-system, Segoe UI, Roboto, sans-serif";
const NOT_LOADED = "The library that draws the charts could not be loaded. This page tries again.";

export const AXES = { step: "step", tokens: "tokens", elapsed: "seconds" };
const COUNTED = new Set(["step", "tokens", "block"]); // axes that have whole numbers alone

/** Whether an axis has whole numbers alone. */
export const isCounted = (axis) => COUNTED.has(axis);

// plotly's own "Share chart" sends a person's data to its cloud: not from here.
export const CONFIG = {
  responsive: true,
  displaylogo: false,
  displayModeBar: "hover",
  modeBarButtonsToRemove: ["lasso2d", "select2d", "autoScale2d", "toImage", "sendChartToCloud"],
};

/** One of the page's colours (style.css) as it is in the present theme. */
export const colour = (name) =>
  getComputedStyle(document.body).getPropertyValue(`--q-${name}`).trim();

/** Call when the theme changes: a plot keeps the colours that it was drawn with. */
export const onTheme = (callback) =>
  new MutationObserver(callback).observe(document.body, {
    attributes: true,
    attributeFilter: ["class"],
  });

let library = null;
let loading = null;
let tries = 0;

/** The library where it is here, else null. */
export const drawer = () => library;

/** Keep a plot as wide as its place: plotly follows the window alone, and not while it is hidden. */
export const keepFitting = (plot) => {
  const fit = () => {
    const { clientWidth } = plot;
    const width = plot._fullLayout?.width;
    if (library && clientWidth && width && width !== clientWidth) library.Plots.resize(plot);
  };
  new ResizeObserver(fit).observe(plot);
  return plot;
};

/** The library, fetched at the first call. Throws ApiError. */
export const plotly = () => {
  loading ||= load();
  return loading;
};

const load = async () => {
  tries += 1;
  try {
    // A browser keeps that an address failed: the next try is at another.
    const address = tries > 1 ? `./plotly.min.js?try=${tries}` : "./plotly.min.js";
    library = (await import(address)).default;
  } catch (error) {
    loading = null;
    throw new ApiError("network", NOT_LOADED, { cause: error });
  }
  return library;
};

/** plotly's layout in the page's look. `extra`: height, right, x, y, title of the x axis as `axis`,
    and `revision`: as long as it is the same, a zoom is kept. */
export const layout = (axis, extra = {}) => {
  const grid = colour("line");
  const muted = colour("muted");
  const axisStyle = {
    separatethousands: true,
    gridcolor: grid,
    zeroline: false,
    color: muted,
    linecolor: grid,
  };
  return {
    height: extra.height || 150,
    // Wide enough for every label, so that plotly need not measure them at every update.
    margin: { l: 62, r: extra.right || 12, t: 8, b: 44 },
    paper_bgcolor: "rgba(0,0,0,0)",
    plot_bgcolor: "rgba(0,0,0,0)",
    font: { family: FONT, size: 12, color: colour("ink") },
    hovermode: "x unified",
    hoverlabel: { bgcolor: colour("raised"), bordercolor: grid },
    showlegend: false,
    xaxis: {
      ...axisStyle,
      ...(isCounted(axis) ? { tickformat: ",d" } : {}),
      title: { text: AXES[axis] || axis, standoff: 6 },
      ...extra.x,
    },
    yaxis: { ...axisStyle, ...extra.y },
    uirevision: extra.revision || "kept",
    // plotly makes the buttons' ground from the chart's: dark grey where that is transparent.
    modebar: { bgcolor: "rgba(0,0,0,0)", color: muted, activecolor: colour("accent") },
    dragmode: "zoom",
  };
};

/** Download a plot as it stands, on the page's ground, with a legend in place of our labels. */
export const picture = async (plot, format, name, title) => {
  const look = {
    ...plot.layout,
    showlegend: plot.data.length > 1,
    legend: { orientation: "h", x: 0, y: 1.02, yanchor: "bottom" },
    autosize: false,
    paper_bgcolor: colour("surface"),
    plot_bgcolor: colour("surface"),
    margin: { l: 70, r: 24, t: 64, b: 56 },
    title: { text: title, x: 0.02, font: { size: 16 } },
  };
  const size = { format, width: 1200, height: 600, scale: 2 };
  const address = await drawer().toImage({ data: plot.data, layout: look }, size);
  download(`${name}.${format}`, address);
};
