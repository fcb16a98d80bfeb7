/* The small buttons over a chart: its scale, and what can be downloaded of it. */
import { attempt } from "./api.js";
import { button, make } from "./dom.js";
import { picture } from "./plotly.js";

/** A button that is pressed while the y axis is logarithmic; `onlog(log)` draws it so. */
export const logTool = (onlog) => {
  const toggle = () => {
    const log = node.getAttribute("aria-pressed") !== "true";
    node.setAttribute("aria-pressed", String(log));
    onlog(log);
  };
  const node = button("log", "qr-tool", toggle, "Logarithmic scale");
  node.setAttribute("aria-pressed", "false");
  return node;
};

/** Buttons for the chart as PNG and SVG. `shown()` gives {plot, name, title}; `say` is told what
    goes wrong. */
export const pictureTools = (shown, say) =>
  ["png", "svg"].map((format) => {
    const save = () => {
      const { plot, name, title } = shown();
      return picture(plot, format, name, title);
    };
    const name = format.toUpperCase();
    const onclick = () => attempt(save, say);
    return button(name, "qr-tool", onclick, `Download this chart as ${name}`);
  });

/** These tools in a row. */
export const toolRow = (...tools) => {
  const node = make("span", "qr-tools");
  node.append(...tools);
  return node;
};
