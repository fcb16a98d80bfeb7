/* Which language the page speaks: a list of their own names, so that everybody finds theirs. */
import { make, select } from "./dom.js";
import { current, languages, speak } from "./language.js";

export const mount = ({ element }) => {
  const label = make("label", "q-language");
  label.setAttribute("translate", "no");
  const sign = make("span", "q-language-sign", "文A");
  sign.setAttribute("aria-hidden", "true");
  const list = select(languages(), current(), speak);
  list.setAttribute("aria-label", "Language / 语言");
  label.append(sign, list);
  element.replaceChildren(label);
};
