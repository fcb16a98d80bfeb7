/* Type-ahead: letters typed in quick succession, as one text that finds a label. */

const PAUSE_MS = 800; // a letter after this begins a new text

/**
 * What was typed. Told by the events' own times: on a busy page a timer that should end the text
 * runs after the next key.
 */
export class Typeahead {
  constructor() {
    this.text = "";
    this.last = -Infinity;
  }

  /** Whether this key would go on with what was typed. */
  continues(event) {
    return this.text !== "" && event.timeStamp - this.last <= PAUSE_MS;
  }

  /** The text so far, this key included. */
  add(event) {
    this.text = (this.continues(event) ? this.text : "") + event.key.toLowerCase();
    this.last = event.timeStamp;
    return this.text;
  }

  /** Any other key ends it. */
  end() {
    this.text = "";
  }
}

/** Whether a key press types a character, rather than asking for something. */
export function isTyped(event) {
  return event.key.length === 1 && !event.ctrlKey && !event.metaKey;
}

/**
 * The next label that starts with the text, searched round from the active one. A single letter
 * goes on to the next label; a longer text may stay where it is.
 *
 * @param {number} count labels in all
 * @param {(place: number) => string} labelAt
 * @param {number} active where to begin
 * @param {string} text in lower case
 * @returns {number} its place, -1 for none
 */
export function nextStartingWith(count, labelAt, active, text) {
  for (let step = text.length > 1 ? 0 : 1; step <= count; step++) {
    const place = (active + step) % count;
    if (labelAt(place).toLowerCase().startsWith(text)) return place;
  }
  return -1;
}
