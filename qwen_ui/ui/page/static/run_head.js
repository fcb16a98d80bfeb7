/* The head of a run's view: how it stands, its figures, the sentence below, and what can be done. */
import { button, make, problemLine, put, write } from "./dom.js";
import * as words from "./run_words.js";

const KILL = "End the process at once? Steps since the last checkpoint have to be done again.";

/* Of each button: `shown(run, over)`, and `question(name)`, what a person is asked before. */
const ALWAYS = () => true;
const WHEN_OVER = (run, over) => over;
const BUTTONS = {
  stop: { text: "Stop", title: "Saves its state, then ends", shown: (run, over) => !over },
  kill: {
    text: "Kill",
    title: "Ends the process at once",
    shown: (run) => run.status === "running",
    question: () => KILL,
  },
  resume: {
    text: "Resume",
    title: "Continues from the last checkpoint",
    shown: (run, over) => over && run.status !== "completed",
  },
  retry: {
    text: "Retry …",
    title: "A new run with these settings, or with some changed",
    shown: WHEN_OVER,
  },
  describe: { text: "Edit …", title: "Name, tags and note", shown: ALWAYS },
  log: { text: "Logs", title: "The worker's log", shown: ALWAYS },
  csv: { text: "CSV", title: "Download every recorded step as CSV", shown: ALWAYS },
  delete: {
    text: "Delete",
    title: "Removes the run's folder",
    shown: WHEN_OVER,
    question: (name) => `Delete the run ${name}? Its folder is removed.`,
  },
};

export class RunHead {
  /** `actions`: a function by the name of each of the BUTTONS, and `showLog`. */
  constructor(name, actions) {
    Object.assign(this, { name, actions });
    this.badge = make("span", "qr-badge");
    this.title = make("span", "qr-title notranslate");
    this.tags = make("span", "qr-tags notranslate");
    this.bar = make("progress", "qr-bar");
    this.bar.max = 1;
    this.bar.setAttribute("aria-label", "Progress of the run");
    this.facts = make("div", "qr-facts");
    this.note = make("p", "qr-note notranslate");
    this.reason = make("span");
    this.mend = make("span", "qr-mend");
    this.line = make("p", "qr-reason");
    this.line.setAttribute("role", "status");
    this.line.append(this.reason, this.mend);
    this.wrong = problemLine();
    this.nodes = [this.top(), this.bar, this.facts, this.note, this.line, this.wrong];
  }

  top() {
    const head = make("div", "qr-head");
    const said = make("span", "qr-said");
    const row = make("span", "qr-actions");
    said.append(this.badge, this.title, this.tags, make("span", "qr-run notranslate", this.name));
    this.buttons = Object.fromEntries(
      Object.entries(BUTTONS).map(([key, { text, title, question }]) => {
        const onclick = () => {
          if (!question || window.confirm(question(this.name))) this.actions[key]();
        };
        return [key, button(text, "", onclick, title)];
      }),
    );
    row.append(...Object.values(this.buttons));
    head.append(said, row);
    return head;
  }

  /** What goes wrong with what a person asked for, or with the questions. */
  say(text) {
    write(this.wrong, text);
  }

  /** Nothing can be asked for while something is done. */
  lock(locked) {
    for (const node of Object.values(this.buttons)) node.disabled = locked;
  }

  /** answer: of `poll`; known: {start, epoch, phase}, of all answers so far. */
  update(answer, known) {
    const phase = words.phaseOf(answer, known);
    write(this.badge, words.titleOf(phase));
    const beat = this.badge.classList.contains("qr-beat") ? "" : " qr-beat";
    this.badge.className = `qr-badge qr-${answer.status}${beat}`;
    write(this.title, answer.title);
    this.tags.replaceChildren(...answer.meta.tags.map((tag) => make("span", "qr-tag", tag)));
    write(this.note, answer.meta.note);
    this.bar.value = words.shareOf(answer, known);
    put(this.bar, "data-status", answer.status);
    this.facts.replaceChildren(
      ...words.factsOf(answer, known).map(([value, label]) => {
        const fact = make("div", "qr-fact");
        fact.append(make("b", "", value), make("span", "", label));
        return fact;
      }),
    );
    write(this.reason, words.reasonOf(answer, phase, known));
    this.offer(answer);
    this.showButtons(answer);
  }

  /* What mends a run that failed: its log, and the settings that fit. */
  offer(answer) {
    const bad = words.isBad(answer);
    const changes = answer.advice?.changes;
    this.line.classList.toggle("qr-bad", bad);
    const key = bad ? JSON.stringify([changes]) : "";
    if (this.mend.dataset.key === key) return;
    this.mend.dataset.key = key;
    this.mend.replaceChildren();
    if (!bad) return;
    this.mend.append(button("Show the log", "qr-inline", () => this.actions.showLog()));
    const said = words.changesInWords(changes);
    const retry = () => this.actions.retry(changes);
    if (said) this.mend.append(button(`Retry with ${said}`, "qr-inline", retry));
  }

  showButtons(answer) {
    const over = words.isOver(answer);
    for (const [key, { shown }] of Object.entries(BUTTONS)) {
      this.buttons[key].hidden = !shown(answer, over);
    }
    this.buttons.stop.disabled = Boolean(answer.stopping);
    write(this.buttons.stop, answer.status === "queued" ? "Cancel" : "Stop");
  }
}
