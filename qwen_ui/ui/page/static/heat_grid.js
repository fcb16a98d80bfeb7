/* Blocks by kinds as a table of shades: the selector's grid where it is only looked at. */
import { make, put } from "./dom.js";
import { rounded } from "./format.js";

const DIGITS = 4;

/** What a cell's title says. A cell has no text of its own: shades are read, numbers asked for. */
export const titleOf = (kind, block, value, what) => {
  const place = block === null ? kind : `block ${block} · ${kind}`;
  if (value === null || value === undefined) return `${place}\n${what}: none`;
  return `${place}\n${what}: ${value === 0 ? "0" : Number(value).toPrecision(DIGITS)}`;
};

/** Numbers of a cell for a line of text. */
export const shown = (value) => {
  if (value === null || value === undefined) return "–";
  if (value === 0) return "0";
  return Math.abs(value) >= 1e-3 ? rounded(value, DIGITS) : value.toExponential(2);
};

export class HeatGrid {
  /** @param {string} label what the table is called for who cannot see it */
  constructor(label) {
    this.label = label;
    this.node = make("div", "q-heat-scroll");
    this.node.addEventListener("pointerover", (event) => this.onHover(event));
  }

  /**
   * @param {Array<[string, string]>} kinds [label, role] of the columns
   * @param {number} blocks how many rows
   */
  build(kinds, blocks) {
    this.kinds = kinds;
    const table = make("table", "q-heat");
    put(table, "aria-label", this.label);
    const top = make("tr");
    top.append(make("th", "q-heat-corner", "block"));
    for (const [label, role] of kinds) {
      const head = make("th", "q-heat-kind");
      head.scope = "col";
      head.style.setProperty("--role", `var(--q-role-${role})`);
      head.append(make("span", "", label));
      top.append(head);
    }
    const head = make("thead");
    head.append(top);
    const body = make("tbody");
    this.cells = Array.from({ length: blocks }, (_, block) => {
      const row = make("tr");
      const name = make("th", "q-heat-block", String(block));
      name.scope = "row";
      const cells = kinds.map(() => make("td"));
      row.append(name, ...cells);
      body.append(row);
      return cells;
    });
    table.append(head, body);
    this.node.replaceChildren(table);
  }

  /**
   * @param {(kind: number, block: number) => ?number} valueOf null where the block has no such kind
   * @param {import("./scale.js").Scale} scale
   * @param {string} what the numbers are
   * @param {Set<string>} wrong "kind block" of cells that are marked
   */
  paint(valueOf, scale, what, wrong = new Set()) {
    this.cells.forEach((cells, block) => {
      cells.forEach((cell, kind) => {
        const value = valueOf(kind, block);
        const absent = value === null || value === undefined;
        const state = absent ? "none" : value === 0 ? "still" : "moved";
        put(cell, "data-state", state);
        if (state === "moved") {
          const share = scale.share(value);
          cell.style.setProperty("--share", Number.isNaN(share) ? 0.5 : share.toFixed(3));
        }
        cell.classList.toggle("q-heat-wrong", wrong.has(`${kind} ${block}`));
        cell.dataset.title = titleOf(this.kinds[kind][0], block, value, what);
      });
    });
  }

  onHover(event) {
    const cell = event.target.closest("td");
    if (cell?.dataset.title) cell.title = cell.dataset.title;
  }
}

/** A line that says what the shades mean. */
export const legendOf = (scale, still) => {
  const line = make("p", "q-heat-legend");
  line.append(make("i", "q-heat-still"), make("span", "", still));
  if (!scale.empty) {
    line.append(
      make("span", "", shown(scale.low)),
      make("i", "q-heat-ramp"),
      make("span", "", shown(scale.high)),
    );
    if (scale.log) line.append(make("span", "", "(log)"));
  }
  return line;
};
