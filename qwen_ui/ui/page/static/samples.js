/* What the model wrote before, during and after, beside each other; a row a prompt. */
import { make, rowOf, select, tableOf } from "./dom.js";
import { exact } from "./format.js";

/** The texts by prompt and step, and which steps stand beside each other. No DOM. */
export class SampleTexts {
  constructor() {
    this.prompts = new Map();
  }

  add(samples) {
    for (const { step, prompt, text } of samples) {
      if (!this.prompts.has(prompt)) this.prompts.set(prompt, new Map());
      this.prompts.get(prompt).set(step, text);
    }
  }

  get steps() {
    const all = new Set([...this.prompts.values()].flatMap((texts) => [...texts.keys()]));
    return [...all].sort((a, b) => a - b);
  }

  /** The columns' {step, title}, the first, one between and the last; `between` are the steps that
      the middle one may be chosen from, `chosen` or else the one halfway. */
  columns(chosen, over) {
    const steps = this.steps;
    const between = steps.slice(1, -1);
    const [first, final] = [steps[0], steps.at(-1)];
    const columns = [{ step: first, title: first === 0 ? "before" : `step ${exact(first)}` }];
    if (between.length) {
      const half = between[Math.floor((between.length - 1) / 2)];
      columns.push({ step: between.includes(chosen) ? chosen : half, between });
    }
    if (final !== first) {
      columns.push({ step: final, title: `${over ? "after" : "now"}, step ${exact(final)}` });
    }
    return columns;
  }
}

export class Samples {
  constructor() {
    this.node = make("section", "qr-section qr-samples-part");
    this.clear();
  }

  clear() {
    this.texts = new SampleTexts();
    this.chosen = null;
    this.over = false;
    this.node.replaceChildren();
    this.node.hidden = true;
  }

  take(samples, over) {
    if (!samples.length && over === this.over) return;
    this.over = over;
    this.texts.add(samples);
    if (this.texts.prompts.size) this.draw();
  }

  draw() {
    const columns = this.texts.columns(this.chosen, this.over);
    const heads = columns.map((column) =>
      column.between ? this.picker(column) : make("th", "", column.title),
    );
    const rows = [...this.texts.prompts].map(([prompt, texts]) =>
      rowOf(
        make("td", "qr-prompt notranslate", prompt ?? ""),
        ...columns.map(({ step }) =>
          make("td", "notranslate", (texts.get(step) ?? "–").trimStart()),
        ),
      ),
    );
    const table = tableOf("qr-samples", [make("th", "", "prompt"), ...heads], rows);
    const focused = this.node.contains(document.activeElement);
    this.node.replaceChildren(make("h4", "", "What it writes"), table);
    this.node.hidden = false;
    if (focused) this.node.querySelector("select")?.focus();
  }

  picker({ between, step }) {
    const cell = make("th", "", "during, step ");
    const options = Object.fromEntries(between.map((one) => [one, exact(one)]));
    const picker = select(options, step, (value) => {
      this.chosen = Number(value);
      this.draw();
    });
    picker.setAttribute("aria-label", "Step of the sample in the middle");
    cell.append(picker);
    return cell;
  }
}
