/* What a person does with a plan as a whole: copy it, save and load files, keep it under a name. */
import { copyFrom } from "qwen/page/clipboard.js";
import { make } from "qwen/page/dom.js";
import { save } from "qwen/page/download.js";

const MAX_FILE = 16 * 1024 * 1024;
const TOO_LARGE = "The file is larger than 16 MiB, which is too large for a plan.";

/* A link that opens the dashboard with this model and plan. */
const linkTo = (source, json) => {
  const link = new URL(window.location.pathname, window.location.origin);
  link.searchParams.set("model", source);
  link.searchParams.set("plan", JSON.stringify(JSON.parse(json)));
  return link.href;
};

export class PlanActions {
  constructor(tab) {
    this.tab = tab;
    this.file = tab.find(".qs-file");
    this.name = tab.find(".qs-name");
    this.actions = {
      copy: async (button) => copyFrom(button, (await this.plan()).sentence),
      link: async (button) => copyFrom(button, linkTo(tab.source, (await this.plan()).json)),
      download: async () => save("plan.json", (await this.plan()).json, "text/plain"),
      load: () => this.file.click(),
      keep: () => this.keep(),
      take: ({ dataset }) => tab.takePlan("choose_saved", { name: dataset.name }),
      forget: async ({ dataset }) =>
        this.showKept(await tab.ask("forget_saved", { name: dataset.name })),
    };
    tab.root.addEventListener("click", (event) => {
      const button = event.target.closest("[data-do]");
      const act = button && this.actions[button.dataset.do];
      if (act && tab.selection) tab.attempt(() => act(button));
    });
    this.file.addEventListener("change", () => this.readFile());
    this.name.addEventListener("keydown", (event) => {
      if (event.key === "Enter") tab.attempt(() => this.keep());
    });
  }

  /** The plan in force: its JSON and its sentence. */
  plan() {
    const { selection } = this.tab;
    return this.tab.ask("plan_text", { ranges: selection.ranges(), name: selection.name });
  }

  async readFile() {
    const [file] = this.file.files;
    if (!file || !this.tab.selection) return;
    if (file.size > MAX_FILE) this.tab.say(TOO_LARGE, true);
    else await this.tab.takePlan("load_plan", { text: await file.text() });
    this.file.value = ""; // the same file can be chosen again
  }

  async keep() {
    const ranges = this.tab.selection.ranges();
    const answer = await this.tab.ask("save_plan", { ranges, name: this.name.value });
    this.name.value = "";
    this.showKept(answer);
  }

  /** Another model was read. */
  follow() {
    this.tab.attempt(async () => this.showKept(await this.tab.ask("list_saved")));
  }

  showKept({ saved }) {
    this.tab.find(".qs-kept").replaceChildren(...saved.map((name) => this.keptPlan(name)));
  }

  keptPlan(name) {
    const line = make("li");
    const take = make("button", "qs-link", name);
    const forget = make("button", "qs-link qs-quiet", "delete");
    for (const [button, action] of [
      [take, "take"],
      [forget, "forget"],
    ]) {
      button.type = "button";
      Object.assign(button.dataset, { do: action, name });
    }
    forget.setAttribute("aria-label", `Delete the plan ${name}`);
    line.append(take, forget);
    return line;
  }
}
