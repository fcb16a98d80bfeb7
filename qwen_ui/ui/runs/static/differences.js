/* Where the settings and plans of several runs differ. */
import { make, makeScroller, rowOf, tableOf } from "qwen/page/dom.js";
import { commonValue } from "./overlay_lines.js";

const headOf = (name, colour) => {
  const cell = make("th", "", name);
  const dot = make("i", "qr-dot");
  dot.style.background = colour;
  cell.prepend(dot);
  return cell;
};

const settingRow = ({ label, values }) => {
  const common = commonValue(values);
  const cells = values.map((value) => make("td", value === common ? "" : "qr-differs", value));
  return rowOf(make("td", "qr-setting", label), ...cells);
};

/** Nodes for these runs' names and colours and the server's {label, values}. */
export const differences = (names, colours, rows) => {
  if (names.length < 2) return [];
  const title = make("h4", "", "Differences in settings and plans");
  if (!rows.length) return [title, make("p", "q-hint", "None: all settings are the same.")];
  const heads = names.map((name, i) => headOf(name, colours[i]));
  const table = tableOf(
    "qr-differences",
    [make("th", "", "setting"), ...heads],
    rows.map(settingRow),
  );
  const scroll = makeScroller("div", "qr-scroll", "Settings that differ");
  scroll.append(table);
  return [title, scroll];
};
