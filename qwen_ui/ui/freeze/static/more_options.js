/* The second row of choices: shown on request, and told of while it is folded and in use. */
export class MoreOptions {
  constructor(tab) {
    this.button = tab.find(".qs-more-button");
    this.panel = tab.find(".qs-more");
    this.used = tab.find(".qs-used");
    this.unused = tab.find(".qs-unused");
    this.button.addEventListener("click", () => this.open(this.panel.hidden));
    for (const type of ["click", "input"]) this.panel.addEventListener(type, () => this.show());
  }

  open(open) {
    this.panel.hidden = !open;
    this.button.setAttribute("aria-expanded", open);
    this.show();
  }

  /** Whether something in here is not as it was at first. */
  get inUse() {
    const first = this.panel.querySelectorAll('[role="radio"]:first-child');
    return (
      this.panel.querySelector("input").value !== "" ||
      [...first].some((radio) => radio.getAttribute("aria-checked") === "false")
    );
  }

  show() {
    const { inUse } = this;
    this.used.hidden = !inUse;
    this.unused.hidden = inUse;
  }
}
