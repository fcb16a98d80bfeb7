/* The live grid: the selector's blocks by kinds, shaded by how far a step moves each cell. */
import { choice, make, rowOf, tableOf, write } from "qwen/page/dom.js";
import { exact } from "qwen/page/format.js";
import { HeatGrid, legendOf, shown } from "qwen/page/heat_grid.js";
import { Scale } from "qwen/page/scale.js";
import { allOf, FIGURES, joined, structureOf, valuesOf } from "./live_grid_data.js";
import { RunSection } from "./run_section.js";

const WAITING_MS = 2000;
const ABOUT =
  "Each picture is of one step: the norm of what it changed over the norm of what was there, and " +
  "the gradient's norm before clipping. Frozen cells move by exactly 0.";

class LiveGrid extends RunSection {
  constructor(component) {
    super(component, "qr-live");
  }

  reset() {
    this.pictures = [];
    this.began = 0;
    this.follows = true;
    this.figure = "ratio";
  }

  wait() {
    return this.state.over ? null : WAITING_MS;
  }

  async ask(current) {
    const seen = this.pictures.at(-1)?.step ?? 0;
    const answer = await this.api.call("look_at_grid", { run: this.run, began: this.began, seen });
    if (!current()) return;
    const changed = answer.again || answer.pictures.length > 0;
    this.pictures = joined(this.pictures, answer);
    this.began = answer.began;
    this.state = answer;
    if (!this.pictures.length || !answer.kinds.length) {
      this.built = false;
      this.root.replaceChildren(this.wrong);
      return;
    }
    if (!this.built) this.build(structureOf(answer.kinds));
    if (changed) this.refresh();
  }

  build(structure) {
    this.built = true;
    this.structure = structure;
    this.grid = new HeatGrid("Blocks by kinds");
    this.grid.build(structure.inside, structure.blocks);
    this.slider = Object.assign(make("input", "qr-live-slider"), {
      type: "range",
      min: 0,
      step: 1,
    });
    this.slider.setAttribute("aria-label", "Picture");
    this.slider.addEventListener("input", () => {
      this.follows = Number(this.slider.value) === this.pictures.length - 1;
      this.paint();
    });
    this.at = make("output", "qr-live-step");
    const row = make("div", "qr-live-tools");
    const figure = choice("Shade by", FIGURES, this.figure, (value) => {
      this.figure = value;
      this.refresh();
    });
    row.append(figure, this.slider, this.at);
    this.legend = make("div");
    this.outside = make("div");
    this.root.replaceChildren(
      make("h3", "qr-heading", "Live grid"),
      make("p", "q-hint", ABOUT),
      row,
      this.grid.node,
      this.legend,
      this.outside,
      this.wrong,
    );
  }

  /** After new pictures, or for another figure. */
  refresh() {
    this.scale = new Scale(allOf(this.pictures, this.figure));
    this.legend.replaceChildren(legendOf(this.scale, "frozen: 0"));
    this.slider.max = this.pictures.length - 1;
    if (this.follows) this.slider.value = this.pictures.length - 1;
    this.paint();
  }

  paint() {
    const picture = this.pictures[Number(this.slider.value)];
    const values = valuesOf(picture, this.figure);
    const { inside, outside } = this.structure;
    const has = inside.map(([, , blocks]) => new Set(blocks));
    this.grid.paint(
      (kind, block) => (has[kind].has(block) ? values(inside[kind][0], block) : null),
      this.scale,
      FIGURES[this.figure],
    );
    write(this.at, `step ${exact(picture.step)}`);
    this.slider.setAttribute("aria-valuetext", `step ${exact(picture.step)}`);
    const moved = outside.filter(([label]) => values(label, null) !== 0);
    const lines = moved.map(([label]) =>
      rowOf(make("td", "qr-setting", label), make("td", "qr-figure", shown(values(label, null)))),
    );
    this.outside.replaceChildren(...(lines.length ? [tableOf("qr-live-outside", [], lines)] : []));
  }
}

/** Mounts the section on a component of gradio's; its value is the run's name. */
export const mount = (component) => new LiveGrid(component);
