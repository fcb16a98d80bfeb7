/* Scores of the blocks by every method (Compare tab): a row a method, a column a block, and how far
   the methods agree. */
import { Api, messageOf } from "qwen/page/api.js";
import {
  button,
  choice,
  make,
  makeScroller,
  problemLine,
  rowOf,
  tableOf,
  write,
} from "qwen/page/dom.js";
import { placeOf, Poller } from "qwen/page/poller.js";
import {
  methodsOf,
  placesOf,
  progressOf,
  SCORED,
  shadeOfAgreement,
  shadeOfPlace,
  TOP,
} from "./scores_data.js";

const POLL_MS = 700;

const shade = (cell, percent) => cell.style.setProperty("--strength", `${percent}%`);

const headOf = (text, title = "", className = "") => {
  const cell = make("th", className, text);
  if (title) cell.title = title;
  return cell;
};

const rowHead = (text, title) => {
  const cell = headOf(text, title);
  cell.scope = "row";
  return cell;
};

/* The highest blocks, in their own order. */
const topOf = ({ order }) => order.slice(0, TOP).sort((a, b) => a - b);

const scrolled = (caption, table) => {
  const node = makeScroller("div", "qc-scroll", caption);
  table.prepend(make("caption", "", caption));
  node.append(table);
  return node;
};

/* Scores by block; darker is higher within a row. `use` is told of the method whose blocks a person
   takes. */
const heat = (methods, use) => {
  const count = methods[0].scores.length;
  const heads = [headOf("score")];
  for (let block = 0; block < count; block++) heads.push(headOf(block, "", "qk-block"));
  const rows = methods.map((method) => {
    const places = placesOf(method);
    const cells = method.scores.map((score, block) => {
      const place = places[block];
      const top = place < TOP;
      const cell = make("td", top ? "qk-cell qk-top" : "qk-cell", top ? place + 1 : "");
      shade(cell, shadeOfPlace(place, count));
      const value = Number(score.toPrecision(4));
      cell.title = `block ${block}: ${value}, place ${place + 1} of ${count}`;
      return cell;
    });
    const last = make("td", "qk-use");
    const about = `Make attention on blocks ${topOf(method).join(", ")} the plan in force`;
    last.append(button("Use", "", () => use(method), about));
    return rowOf(rowHead(method.name, method.what), ...cells, last);
  });
  heads.push(headOf("these blocks"));
  return scrolled("Scores by block", tableOf("qk-table", heads, rows));
};

const agreement = (methods, correlations) => {
  const heads = methods.map(({ name }, i) => headOf(i + 1, name, "qk-block"));
  const rows = methods.map(({ name }, i) => {
    const cells = correlations[i].map((value, j) => {
      const cell = make("td", value < 0 ? "qk-cell qk-against" : "qk-cell");
      if (i !== j) cell.textContent = value.toFixed(2);
      shade(cell, i === j ? 0 : shadeOfAgreement(value));
      cell.title = `${name} and ${methods[j].name}: ${value.toFixed(3)}`;
      return cell;
    });
    return rowOf(rowHead(`${i + 1} ${name}`), ...cells);
  });
  const table = tableOf("qk-table qk-agree", [make("th"), ...heads], rows);
  return scrolled("Agreement (Spearman's rank correlation)", table);
};

/* What each score is, and whose. */
const explained = (methods) => {
  const node = make("details", "qk-words");
  const list = make("dl");
  for (const { name, what, formula, source } of methods) {
    const words = make("dd", "", what);
    words.append(make("br"), make("span", "qk-formula", formula), make("br"));
    words.append(make("small", "", source));
    list.append(make("dt", "", name), words);
  }
  node.append(make("summary", "", "What each score is, and whose"), list);
  return node;
};

class Scores {
  constructor({ element, props, server, watch, tell }) {
    this.api = new Api(server);
    this.root = element.querySelector(".qk-view");
    this.poller = new Poller({
      ask: (current) => this.ask(current),
      every: () => (this.working ? POLL_MS : null),
      tell: (error) => this.tell(error),
      place: placeOf(element),
      // Whatever the work failed of, asking again would begin it again.
      ends: (error) => error.kind !== "network",
    });
    this.use = tell;
    this.by = "trained";
    watch("value", () => this.open(props.value));
    this.open(props.value);
  }

  open(asked) {
    // What was used is told by the value as well; the scores are the same.
    if (asked && asked === this.used) return;
    this.poller.stop();
    this.asked = asked || "";
    this.root.replaceChildren();
    if (this.asked) this.poller.now();
  }

  async ask(current) {
    const answer = await this.api.call("scores", JSON.parse(this.asked));
    if (!current()) return;
    this.working = Boolean(answer.working);
    if (answer.working) this.wait(answer.working);
    else this.draw(answer);
  }

  tell(error) {
    const wrong = problemLine();
    write(wrong, error ? messageOf(error) : "");
    if (error) this.root.replaceChildren(wrong);
  }

  wait(working) {
    const { share, text } = progressOf(working);
    const node = make("p", "qk-wait", text);
    const bar = make("progress", "qk-bar");
    bar.setAttribute("aria-label", "Scoring the blocks");
    bar.max = 1;
    bar.value = share;
    node.append(bar);
    this.root.replaceChildren(node);
  }

  draw(answer) {
    const { model, sequences } = answer;
    const methods = methodsOf(answer, this.by);
    const title = make("h3", "", `Which blocks of ${model} matter to an attention-only plan`);
    const note =
      `Darker is higher within a row; the top ${TOP} are numbered. On ${sequences} sequences of ` +
      `the data. Methods that score tensors use ${SCORED[this.by]}, the others the whole block.`;
    const counted = choice("Scored by", SCORED, this.by, (by) => {
      this.by = by;
      this.draw(answer);
    });
    const said = make("p", "qc-note");
    said.setAttribute("role", "status");
    const both = make("div", "qk-both");
    both.append(
      heat(methods, (method) => this.take(method, said)),
      agreement(methods, answer[this.by].agreement),
    );
    this.root.replaceChildren(
      title,
      make("p", "qc-note", note),
      counted,
      both,
      said,
      explained(methods),
    );
  }

  take(method, said) {
    const blocks = topOf(method);
    const use = { method: method.name, blocks };
    this.used = JSON.stringify({ ...JSON.parse(this.asked), use });
    this.use(this.used);
    write(
      said,
      `The plan in force is attention on blocks ${blocks.join(", ")}, by ${method.name}.`,
    );
  }
}

/** Mounts the view on a component of gradio's; its value is what to score, as JSON. */
export const mount = (component) => new Scores(component);
