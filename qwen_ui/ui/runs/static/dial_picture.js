/* The dial's picture: gain and forgetting by strength, and where the slider stands. */
import { HEIGHT, picture, WIDTH } from "./dial_data.js";

const SVG = "http://www.w3.org/2000/svg";

const svg = (tag, attributes) => {
  const node = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
  return node;
};

const words = (text, attributes) => {
  const node = svg("text", attributes);
  node.textContent = text;
  return node;
};

/** An empty picture; `paint` fills it. */
export const blankPicture = () =>
  svg("svg", {
    viewBox: `0 0 ${WIDTH} ${HEIGHT}`,
    class: "qr-dial-plot",
    role: "img",
    "aria-label": "Gain and forgetting by strength; the table has them",
  });

/** Draws these points, with a mark at this strength. */
export const paint = (plot, points, strength) => {
  const { zero, x, lines } = picture(points);
  const at = x(strength);
  plot.replaceChildren(
    svg("line", { x1: 0, x2: WIDTH, y1: zero, y2: zero, class: "qr-dial-zero" }),
    svg("line", { x1: at, x2: at, y1: 0, y2: HEIGHT - 16, class: "qr-dial-here" }),
  );
  for (const { name, points: line } of lines) {
    const [lastX, lastY] = line.at(-1);
    plot.append(
      svg("polyline", { points: line.join(" "), class: `qr-dial-line qr-dial-${name}` }),
      words(name, { x: lastX + 6, y: lastY + 4, class: `qr-dial-${name}` }),
    );
  }
  for (const { strength: s } of points) {
    plot.append(words(s, { x: x(s), y: HEIGHT - 4, class: "qr-dial-tick" }));
  }
};
