/* Take it away: download, merge, adapter, lines of PyTorch, push. */
import { copyFrom } from "qwen/page/clipboard.js";
import { button, make, write } from "qwen/page/dom.js";
import { download } from "qwen/page/download.js";
import { bytes, percent } from "qwen/page/format.js";
import { RunSection } from "./run_section.js";

const WORKING_MS = 500;
const WAITING_MS = 3000; // for a run that is not over
const field = (label, input) => {
  const wrap = make("label", "qr-field");
  wrap.append(make("span", "", label), input);
  return wrap;
};
const textInput = (about) => Object.assign(make("input"), { type: "text", ...about });
const tick = (text) => {
  const wrap = make("label", "qr-tick");
  const input = Object.assign(make("input"), { type: "checkbox" });
  wrap.append(input, ` ${text}`);
  return { wrap, input };
};

/** How an export stands, in words. */
export const standing = ({ state, said, output, share }) => {
  if (state === "failed") return said;
  if (state === "done") return `Done: ${output}. ${said}`.trim();
  return share ? `${said} ${percent(share)}` : said;
};

/** What turns a merged checkpoint into one for other programs. */
export const elsewhere = (folder) =>
  `For llama.cpp: python convert_hf_to_gguf.py "${folder}" --outfile model.gguf\n` +
  `For Ollama: echo "FROM ${folder}" > Modelfile && ollama create my-model -f Modelfile`;

class TakeAway extends RunSection {
  constructor(component) {
    super(component, "qr-take");
  }

  wait() {
    const { delta, over, exports } = this.state;
    if (Object.values(exports).some(({ state }) => state === "running")) return WORKING_MS;
    return delta || over ? null : WAITING_MS;
  }

  async ask(current) {
    const state = await this.api.call("take_state", { run: this.run });
    if (!current()) return;
    this.state = state;
    if (!state.delta) {
      this.root.replaceChildren(this.wrong);
      return;
    }
    if (!this.built) this.build();
    for (const [kind, found] of Object.entries(state.exports)) this.report(kind, found);
  }

  build() {
    this.built = true;
    this.said = {};
    const parts = [this.file(), this.snippet(), this.merge()];
    if (this.state.adapters) parts.push(this.adapter());
    parts.push(this.push());
    const grid = make("div", "qr-ways");
    grid.append(...parts);
    this.root.replaceChildren(make("h3", "qr-heading", "Take it away"), grid, this.wrong);
  }

  way(title, about, ...nodes) {
    const section = make("section", "qr-way");
    section.append(make("h4", "", title), make("p", "q-hint", about), ...nodes);
    return section;
  }

  copier(label, text, title = "") {
    const node = button(label, "", () => this.trying(() => copyFrom(node, text())), title);
    return node;
  }

  row(...nodes) {
    const row = make("div", "qr-form-row");
    row.append(...nodes);
    return row;
  }

  file() {
    const { path, bytes: size } = this.state.delta;
    const fetch = button(`Download (${bytes(size)})`, "", () =>
      this.trying(async () => {
        const { address, name } = await this.api.call("take_delta", { run: this.run });
        download(name, address);
      }),
    );
    const where = make("code", "qr-path", path);
    const about =
      "The trained tensors alone, as safetensors; plan and settings stand in its metadata.";
    return this.way(
      "The delta",
      about,
      where,
      this.row(
        fetch,
        this.copier("Copy path", () => path),
      ),
    );
  }

  snippet() {
    const code = make("pre", "qr-code");
    code.tabIndex = 0;
    code.hidden = true;
    const copy = this.copier("Copy", () => code.textContent);
    copy.hidden = true;
    const open = button("Show the lines", "", () =>
      this.trying(async () => {
        code.textContent = (await this.api.call("take_snippet", { run: this.run })).text;
        code.hidden = copy.hidden = false;
      }),
    );
    const about = "Plain PyTorch and transformers put the delta on its base.";
    return this.way("In your own code", about, this.row(open, copy), code);
  }

  /* What is told of an export, with a bar while its share is known. */
  place(kind) {
    const said = make("p", "qr-way-said");
    said.setAttribute("role", "status");
    const bar = Object.assign(make("progress", "qr-bar"), { max: 1 });
    bar.setAttribute("aria-label", "Progress");
    bar.hidden = true;
    const more = make("pre", "qr-code");
    more.hidden = true;
    this.said[kind] = { said, bar, more };
    return [bar, said, more];
  }

  output(kind) {
    const input = textInput({ placeholder: this.state.outputs[kind], maxLength: 1000 });
    return { input, node: field("New folder (empty: the one that is shown)", input) };
  }

  merge() {
    const { input, node } = this.output("merge");
    const strength = textInput({ value: "1", maxLength: 1000 });
    strength.title = "0 is the base, 1 what training left; 0.5,24=0.25 for block 24 by itself";
    const begin = button("Merge", "", () =>
      this.take("merge", { output: input.value, strength: strength.value }),
    );
    const about = "The base with the trained tensors in it: a checkpoint that every tool loads.";
    return this.way(
      "A whole model",
      about,
      node,
      field("Strength", strength),
      this.row(begin),
      ...this.place("merge"),
    );
  }

  adapter() {
    const { input, node } = this.output("adapter");
    const begin = button("Write the adapter", "", () =>
      this.take("adapter", { output: input.value }),
    );
    const about = "A folder for PeftModel.from_pretrained.";
    return this.way("A peft adapter", about, node, this.row(begin), ...this.place("adapter"));
  }

  push() {
    const repo = textInput({ placeholder: "owner/name", maxLength: 96 });
    const merged = tick("The whole model");
    const open = tick("Public");
    const begin = button("Push", "", () =>
      this.take("push", {
        repo: repo.value,
        merged: merged.input.checked,
        public: open.input.checked,
      }),
    );
    const about =
      "With a model card: plan, data, figures, base and licence. The token is yours, from " +
      "hf auth login or HF_TOKEN, and is not kept.";
    const ticks = this.row(merged.wrap, open.wrap);
    const name = field("Repository on the Hugging Face hub", repo);
    return this.way("To the hub", about, name, ticks, this.row(begin), ...this.place("push"));
  }

  async take(kind, more) {
    const begun = await this.trying(() => this.api.call("take", { run: this.run, kind, ...more }));
    if (begun) this.poller.now();
  }

  report(kind, found) {
    const place = this.said[kind];
    if (!place) return;
    write(place.said, standing(found));
    place.said.classList.toggle("qr-bad", found.state === "failed");
    place.bar.hidden = found.state !== "running" || !found.share;
    if (found.share) place.bar.value = found.share;
    const done = kind === "merge" && found.state === "done";
    place.more.hidden = !done;
    if (done) write(place.more, elsewhere(found.output));
  }
}

/** Mounts the section on a component of gradio's; its value is the run's name. */
export const mount = (component) => new TakeAway(component);
