/* What the view of one run consists of. */
import { make } from "./dom.js";
import { unbroken } from "./format.js";
import { Movement } from "./movement.js";
import { RateCurve } from "./rate_curve.js";
import { RunCharts } from "./run_charts.js";
import { RunHead } from "./run_head.js";
import { RunLog } from "./run_log.js";
import { RunNotes } from "./run_notes.js";
import { keptOf, outcomeOf } from "./run_words.js";
import { Samples } from "./samples.js";

export class RunParts {
  /**
   * @param run its name.
   * @param actions of the head's buttons, see `RunHead`.
   * @param readLog see `RunLog`.
   * @param charts what `RunCharts` is made of, but for the run.
   */
  constructor(run, { actions, readLog, charts }) {
    this.known = { start: null, epoch: null, phase: null }; // of all answers so far
    this.head = new RunHead(run, actions);
    this.form = make("div");
    this.log = new RunLog(readLog);
    this.outcome = make("div", "qr-outcome");
    this.notes = new RunNotes(actions.findRate);
    this.rates = new RateCurve();
    this.charts = new RunCharts({ run, ...charts });
    this.samples = new Samples();
    this.movement = new Movement();
  }

  get nodes() {
    const { head, form, log, outcome, notes, rates, charts, samples, movement } = this;
    const { controls, main, small } = charts;
    const curves = [controls, main.node, samples.node, small, movement.node];
    return [...head.nodes, form, log.node, outcome, notes.node, rates.node, ...curves];
  }

  clear(axisChanged) {
    this.charts.clear(axisChanged);
    this.samples.clear();
    this.notes.clear();
    this.rates.clear();
    this.movement.clear();
  }

  showOutcome(end) {
    const found = outcomeOf(end);
    this.outcome.replaceChildren();
    if (!found) return;
    const fall = make("div", "qr-fall");
    fall.append("Evaluation loss ", make("b", "", found.before), " → ");
    fall.append(make("b", "qr-after", found.after), ` nats per token (${found.change})`);
    this.outcome.append(fall);
    const kept = keptOf(end);
    if (!kept) return;
    const rise = make("div", "qr-kept");
    rise.append(
      "Text to keep: loss ",
      make("b", "", kept.before),
      " → ",
      make("b", "", kept.after),
    );
    rise.append(unbroken(` (${kept.change}), KL from the base ${kept.kl} nats per token`));
    this.outcome.append(rise);
  }
}
