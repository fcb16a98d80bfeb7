/* Writes qwen_ui/ui/page/static/plotly.min.js: an ES module, which a page imports when its first
   chart is shown and a report carries within itself. Run by `make plotly`. */
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";

const at = (path) => fileURLToPath(new URL(path, import.meta.url));
const { version } = JSON.parse(readFileSync(at("node_modules/plotly.js/package.json"), "utf8"));
const license = readFileSync(at("node_modules/plotly.js/LICENSE"), "utf8").trim();

await build({
  entryPoints: [at("entry.cjs")],
  outfile: at("../../qwen_ui/ui/page/static/plotly.min.js"),
  bundle: true,
  minify: true,
  // d3 means the window by `this`, which a module does not have: so it runs in a function.
  format: "iife",
  globalName: "Plotly",
  target: "es2020",
  define: { global: "window", "process.env.NODE_DEBUG": "false" },
  loader: { ".css": "empty" }, // of maps
  legalComments: "none",
  banner: { js: `/* plotly.js v${version}: scatter, bar, heatmap, treemap.\n\n${license}\n*/` },
  footer: { js: "export default Plotly;" },
});
