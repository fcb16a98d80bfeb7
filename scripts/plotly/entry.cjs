/* plotly.js with what the page and its reports draw: lines, bars, heat maps and treemaps. As
   plotly's own `src/core.js`, which registers sliders, maps of drawn shapes and 3-D as well. */
"use strict";
require("plotly.js/build/plotcss");
const { register } = require("plotly.js/src/registry");
const methods = require("plotly.js/src/plot_api");
const { resize } = require("plotly.js/src/plots/plots");
const fx = require("plotly.js/src/components/fx");

for (const [name, fn] of Object.entries(methods)) {
  if (!name.startsWith("_")) exports[name] = fn;
  register({ moduleType: "apiMethod", name, fn });
}
register([
  require("plotly.js/src/traces/scatter"),
  require("plotly.js/lib/bar"),
  require("plotly.js/lib/heatmap"),
  require("plotly.js/lib/treemap"),
  require("plotly.js/src/components/annotations"),
  require("plotly.js/src/components/shapes"),
  require("plotly.js/src/components/errorbars"),
  require("plotly.js/src/components/colorscale"),
  require("plotly.js/src/components/colorbar"),
  require("plotly.js/src/components/legend"), // after shapes, as plotly's core says
  fx, // after the legend
  require("plotly.js/src/components/modebar"),
  require("plotly.js/src/locale-en"),
  require("plotly.js/src/locale-en-us"),
]);
exports.version = require("plotly.js/src/version").version;
exports.Plots = { resize };
exports.Fx = { hover: fx.hover, unhover: fx.unhover };
