/* About an opened run: settings, versions, lineage, the command that repeats it, a link to it. */
import { Api, attempt, messageOf } from "qwen/page/api.js";
import { copyFrom } from "qwen/page/clipboard.js";
import { button, make, problemLine, rowOf, tableOf, write } from "qwen/page/dom.js";

const TO_VERIFY = "qwen-ui-verify"; // read by inspect/verifying.js

export const linkTo = (run, address = window.location.href) => {
  const link = new URL(address);
  link.search = "";
  link.hash = "";
  link.searchParams.set("run", run);
  return link.href;
};

class AboutRun {
  constructor({ element, props, server, watch }) {
    this.api = new Api(server);
    this.root = element.querySelector(".qr-about");
    this.wrong = problemLine();
    this.show(props.value);
    watch("value", () => this.show(props.value));
  }

  async show(run) {
    const name = run || "";
    if (name === this.run) return;
    this.run = name;
    this.root.replaceChildren();
    if (!name) return;
    try {
      const answer = await this.api.call("about", { run: name });
      if (name === this.run) this.build(answer);
    } catch (error) {
      this.root.replaceChildren(this.wrong);
      write(this.wrong, messageOf(error));
    }
  }

  /** A link to Inspect with the model that the run began from, where its delta can be verified. */
  verifier(base) {
    const link = make("a", "qr-link", "Verify against the base");
    link.href = `?${new URLSearchParams({ tab: "inspect", model: base })}`;
    link.addEventListener("click", () => sessionStorage.setItem(TO_VERIFY, this.run));
    return link;
  }

  build({ short, groups, lineage, command, folder, base }) {
    const copied = (node, text) =>
      attempt(
        () => copyFrom(node, text),
        (said) => write(this.wrong, said),
      );
    const copier = (label, text, title) => {
      const node = button(label, "", () => copied(node, text), title);
      return node;
    };
    const actions = make("span", "qr-actions");
    const link = make("a", "qr-link", "Link to this run");
    link.href = linkTo(this.run);
    actions.append(
      link,
      ...(base ? [this.verifier(base)] : []),
      copier("Copy link", link.href, "An address that opens the page at this run"),
      copier("Copy command", command, "The command that repeats this run"),
      copier("Copy folder", folder, folder),
    );
    const head = make("div", "qr-head");
    head.append(make("h3", "qr-heading", "About this run"), actions);
    const details = make("details", "qr-settings");
    details.append(make("summary", "", "All settings, data and versions"), this.grid(groups));
    this.root.replaceChildren(
      head,
      make("p", "qr-short", short),
      this.origins(lineage),
      details,
      this.command(command),
      this.wrong,
    );
  }

  origins(lineage) {
    const list = make("ul", "qr-lineage");
    for (const { text, run } of lineage) {
      const line = make("li", "", run ? `${text} ` : text);
      if (run) {
        const link = make("a", "qr-link notranslate", run);
        link.href = linkTo(run);
        line.append(link);
      }
      list.append(line);
    }
    return list;
  }

  grid(groups) {
    const grid = make("div", "qr-setting-groups");
    for (const { title, rows } of groups) {
      const section = make("section");
      const lines = rows.map(([label, value]) =>
        rowOf(make("td", "qr-setting", label), make("td", "", value)),
      );
      section.append(make("h4", "", title), tableOf("qr-setting-table", [], lines));
      grid.append(section);
    }
    return grid;
  }

  command(text) {
    const details = make("details", "qr-settings");
    const code = make("pre", "qr-code", text);
    code.tabIndex = 0;
    details.append(make("summary", "", "The command that repeats it"), code);
    return details;
  }
}

/** Mounts the section on a component of gradio's; its value is the run's name. */
export const mount = (component) => new AboutRun(component);
