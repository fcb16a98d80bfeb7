/* Scores of the blocks by every method (Compare tab): a row a method, a column a block, and how far
   the methods agree. Shades go by place within a method: its scores compare with no other's. */
(() => {
  "use strict";
  const POLL_MS = 700, TOP = 4;

  class View {
    constructor({ element, props, server, watch }) {
      this.root = element.querySelector(".qk-view");
      this.server = server;
      this.tools = window.QwenCharts.tools;
      watch("value", () => this.open(props.value));
      this.open(props.value);
    }

    open(asked) {
      clearTimeout(this.timer);
      this.asked = asked || "";
      this.root.replaceChildren();
      if (this.asked) this.poll();
    }

    async poll() {
      const asked = this.asked, found = await this.server.scores(asked);
      if (asked !== this.asked) return;
      const { make } = this.tools;
      if (found.problem) this.root.replaceChildren(make("p", "qc-empty", found.problem));
      else if (found.working) {
        const { done, total, seconds } = found.working;
        const part = total ? `${Math.round(100 * done / total)} %` : "starting";
        const said = make("p", "qk-wait", `Scoring the blocks on your data: ${part}, ${seconds} s`);
        const bar = make("progress", "qk-bar");
        bar.setAttribute("aria-label", "Scoring the blocks");
        bar.max = 1;
        bar.value = total ? done / total : 0;
        said.append(bar);
        this.root.replaceChildren(said);
        this.timer = setTimeout(() => this.poll(), POLL_MS);
      } else this.draw(found);
    }

    draw(found) {
      const { make } = this.tools;
      const title = make("h3", "", `Which blocks of ${found.model} matter to an attention-only plan`);
      const note = make("p", "qc-note", `Darker is higher within a row; the top ${TOP} are numbered. `
        + `On ${found.sequences} sequences of the data. Methods that know tensors score the attention `
        + "tensors alone, the others the whole block.");
      const both = make("div", "qk-both");
      both.append(this.scroll(this.heat(found)), this.scroll(this.agreement(found)));
      this.root.replaceChildren(title, note, both, this.words(found));
    }

    scroll(table) {
      const node = this.tools.make("div", "qc-scroll");
      node.append(table);
      return node;
    }

    heat(found) {
      const { make } = this.tools;
      const table = make("table", "qk-table"), head = make("tr");
      table.append(make("caption", "", "Scores by block"), make("thead"), make("tbody"));
      const count = found.methods[0].scores.length;
      head.append(make("th", "", "score"));
      for (let block = 0; block < count; block++) head.append(make("th", "qk-block", block));
      table.tHead.append(head);
      for (const method of found.methods) {
        const row = make("tr"), name = make("th", "", method.name);
        name.scope = "row";
        name.title = method.what;
        row.append(name);
        method.scores.forEach((score, block) => {
          const place = method.order.indexOf(block);
          const cell = make("td", place < TOP ? "qk-cell qk-top" : "qk-cell", place < TOP ? place + 1 : "");
          const strength = count > 1 ? 1 - place / (count - 1) : 1;
          cell.style.setProperty("--strength", `${Math.round(6 + 84 * strength ** 1.6)}%`);
          cell.title = `block ${block}: ${Number(score.toPrecision(4))}, place ${place + 1} of ${count}`;
          row.append(cell);
        });
        table.tBodies[0].append(row);
      }
      return table;
    }

    agreement(found) {
      const { make } = this.tools;
      const table = make("table", "qk-table qk-agree"), head = make("tr");
      const caption = make("caption", "", "Agreement (Spearman's rank correlation)");
      table.append(caption, make("thead"), make("tbody"));
      head.append(make("th", "", ""));
      found.methods.forEach((method, i) => {
        const cell = make("th", "qk-block", i + 1);
        cell.title = method.name;
        head.append(cell);
      });
      table.tHead.append(head);
      found.methods.forEach((method, i) => {
        const row = make("tr"), name = make("th", "", `${i + 1} ${method.name}`);
        name.scope = "row";
        row.append(name);
        found.agreement[i].forEach((value, j) => {
          const cell = make("td", value < 0 ? "qk-cell qk-against" : "qk-cell", i === j ? "" : value.toFixed(2));
          cell.style.setProperty("--strength", `${i === j ? 0 : Math.round(70 * Math.abs(value))}%`);
          cell.title = `${method.name} and ${found.methods[j].name}: ${value.toFixed(3)}`;
          row.append(cell);
        });
        table.tBodies[0].append(row);
      });
      return table;
    }

    words(found) {
      const { make } = this.tools;
      const node = make("details", "qk-words");
      node.append(make("summary", "", "What each score is, and whose"));
      const list = make("dl");
      for (const method of found.methods) {
        const said = make("dd", "", method.what);
        said.append(make("br"), make("span", "qk-formula", method.formula), make("br"),
          make("small", "", method.source));
        list.append(make("dt", "", method.name), said);
      }
      node.append(list);
      return node;
    }
  }

  window.QwenCompareRank = { mount: (component) => new View(component) };
})();
