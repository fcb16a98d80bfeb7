/* What the learning-rate finder tried: the loss of its short runs by rate, and what it found. */
import { make } from "./dom.js";
import { rateText } from "./format.js";
import { logAxis } from "./log_ticks.js";
import { colour, CONFIG, drawer, keepFitting, layout } from "./plotly.js";

const HEIGHT = 240;
const TITLE = "Evaluation loss of the short runs by learning rate; a star is the rate found";

/** plotly's traces of the loss of the short runs by learning rate, a star where a rate was found. */
export const rateTraces = (searches, paint) =>
  searches.flatMap(({ plan, trials, rate, steps }) => {
    const points = trials.filter(([, loss]) => loss !== null);
    if (!points.length) return [];
    const color = paint(plan);
    const at = { type: "scatter", name: plan, legendgroup: plan };
    const curve = {
      ...at,
      mode: "lines+markers",
      x: points.map(([tried]) => tried),
      y: points.map(([, loss]) => loss),
      text: points.map(([tried]) => rateText(tried)),
      line: { color, width: 1.6 },
      hovertemplate: `%{text}: %{y:.4f} after ${steps} steps`,
    };
    if (rate === null) return [curve];
    const lowest = Math.min(...curve.y);
    const star = {
      ...at,
      mode: "markers",
      x: [rate],
      y: [lowest],
      text: [rateText(rate)],
      marker: { symbol: "star", size: 13, color },
      showlegend: false,
      hovertemplate: "found: %{text}<extra></extra>",
    };
    return [curve, star];
  });

/** plotly's layout of these traces. */
export const rateLayout = (traces, height) => {
  const rates = logAxis(
    traces.flatMap(({ x }) => x),
    rateText,
  );
  const x = { ...rates, title: { text: "learning rate" } };
  const y = { title: { text: "nats per token" }, automargin: true };
  return { ...layout("", { height, x, y }), hovermode: "closest" };
};

/** The curve in the view of a run that finds a rate; hidden in that of any other. */
export class RateCurve {
  constructor() {
    this.node = make("section", "qr-section");
    this.plot = keepFitting(make("div", "qr-plot"));
    this.node.append(make("h4", "", TITLE), this.plot);
    this.clear();
  }

  clear() {
    this.search = { plan: "", trials: [], rate: null, steps: 0 };
    this.node.hidden = true;
  }

  /** trials: new ones, [{rate, loss, steps}]; end: the run's, where it is there. */
  take(trials, end) {
    const { search } = this;
    if (end) search.rate = end.learning_rate ?? null;
    if (!trials.length && !end) return undefined;
    const again = new Set(trials.map(({ rate }) => rate));
    const kept = search.trials.filter(([rate]) => !again.has(rate));
    search.trials = [...kept, ...trials.map(({ rate, loss }) => [rate, loss])];
    search.trials.sort(([a], [b]) => a - b);
    search.steps = trials.at(-1)?.steps ?? search.steps;
    return this.draw();
  }

  async draw() {
    const traces = rateTraces([this.search], () => colour("accent"));
    if (!traces.length || !drawer()) return;
    this.node.hidden = false;
    await drawer().react(this.plot, traces, rateLayout(traces, HEIGHT), CONFIG);
  }
}
