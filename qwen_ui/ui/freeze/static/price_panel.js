/* What a step costs with this plan, beside training everything. Follows the plan that Python has
   confirmed. */
import { messageOf } from "qwen/page/api.js";
import { make, write } from "qwen/page/dom.js";
import { exact, percent } from "qwen/page/format.js";
import { Latest } from "./latest.js";

const PRICE_MS = 60;
const WAYS_MS = 500;
const FIT_MS = 1500;
const CARDS_MS = 2000;
const OF_THE_WORKER = ["optimizer", "checkpointing", "keep_prefix", "masters"]; // its to say

const headCell = (text) => {
  const cell = make("th", "", text);
  cell.scope = "row";
  return cell;
};

const tableRow = (head, ...cells) => {
  const line = make("tr");
  line.append(headCell(head), ...cells);
  return line;
};

const sequences = (count) => (count ? exact(count) : "none fits");

export class PricePanel {
  constructor(tab) {
    this.tab = tab;
    this.root = tab.find(".qf-price");
    this.find = (selector) => this.root.querySelector(selector);
    this.prices = new Latest(
      PRICE_MS,
      (current) => this.price(current),
      (error) => this.showPrice({ problem: messageOf(error) }),
    );
    this.ways = new Latest(
      WAYS_MS,
      (current) => this.priceWays(current),
      (error) => this.showProblem(messageOf(error)),
    );
    this.fits = new Latest(
      FIT_MS,
      (current) => this.fit(current),
      (error) => this.showFit("–", "–", messageOf(error)),
    );
    this.cards = new Latest(
      CARDS_MS,
      (current) => this.fitCards(current),
      (error) => this.showCards([], messageOf(error)),
    );
    this.root.addEventListener("input", () => this.follow());
    this.brief = tab.find(".qf-brief");
    this.brief.querySelector(".qf-to-price").addEventListener("click", () => this.reveal());
    // A dozen steps are traced for it, so it is asked for by those who open it.
    this.find(".qf-cards").addEventListener("toggle", () => this.askCards());
  }

  /** Below the grid: scrolled to, and its first setting has the focus. */
  reveal() {
    this.root.scrollIntoView();
    this.setting("batch_size").focus({ preventScroll: true });
  }

  follow() {
    if (!this.tab.selection) return;
    if (this.structure !== this.tab.structure) this.clear();
    this.waits(true);
    this.find(".qf-ways").classList.add("qf-old");
    const worker = this.setting("worker").checked;
    for (const name of OF_THE_WORKER) this.setting(name).disabled = worker;
    this.fits.drop();
    this.ways.drop();
    this.cards.drop();
    this.find(".qf-cards").classList.add("qf-old");
    this.prices.ask();
  }

  /** No figures of another model. */
  clear() {
    this.structure = this.tab.structure;
    write(this.brief.querySelector(".qf-sentence"), "Tracing a step …");
    this.showBrief([]);
    this.find("tbody").replaceChildren();
    this.showWays([]);
    this.showCards([]);
    this.showFit("–", "–", "");
  }

  setting(name) {
    return this.find(`[data-setting=${name}]`);
  }

  /** The selection, and the settings as they stand in the form. */
  asked() {
    const asked = {};
    for (const input of this.root.querySelectorAll("[data-setting]")) {
      asked[input.dataset.setting] = input.type === "checkbox" ? input.checked : input.value;
    }
    return { ranges: this.tab.selection.ranges(), asked };
  }

  async price(current) {
    const answer = await this.tab.ask("price_step", this.asked());
    if (!current()) return;
    this.showPrice(answer);
    this.showFit("…", "…", "");
    this.ways.ask();
    this.fits.ask();
    this.askCards();
  }

  showPrice({ sentence = "", rows = [], problem = "" }) {
    this.waits(false);
    this.showFit("–", "–", "");
    this.find("tbody").replaceChildren(...rows.map((row) => this.priceRow(row)));
    this.showBrief(rows);
    this.showSentence(problem || sentence, problem !== "");
    if (problem) this.showWays([]);
  }

  waits(on) {
    for (const node of [this.root, this.brief]) node.classList.toggle("qf-waits", on);
  }

  /** The figures that count, beside the grid. */
  showBrief(rows) {
    const plan = Object.fromEntries(rows.map((row) => [row.name, row]));
    for (const cell of this.brief.querySelectorAll("[data-brief]")) {
      const row = plan[cell.dataset.brief];
      write(cell, row ? `${row.plan} (${percent(row.ratio)})` : "–");
      cell.title = row?.exact ?? "";
    }
  }

  showProblem(problem) {
    this.showWays([]);
    this.showSentence(problem, true);
  }

  showSentence(text, wrong) {
    const line = this.brief.querySelector(".qf-sentence");
    write(line, text);
    line.classList.toggle("qs-problem", wrong);
  }

  priceRow({ label, plan, full, exact: title, ratio }) {
    const bar = make("td", "qf-ratio-bar");
    const meter = make("div", "qs-meter");
    meter.append(make("i"));
    meter.style.setProperty("--all", ratio === null ? "0%" : "100%");
    meter.style.setProperty("--part", `${Math.min(100, 100 * (ratio ?? 0)).toFixed(2)}%`);
    bar.append(meter);
    const cells = [make("td", "", plan), make("td", "qf-full", full), bar];
    const line = tableRow(label, ...cells, make("td", "", percent(ratio)));
    line.title = title;
    return line;
  }

  async priceWays(current) {
    const { ways, streamed } = await this.tab.ask("price_ways", this.asked());
    if (current()) this.showWays(ways, streamed);
  }

  showWays(ways, streamed = "") {
    write(this.find(".qf-streamed"), streamed);
    this.find(".qf-ways").classList.remove("qf-old");
    this.find(".qf-ways tbody").replaceChildren(
      ...ways.map((way) => {
        const texts = [way.step, percent(way.step_ratio), way.peak, percent(way.peak_ratio)];
        return tableRow(way.label, ...texts.map((text) => make("td", "", text)));
      }),
    );
  }

  askCards() {
    const { open } = this.find(".qf-cards");
    if (!open || !this.tab.selection) return;
    write(this.find(".qf-cards-note"), "Pricing this step at many batch sizes …");
    this.cards.ask();
  }

  async fitCards(current) {
    const { cards } = await this.tab.ask("fit_cards", this.asked());
    if (current()) this.showCards(cards);
  }

  showCards(cards, problem = "") {
    write(this.find(".qf-cards-note"), problem);
    this.find(".qf-cards").classList.remove("qf-old");
    this.find(".qf-cards tbody").replaceChildren(
      ...cards.map(({ card, usable, need, fits, batch, remedy }) => {
        const said = fits ? "" : remedy || "nothing of what is tried here";
        const texts = [usable, need, fits ? "yes" : "no", batch ? exact(batch) : "none", said];
        const line = tableRow(card, ...texts.map((text) => make("td", "", text)));
        line.firstChild.classList.add("notranslate");
        line.classList.toggle("qf-fits", fits);
        return line;
      }),
    );
  }

  async fit(current) {
    const memory = this.find(".qf-memory").value;
    const answer = await this.tab.ask("fit_batch", { ...this.asked(), memory });
    if (!current()) return;
    const where = `in ${answer.memory}, ${answer.where}`;
    this.showFit(sequences(answer.plan), sequences(answer.full), where);
  }

  showFit(plan, full, where) {
    for (const part of [this.root, this.brief]) write(part.querySelector(".qf-fit-plan"), plan);
    write(this.find(".qf-fit-full"), full);
    write(this.find(".qf-fit-where"), where);
  }
}
