/* The forms of a run: start it anew with other settings, and describe it. */
import { attempt } from "./api.js";
import { button, make, problemLine, write } from "./dom.js";

const MOST_NAME = 120; // characters, as the server keeps them
const MOST_NOTE = 5000;

/* A form with its fields, a button that submits it, and a line for what goes wrong. `work` is what
   it does, a promise; it stays open until that is done. */
const form = (title, fields, submit, work, onclose) => {
  const node = make("form", "qr-form");
  const row = make("div", "qr-form-row");
  const wrong = problemLine();
  const submitting = button(submit, "qr-primary", () => {});
  submitting.type = "submit";
  row.append(submitting, button("Cancel", "", onclose));
  node.append(make("h4", "", title), fields, row, wrong);
  node.addEventListener("submit", async (event) => {
    event.preventDefault();
    submitting.disabled = true;
    await attempt(work, (text) => write(wrong, text));
    submitting.disabled = false;
  });
  node.addEventListener("keydown", (event) => {
    if (event.key === "Escape") onclose();
  });
  return node;
};

const field = (label, input, className = "qr-field") => {
  const wrap = make("label", className);
  wrap.append(make("span", "", label), input);
  return wrap;
};

const textInput = (value, more = {}) =>
  Object.assign(make("input"), { type: "text", value, ...more });

/* The input of a setting: a choice where there are few values, else a text; "" is automatic. */
const settingInput = ({ choices, value }) => {
  if (!choices) return textInput(value, { inputMode: "decimal", placeholder: "automatic" });
  const input = make("select");
  input.append(...choices.map((one) => make("option", "", one)));
  input.value = value;
  return input;
};

/**
 * A new run with the settings of another, some of them changed.
 * @param settings [{name, label, value, choices}] of that run.
 * @param changes {name: value} to begin with.
 * @param retry is given {name: text} of those that are changed.
 */
export const retryForm = (settings, changes, retry, onclose) => {
  const grid = make("div", "qr-fields");
  const changed = {};
  for (const { name, label, value, choices } of settings) {
    const was = value === null ? "" : String(value);
    const input = settingInput({ choices, value: changes[name] ?? was });
    const wrap = field(label, input);
    wrap.title = `It was ${was || "automatic"}`;
    const mark = () => {
      wrap.classList.toggle("qr-changed", input.value !== was);
      if (input.value === was) delete changed[name];
      else changed[name] = input.value;
    };
    input.addEventListener("input", mark);
    mark();
    grid.append(wrap);
  }
  return form("A new run with these settings", grid, "Start it", () => retry(changed), onclose);
};

/** A person's own name, tags and note; `describe` is given all three. */
export const describeForm = ({ name, tags, note }, describe, onclose) => {
  const nameInput = textInput(name ?? "", { maxLength: MOST_NAME });
  const tagsInput = textInput((tags || []).join(", "));
  const noteInput = Object.assign(make("textarea"), { value: note ?? "", rows: 2 });
  noteInput.maxLength = MOST_NOTE;
  const grid = make("div", "qr-fields");
  grid.append(
    field("Name", nameInput),
    field("Tags (comma-separated)", tagsInput),
    field("Note", noteInput, "qr-field qr-field-wide"),
  );
  const described = () =>
    describe({ name: nameInput.value, note: noteInput.value, tags: tagsInput.value.split(",") });
  return form("Name, tags and note", grid, "Save", described, onclose);
};
