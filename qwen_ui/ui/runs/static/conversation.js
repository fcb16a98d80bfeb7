/* A conversation with two sides: what each is asked next, and what is said of the votes. No DOM. */
import { percent } from "qwen/page/format.js";

const ENDED = {
  end: "",
  length: "ended at the maximum of tokens",
  stopped: "stopped",
  time: "ended after ten minutes",
};

/** Below an answer: "12 tokens · 8.1 per second · ended at a stop string". */
export const remarkOf = ({ tokens, seconds, ended }) => {
  if (!tokens) return "";
  const parts = [`${tokens} ${tokens === 1 ? "token" : "tokens"}`];
  if (seconds) parts.push(`${(tokens / seconds).toPrecision(2)} per second`);
  if (ENDED[ended]) parts.push(ENDED[ended]);
  return parts.join(" · ");
};

/** A side in words: "attention · nano at 0.5". */
export const sideName = (side, names) => {
  const name = names.get(side.run) ?? side.run;
  return side.run && side.strength !== 1 ? `${name} at ${side.strength}` : name;
};

/** What the votes between two sides came to, as a sentence. */
export const tallySentence = ({ wins, neither, interval }, [first, second]) => {
  const decided = wins[0] + wins[1];
  const equal = neither ? ` ${neither} without a preference.` : "";
  if (!decided) return `No vote between them is decided yet.${equal}`;
  const [low, high] = interval;
  const range = `95 % interval ${percent(low)} to ${percent(high)}`;
  const chance = low <= 0.5 && high >= 0.5 ? "; chance could do this" : "";
  return `${first}: preferred in ${wins[0]} of ${decided} blind votes over ${second} (${range}${chance}).${equal}`;
};

export class Conversation {
  constructor() {
    this.turns = []; // {prompt, answers: [text of each side]}
  }

  /** Begin a turn; gives what each of so many sides is to be asked.
      @param together whether former turns are told again: by a chat template, and not in blind mode,
      where the sides change places. */
  ask(prompt, sides, together) {
    const before = together ? this.turns : [];
    const asked = Array.from({ length: sides }, (_, side) => [
      ...before.flatMap((turn) => [
        { role: "user", content: turn.prompt },
        { role: "assistant", content: turn.answers[side] ?? "" },
      ]),
      { role: "user", content: prompt },
    ]);
    this.turns.push({ prompt, answers: Array(sides).fill("") });
    return asked;
  }

  /** What the last turn's sides have written so far. */
  take(texts) {
    this.turns.at(-1).answers = [...texts];
  }

  /** Take the last turn back; gives its prompt, "" where there is none. */
  undo() {
    return this.turns.pop()?.prompt ?? "";
  }
}
