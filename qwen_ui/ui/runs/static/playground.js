/* Talk to it: two sides asked the same thing at the same time. The server draws their order in blind
   mode and tells it with the vote alone. */
import { isRefusal } from "qwen/page/api.js";
import { button, make, write } from "qwen/page/dom.js";
import { Conversation, remarkOf, sideName, tallySentence } from "./conversation.js";
import { Settings } from "./playground_settings.js";
import { RunSection } from "./run_section.js";

const WRITING_MS = 250;
const WAITING_MS = 3000; // for a run that is not over
const MOST_PROMPT = 20_000;
const ABOUT =
  "Both sides get the same prompt and the same random numbers, so they differ where the models do. " +
  "They share one base in memory; what was trained is exchanged while they take turns.";
const UNDER_WAY = ["loading", "writing"];

class Playground extends RunSection {
  constructor(component) {
    super(component, "qr-talk");
    this.said = make("p", "qr-talk-said");
    this.said.setAttribute("role", "status");
  }

  reset() {
    this.conversation = new Conversation();
    this.number = null; // of the question that is being answered
  }

  wait() {
    if (this.number) return WRITING_MS;
    return this.state?.why && !this.state.over ? WAITING_MS : null;
  }

  async ask(current) {
    if (this.number) {
      const answer = await this.api.call("talk_written", { number: this.number });
      if (current()) this.take(answer);
      return;
    }
    const state = await this.api.call("talk_state", { run: this.run });
    if (!current()) return;
    this.state = state;
    this.build();
  }

  tell(error) {
    super.tell(error);
    if (error && isRefusal(error)) this.finish();
  }

  build() {
    const head = make("h3", "qr-heading", "Talk to it");
    if (this.state.why) {
      this.root.replaceChildren(head, make("p", "q-hint", this.state.why), this.wrong);
      return;
    }
    this.names = new Map(this.state.sides.map(({ run, name }) => [run, name]));
    this.settings = new Settings(this.state.sides, this.run);
    this.log = make("div", "qr-talk-log");
    this.votes = make("div", "qr-votes");
    this.root.replaceChildren(
      head,
      make("p", "q-hint", ABOUT),
      this.settings.node,
      this.log,
      this.votes,
      this.composer(),
      this.said,
      this.wrong,
    );
    this.busy(false);
  }

  composer() {
    const form = make("form", "qr-talk-form");
    this.prompt = Object.assign(make("textarea"), {
      rows: 2,
      maxLength: MOST_PROMPT,
      placeholder: "Write to both …",
    });
    this.prompt.setAttribute("aria-label", "What both sides are asked");
    this.send = button("Send", "qr-send", () => {});
    this.send.type = "submit";
    this.stop = button("Stop", "", () => this.trying(() => this.api.call("talk_stop")));
    this.again = button(
      "Again",
      "",
      () => this.repeat(),
      "Asks the last prompt with these settings",
    );
    this.clear = button("Clear", "", () => this.forget(), "Begins a new conversation");
    const row = make("div", "qr-form-row");
    row.append(this.send, this.stop, this.again, this.clear);
    form.append(this.prompt, row);
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      this.start(this.prompt.value);
    });
    this.prompt.addEventListener("keydown", (event) => {
      if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
      event.preventDefault();
      if (!this.send.disabled) this.start(this.prompt.value);
    });
    return form;
  }

  async start(prompt) {
    if (!prompt.trim()) return;
    const { sides, sampling, blind } = this.settings.values;
    const together = sampling.chat && !blind;
    const asked = this.conversation.ask(prompt, sides.length, together);
    this.draw(prompt, sides, blind);
    this.busy(true);
    const given = await this.trying(() =>
      this.api.call("talk", {
        run: this.run,
        sides: sides.map((side, number) => ({ ...side, messages: asked[number] })),
        sampling,
        blind,
      }),
    );
    if (!given) {
      this.conversation.undo();
      this.log.lastChild.remove();
      this.busy(false);
      return;
    }
    this.prompt.value = "";
    this.blind = blind;
    this.sides = sides;
    this.number = given.number;
    this.poller.now();
  }

  /* A turn's place: the prompt, and below it the answers beside each other. */
  draw(prompt, sides, blind) {
    const turn = make("div", "qr-turn");
    const answers = make("div", "qr-answers");
    this.cells = sides.map((side, number) => {
      const cell = make("div", "qr-answer");
      const name = blind ? `Answer ${number + 1}` : sideName(side, this.names);
      const parts = {
        name: make("b", "", name),
        text: make("p", "qr-answer-text notranslate"),
        remark: make("span", "q-hint"),
      };
      cell.append(parts.name, parts.text, parts.remark);
      answers.append(cell);
      return parts;
    });
    turn.append(make("p", "qr-asked notranslate", prompt), answers);
    this.log.append(turn);
    this.votes.replaceChildren();
  }

  take({ state, said, sides, ready }) {
    sides.forEach((side, number) => {
      write(this.cells[number].text, side.text);
      write(this.cells[number].remark, this.blind ? "" : remarkOf(side));
    });
    this.conversation.take(sides.map((side) => side.text));
    if (ready) this.settings.offerTemplate(ready.template);
    write(this.said, this.waitingFor(state, ready));
    if (UNDER_WAY.includes(state)) return;
    if (state === "failed") write(this.wrong, said);
    else if (this.blind) this.askForVote(this.number);
    this.finish();
  }

  waitingFor(state, ready) {
    if (state === "loading") return `Loading ${this.state.model} in a process of its own …`;
    return ready ? `${ready.model} in ${ready.dtype} on ${ready.device}.` : "";
  }

  finish() {
    this.number = null;
    this.poller.stop();
    if (this.send) this.busy(false);
  }

  askForVote(number) {
    const vote = (choice) => () => this.vote(number, choice);
    this.votes.replaceChildren(
      make("span", "", "Which is better?"),
      button("Answer 1", "", vote("first")),
      button("Answer 2", "", vote("second")),
      button("Neither", "", vote("neither")),
    );
  }

  async vote(number, choice) {
    const found = await this.trying(() => this.api.call("talk_vote", { number, choice }));
    if (!found) return;
    const names = this.sides.map((side) => sideName(side, this.names));
    const shown = found.first ? [...names].reverse() : names;
    shown.forEach((name, place) => write(this.cells[place].name, name));
    this.votes.replaceChildren(make("span", "", tallySentence(found, names)));
  }

  busy(writing) {
    this.send.disabled = writing;
    this.stop.hidden = !writing;
    const turns = this.conversation.turns.length;
    this.again.hidden = this.clear.hidden = writing || !turns;
  }

  repeat() {
    const prompt = this.conversation.undo();
    this.log.lastChild.remove();
    this.start(prompt);
  }

  forget() {
    this.conversation = new Conversation();
    this.log.replaceChildren();
    this.votes.replaceChildren();
    this.busy(false);
    this.prompt.focus();
  }
}

/** Mounts the section on a component of gradio's; its value is the run's name. */
export const mount = (component) => new Playground(component);
