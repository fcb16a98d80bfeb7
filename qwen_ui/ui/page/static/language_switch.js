/* Which language the page speaks: a list of their own names, so that everybody finds theirs. */
import { make, select } from "./dom.js";
import { current, languages, speak } from "./language.js";

const SVG = "http://www.w3.org/2000/svg";
// A globe, drawn: a character of another script needs a font that has it.
const GLOBE =
  "M12 3.8a8.2 8.2 0 1 0 0 16.4a8.2 8.2 0 1 0 0-16.4M3.8 12h16.4M12 3.8q-7 8.2 0 16.4q7-8.2 0-16.4";

const sign = () => {
  const node = document.createElementNS(SVG, "svg");
  node.setAttribute("class", "q-language-sign");
  node.setAttribute("viewBox", "0 0 24 24");
  node.setAttribute("aria-hidden", "true");
  const path = document.createElementNS(SVG, "path");
  path.setAttribute("d", GLOBE);
  node.append(path);
  return node;
};

export const mount = ({ element }) => {
  const label = make("label", "q-language");
  label.setAttribute("translate", "no");
  const list = select(languages(), current(), speak);
  list.setAttribute("aria-label", "Language / 语言");
  label.append(sign(), list);
  element.replaceChildren(label);
};
