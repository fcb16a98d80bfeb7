"""Several runs as one HTML file that opens from disk: curves, figures, differences, samples.

It carries plotly.js within itself and asks for nothing.
"""

from __future__ import annotations

import html
import json
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from qwen_ui.runs import best_run, fold_run, run_curves, run_folder, setting_differences
from qwen_ui.ui.page.run_view import plotly_script

COLOURS = ("#c2410c", "#0072b2", "#009e73", "#b8860b", "#8c5383", "#56b4e9", "#7a7f87", "#16202b")
SHOWN_SAMPLES = 12
_STYLE = """
body { font: 15px/1.5 system-ui, sans-serif; color: #16202b; background: #f7f9fb; margin: 32px auto;
  max-width: 1100px; padding: 0 24px; }
h1 { font-size: 22px; } h2 { font-size: 16px; margin-top: 32px; }
table { border-collapse: collapse; width: 100%; font-size: 14px; }
th, td { text-align: left; padding: 6px 12px 6px 0; border-bottom: 1px solid #dde3ea;
  vertical-align: top; overflow-wrap: anywhere; }
th { font-size: 12.5px; color: #566475; } .best { color: #c2410c; font-weight: 600; }
"""
_SCRIPT = """
const line = (run, key, extra) => ({ x: run.lines[key][0], y: run.lines[key][1], name: run.name,
  mode: "lines", line: { color: run.colour, width: 2 }, ...extra });
const draw = (id, key, title, extra) => Plotly.newPlot(id,
  RUNS.filter((run) => run.lines[key]).map((run) => line(run, key, extra)),
  { height: 380, margin: { l: 56, r: 12, t: 30, b: 44 }, hovermode: "x unified",
    paper_bgcolor: "rgba(0,0,0,0)", plot_bgcolor: "rgba(0,0,0,0)", showlegend: true,
    modebar: { bgcolor: "rgba(0,0,0,0)", color: "#566475", activecolor: "#c2410c" },
    legend: { orientation: "h", y: 1.02, yanchor: "bottom", x: 0 },
    xaxis: { title: { text: "step" }, gridcolor: "#dde3ea" },
    yaxis: { title: { text: title }, gridcolor: "#dde3ea" } },
  { responsive: true, displaylogo: false, modeBarButtonsToRemove: ["sendChartToCloud"] });
draw("training", "smooth", "training loss, smoothed");
draw("evaluation", "eval", "evaluation loss", { mode: "lines+markers" });
"""


def report(runs: Sequence[str], rows: Sequence[dict[str, Any]]) -> str:
    """The report's HTML; `rows` are those of these runs (`run_rows`)."""
    drawn = run_curves(runs)
    for number, run in enumerate(drawn):
        run["colour"] = COLOURS[number % len(COLOURS)]
    return "\n".join(
        (
            '<!doctype html><html lang="en"><meta charset="utf-8"><title>Runs</title>',
            f"<style>{_STYLE}</style>",
            f"<h1>{len(drawn)} {'run' if len(drawn) == 1 else 'runs'}</h1>",
            _figures(rows, best_run(rows)),
            '<h2>Training loss</h2><div id="training"></div>',
            '<h2>Evaluation loss</h2><div id="evaluation"></div>',
            _differences(runs),
            _samples(runs),
            f"<script>{_library()}</script>",
            f"<script>const RUNS = {_for_script(drawn)};{_SCRIPT}</script></html>",
        )
    )


def _figures(runs: Sequence[dict[str, Any]], best: str | None) -> str:
    heads = ("run", "plan", "model", "status", "steps", "loss before", "loss after", "seconds")
    rows = []
    for run in runs:
        cells = (
            run["name"] or run["run"],
            run["plan"],
            run["model"],
            run["status"],
            f"{run['step']:,} of {run['steps']:,}",
            _rounded(run["eval_before"]),
            _rounded(run["eval_after"]) + (" (best)" if run["run"] == best else ""),
            f"{run['elapsed']:.1f}",
        )
        rows.append(_row(cells, ' class="best"' if run["run"] == best else ""))
    return _table(heads, rows)


def _differences(runs: Sequence[str]) -> str:
    rows = []
    for row in setting_differences(runs):
        value, count = Counter(row["values"]).most_common(1)[0]
        marked = [_cell(one, "" if count > 1 and one == value else "best") for one in row["values"]]
        rows.append(f"<tr>{_cell(row['setting'])}{''.join(marked)}</tr>")
    if not rows:
        return ""
    return "<h2>Where settings and plans differ</h2>" + _table(("setting", *runs), rows)


def _samples(runs: Sequence[str]) -> str:
    rows = []
    for run in runs:
        events = fold_run(run_folder(run)).samples
        for event in events[:2] + events[2:][-(SHOWN_SAMPLES - 2) :]:
            cells = (run, event.get("step"), event.get("prompt"), event.get("text"))
            rows.append(_row(tuple("" if cell is None else str(cell) for cell in cells)))
    if not rows:
        return ""
    return "<h2>Samples</h2>" + _table(("run", "step", "prompt", "continued"), rows)


def _table(heads: Sequence[str], rows: Sequence[str]) -> str:
    head = "".join(f"<th>{html.escape(name)}</th>" for name in heads)
    return f"<table><thead><tr>{head}</tr></thead><tbody>{''.join(rows)}</tbody></table>"


def _row(cells: Sequence[str], attributes: str = "") -> str:
    return f"<tr{attributes}>{''.join(_cell(cell) for cell in cells)}</tr>"


def _cell(text: str, kind: str = "") -> str:
    return (
        f'<td class="{kind}">{html.escape(text)}</td>' if kind else f"<td>{html.escape(text)}</td>"
    )


def _rounded(value: float | None) -> str:
    return "–" if value is None else f"{value:.4f}"


def _for_script(record: Any) -> str:
    """JSON that cannot end the script element that it stands in."""
    return json.dumps(record, allow_nan=False).replace("<", "\\u003c")


def _library() -> str:
    return Path(plotly_script()).read_text(encoding="utf-8").replace("</script", "<\\/script")
