/* Where a run changed its held-out text: samples with every token shaded by the change of its loss. */
import { button, make, write } from "qwen/page/dom.js";
import { percent } from "qwen/page/format.js";
import { nats, shadeOf, summaryOf } from "./dial_data.js";

const FIRST = 5;

const piece = ([text, before, after]) => {
  const node = make("span", "qr-token", text);
  if (before === null) {
    node.classList.add("qr-token-given");
    return node;
  }
  const change = after - before;
  node.classList.add(change > 0 ? "qr-token-worse" : "qr-token-better");
  node.style.setProperty("--strength", `${shadeOf(change)}%`);
  node.title = `${nats(before)} before, ${nats(after)} after`;
  return node;
};

const sample = ({ where, before, after, tokens, pieces }) => {
  const node = make("li");
  const about = `${where}: ${nats(before)} to ${nats(after)} nats a token, ${tokens} tokens`;
  const text = make("p", "qr-token-text notranslate");
  text.append(...pieces.map(piece));
  node.append(make("span", "q-hint", about), text);
  return node;
};

/** The section for what `look_at_changes` answers; null where nothing was measured. */
export const changesSection = (changes) => {
  if (!changes.samples) return null;
  const node = make("section", "qr-changes");
  const list = make("ol", "qr-change-list");
  const show = (count) => list.replaceChildren(...changes.samples.slice(0, count).map(sample));
  show(FIRST);
  const all = button(`Show all ${changes.samples.length}`, "", () => {
    show(changes.samples.length);
    all.hidden = true;
  });
  all.hidden = changes.samples.length <= FIRST;
  const legend = make("p", "q-hint");
  legend.append(
    make("span", "qr-token qr-token-better qr-legend", "lower loss"),
    " ",
    make("span", "qr-token qr-token-worse qr-legend", "higher loss"),
    " than the base's; the samples that got worst first.",
  );
  const summary = make("p", "qr-way-said");
  write(summary, summaryOf(changes, percent));
  node.append(make("h4", "", "Where it changed"), summary, legend, list, all);
  return node;
};
