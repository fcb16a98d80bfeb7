/* The end of the worker's log, kept up to date as long as it is open. */
import { makeScroller } from "./dom.js";

export class RunLog {
  /** `read(size)` gives {text, size}: the log where its size is another than this. */
  constructor(read) {
    this.read = read;
    this.size = -1;
    this.node = makeScroller("pre", "qr-log", "Log of the worker");
    this.node.hidden = true;
  }

  async toggle(open = this.node.hidden) {
    this.node.hidden = !open;
    this.size = -1;
    await this.refresh();
  }

  async refresh() {
    if (this.node.hidden) return;
    const { text, size } = await this.read(this.size);
    if (size === this.size) return;
    const { scrollTop, clientHeight, scrollHeight } = this.node;
    const atEnd = scrollTop + clientHeight >= scrollHeight - 8;
    this.size = size;
    this.node.textContent = text || "The worker has written nothing to its log.";
    if (atEnd) this.node.scrollTop = this.node.scrollHeight;
  }
}
