/* gradio's dropdown shows its choice in a read-only way: as the value of an input. It is translated as it
   is set, and read as it was set, so that gradio finds its choice again. */

const CHOICES = 'input[role="combobox"]';
const native = Object.getOwnPropertyDescriptor(HTMLInputElement.prototype, "value");
const said = new WeakMap(); // input -> {english, shown}

const show = (input, english, translate) => {
  const shown = translate(english);
  said.set(input, { english, shown });
  native.set.call(input, shown);
};

const englishOf = (input) => {
  const value = native.get.call(input);
  const record = said.get(input);
  return record?.shown === value ? record.english : value;
};

const follow = (input, translate) => {
  if (Object.hasOwn(input, "value")) return;
  show(input, native.get.call(input), translate);
  Object.defineProperty(input, "value", {
    configurable: true,
    get: () => englishOf(input),
    set(value) {
      show(input, String(value ?? ""), translate);
    },
  });
};

/** Translate the choice of every dropdown from here on down. */
export const translateChoices = (root, translate) => {
  if (root.matches?.(CHOICES)) follow(root, translate);
  for (const input of root.querySelectorAll?.(CHOICES) ?? []) follow(input, translate);
};

/** Show English again. */
export const restoreChoices = () => {
  for (const input of document.querySelectorAll(CHOICES)) {
    const english = englishOf(input);
    delete input.value;
    native.set.call(input, english);
  }
};
