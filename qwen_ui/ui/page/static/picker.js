/* The model picker: what it takes beside a name from its list. gradio draws the field itself. */
import { problemLine, write } from "./dom.js";
import { isConfiguration, wishOf } from "./given_files.js";
import { wish } from "./wishes.js";

const TAKES = "A preset, hub id, folder or config.json";
const READING = "It is being read …";

const isPicker = (event) => Boolean(event.target.closest?.("#q-picker input"));

class Picker {
  constructor() {
    this.wrong = problemLine();
    document.addEventListener("focusin", (event) => isPicker(event) && this.onFocus(event));
    document.addEventListener("paste", (event) => isPicker(event) && this.onPaste(event));
    document.addEventListener("dragover", (event) => this.onDrag(event));
    document.addEventListener("dragleave", (event) => this.onLeave(event));
    document.addEventListener("drop", (event) => this.onDrop(event));
  }

  get header() {
    return document.querySelector("#q-header");
  }

  say(text) {
    if (!this.wrong.isConnected) document.querySelector("#q-model")?.append(this.wrong);
    write(this.wrong, text);
  }

  onFocus({ target }) {
    target.placeholder = TAKES;
    target.select();
    this.say("");
    document.querySelector("p.q-reason")?.remove(); // read, and in the way of the list
  }

  onPaste(event) {
    const text = event.clipboardData.getData("text/plain");
    if (!isConfiguration(text)) return;
    event.preventDefault();
    wish({ config: text });
    event.target.blur();
  }

  onDrag(event) {
    if (!this.header?.contains(event.target)) return;
    event.preventDefault();
    this.header.classList.add("q-drop");
  }

  onLeave({ relatedTarget }) {
    if (!this.header?.contains(relatedTarget)) this.header?.classList.remove("q-drop");
  }

  async onDrop(event) {
    const [file] = event.dataTransfer?.files ?? [];
    this.header?.classList.remove("q-drop");
    if (!file || !this.header?.contains(event.target)) return;
    event.preventDefault();
    this.say(READING);
    const { wanted, wrong } = await wishOf(file);
    this.say(wrong ?? "");
    if (wanted) wish(wanted);
  }
}

/** Follow what is done to the picker, and files that are dropped on the page's header. */
export const followPicker = () => new Picker();
