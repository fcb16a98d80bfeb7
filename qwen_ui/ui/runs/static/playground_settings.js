/* Who writes, and how: two sides with their strengths, and how tokens are drawn. */
import { make, select } from "qwen/page/dom.js";

const STRONGEST = 3;
const FIELDS = {
  temperature: { label: "Temperature", value: 0.7, min: 0, max: 5, step: 0.1 },
  tokens: { label: "Maximum tokens", value: 128, min: 1, max: 2048, step: 1 },
  seed: { label: "Seed", value: 0, min: 0, max: 2147483647, step: 1 },
};

const labelled = (text, input, className = "qr-field") => {
  const wrap = make("label", className);
  wrap.append(make("span", "", text), input);
  return wrap;
};

const tick = (text, checked, title) => {
  const wrap = make("label", "qr-tick");
  const input = Object.assign(make("input"), { type: "checkbox", checked });
  wrap.title = title;
  wrap.append(input, ` ${text}`);
  return { wrap, input };
};

/* One side: the base or a run, and how much of it. */
class SideChoice {
  constructor(title, sides, run) {
    this.node = make("div", "qr-side");
    const options = Object.fromEntries(sides.map((side) => [side.run, side.name]));
    this.choice = select(options, run, () => this.changed());
    this.range = Object.assign(make("input"), {
      type: "range",
      min: 0,
      max: STRONGEST,
      step: 0.05,
      value: 1,
    });
    this.shown = make("output", "qr-num", "1");
    this.range.addEventListener("input", () => this.changed());
    this.strength = labelled("Strength", this.range, "qr-strength");
    this.strength.title =
      "0 is the base, 1 what training left, beyond 1 further than training went";
    this.strength.append(this.shown);
    this.node.append(labelled(title, this.choice), this.strength);
    this.changed();
  }

  changed() {
    this.shown.textContent = this.range.value;
    this.strength.hidden = !this.choice.value;
  }

  get value() {
    return { run: this.choice.value, strength: this.choice.value ? Number(this.range.value) : 1 };
  }
}

export class Settings {
  /** sides: [{run, name}] to choose from, the base's run is ""; run: whose page it is. */
  constructor(sides, run) {
    this.node = make("div", "qr-talk-settings");
    this.choices = [new SideChoice("One side", sides, ""), new SideChoice("The other", sides, run)];
    const pair = make("div", "qr-sides");
    pair.append(...this.choices.map((choice) => choice.node));
    const row = make("div", "qr-sampling");
    this.inputs = {};
    for (const [name, { label, ...about }] of Object.entries(FIELDS)) {
      this.inputs[name] = Object.assign(make("input"), { type: "number", ...about });
      row.append(labelled(label, this.inputs[name]));
    }
    this.chat = tick("Chat template", true, "By the model's own template, with the turns before");
    this.blind = tick("Blind", false, "Unlabelled, in random order, each prompt by itself");
    row.append(this.chat.wrap, this.blind.wrap);
    this.node.append(pair, row);
  }

  /** Whether the model has a chat template is known when it is loaded. */
  offerTemplate(has) {
    if (has) return;
    this.chat.input.checked = false;
    this.chat.wrap.hidden = true;
  }

  get values() {
    const number = (name) => {
      const { min, max, value } = FIELDS[name];
      const given = this.inputs[name].valueAsNumber;
      return Number.isFinite(given) ? Math.min(max, Math.max(min, given)) : value;
    };
    return {
      sides: this.choices.map((choice) => choice.value),
      sampling: {
        chat: this.chat.input.checked,
        tokens: Math.round(number("tokens")),
        temperature: number("temperature"),
        seed: Math.round(number("seed")),
      },
      blind: this.blind.input.checked,
    };
  }
}
