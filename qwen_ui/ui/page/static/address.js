/* The address of the page: it follows what is open, and what it names is opened. Model and plan come
   from Python, as the component's value; tabs and views say what they show. */
import { isSame, placeOf, searchOf } from "./place.js";
import { onTab, openedTab, openNamed, openTab } from "./tabs.js";
import { wish } from "./wishes.js";

class PageAddress {
  constructor({ props, watch }) {
    this.props = props;
    this.usual = {}; // the model and the plan of the page as it opens without any named
    this.place = placeOf(window.location.search);
    this.named = this.place; // by the address, until the page has opened it
    this.known = false; // whether Python said which model is open
    openNamed(this.place.tab);
    onTab((tab) => this.move({ tab }));
    document.addEventListener("q-run", ({ target, detail }) => this.onRun(target, detail.run));
    document.addEventListener("q-module", ({ detail }) => this.move({ module: detail }, true));
    window.addEventListener("popstate", ({ state }) => this.goBack(state));
    watch("value", () => this.follow());
    this.follow();
  }

  follow() {
    if (!this.props.value) return;
    const { model, plan, whole } = JSON.parse(this.props.value);
    if (!this.known) {
      const { named } = this;
      this.usual = { model: named.model ? "" : model, plan: named.plan ? "" : plan };
      this.known = true;
      this.whole = whole;
      this.move({ model, plan }, true);
      return;
    }
    const another = whole !== this.whole;
    this.whole = whole;
    // A plan that is too long for an address is kept with the entry of the history.
    if (another && !plan && plan === this.place.plan) this.record(false);
    else this.move({ model, plan });
  }

  onRun(target, run) {
    if (target.closest("#qr-opened, #qt-run")) {
      if (run && target.closest(`#q-tab-${openedTab()}`)) this.move({ run });
    } else if (run) this.move({ comparison: run });
  }

  /* Go on to another place. Where only what is shown there becomes known, the entry is the same. */
  move(change, same = false) {
    const before = this.place;
    this.place = { ...before, ...change };
    if (!this.known) return;
    if (isSame(before, this.place, this.usual)) {
      if (same) this.record(true);
      return;
    }
    // What a tab shows by itself when it is opened is no step of the person's.
    const [only] = Object.keys(change);
    const filled = ["run", "comparison", "module"].includes(only) && !before[only];
    this.record(same || filled);
  }

  record(same) {
    const { place, whole } = this;
    const url = window.location.pathname + searchOf(place, this.usual);
    const state = { place, whole };
    if (same) window.history.replaceState(state, "", url);
    else window.history.pushState(state, "", url);
  }

  /* The browser went back or forward: open what is named there. */
  goBack(state) {
    const before = this.place;
    const place = { ...before, ...(state?.place ?? placeOf(window.location.search)) };
    const whole = state?.whole ?? place.plan;
    const wanted = {};
    if (place.model && place.model !== before.model) wanted.model = place.model;
    if (whole && whole !== this.whole) wanted.plan = whole;
    this.place = place;
    this.whole = whole;
    if (Object.keys(wanted).length) wish(wanted);
    openTab(place.tab);
    document.dispatchEvent(new CustomEvent("q-open", { detail: place }));
  }
}

/** Mounts the component that keeps the address. */
export const mount = (component) => new PageAddress(component);
