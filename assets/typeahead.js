/* Letters typed in quick succession, as one text. Told by the events' own times: on a busy page a
   timer that should end the text runs after the next key. */
window.QwenTypeahead = class {
  constructor(pause) {
    this.pause = pause; // milliseconds after which a letter begins a new text
    this.text = "";
    this.last = -Infinity;
  }
  /* Whether this key would go on with what was typed. */
  goesOn(event) { return this.text !== "" && event.timeStamp - this.last <= this.pause; }
  add(event) {
    this.text = (this.goesOn(event) ? this.text : "") + event.key.toLowerCase();
    this.last = event.timeStamp;
    return this.text;
  }
  /* Any other key ends it. */
  end() { this.text = ""; }
};
