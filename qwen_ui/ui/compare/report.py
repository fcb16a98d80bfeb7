"""A comparison as one file: HTML with its charts inside, or Markdown with them as pictures.

Both open from disk and ask for nothing from outside: the charts are SVG, written into the file.
"""

from __future__ import annotations

import base64
from collections.abc import Sequence
from html import escape
from typing import Any

from qwen_ui.compare import (
    Comparison,
    Row,
    headline,
    markdown_report,
    results,
    rows_of,
    samples_of,
    setup_of,
    verdict_sentence,
)
from qwen_ui.compare.report import COLUMNS, cells_of, rate_notes
from qwen_ui.runs import Axis, run_curves
from qwen_ui.ui.compare.svg_chart import COLOURS, Series, chart

_STYLE = """
body { font: 15px/1.55 system-ui, sans-serif; color: #16202b; background: #f7f9fb;
  margin: 32px auto; max-width: 1180px; padding: 0 24px; }
h1 { font-size: 24px; margin: 0 0 4px; } h1::first-letter { text-transform: uppercase; }
h2 { font-size: 16px; margin: 32px 0 8px; }
.muted { color: #566475; } .charts { display: flex; flex-wrap: wrap; gap: 20px; }
.charts svg { flex: 1 1 460px; max-width: 580px; min-width: 0; height: auto; border-radius: 6px; }
h3 { font-size: 14px; margin: 0 0 6px; }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; font-size: 13.5px; font-variant-numeric: tabular-nums; }
th, td { text-align: right; padding: 6px 14px 6px 0; border-bottom: 1px solid #dde3ea;
  white-space: nowrap; }
th { color: #566475; font-weight: 500; } th:first-child, td:first-child { text-align: left; }
.samples { display: grid; grid-template-columns: repeat(auto-fit, minmax(300px, 1fr)); gap: 24px; }
.samples p { white-space: pre-wrap; overflow-wrap: anywhere; margin: 4px 0 10px; }
"""


def markdown(comparison: Comparison) -> str:
    """The comparison as Markdown, its charts as pictures within it."""
    pictures = [
        f"![{title}](data:image/svg+xml;base64,{base64.b64encode(svg.encode()).decode()})"
        for title, svg in drawings(comparison).items()
    ]
    return markdown_report(comparison, "\n\n".join(pictures))


def html(comparison: Comparison) -> str:
    """The comparison as one HTML file."""
    found = results(comparison)
    rows = rows_of(found)
    title = escape(headline(rows) or " vs ".join(comparison.labels))
    parts = [
        '<!doctype html><html lang="en"><meta charset="utf-8">',
        '<meta name="viewport" content="width=device-width">',
        f"<title>{title}</title><style>{_STYLE}</style>",
        f"<h1>{title}</h1>",
        f"<p>{escape(verdict_sentence(rows))}</p>",
        f'<p class="muted">{escape(setup_of(comparison))}</p>',
        f'<div class="charts">{"".join(drawings(comparison).values())}</div>',
        _table(rows),
        _samples(samples_of(found)),
        _failures(found),
        "</html>",
    ]
    return "\n".join(part for part in parts if part)


def drawings(comparison: Comparison) -> dict[str, str]:
    """The charts by title: evaluation loss by step and by second, and the Pareto plot."""
    rows = rows_of(results(comparison))
    found = {
        "Evaluation loss by step": _curves(comparison, "step", "step"),
        "Evaluation loss by second": _curves(comparison, "elapsed", "seconds of training"),
        "Loss after training by trainable parameters": _pareto(rows, comparison.labels),
    }
    return {title: svg for title, svg in found.items() if svg}


def _curves(comparison: Comparison, axis: Axis, x_title: str) -> str:
    started = [entry for entry in comparison.entries if entry.run is not None]
    drawn = {run["run"]: run["lines"] for run in run_curves(comparison.runs, axis=axis)}
    labelled: set[str] = set()
    series = []
    for entry in started:
        line = drawn.get(entry.run, {}).get("eval")
        if line is None:
            continue
        colour = colour_of(entry.label, comparison.labels)
        first = entry.label not in labelled
        labelled.add(entry.label)
        series.append(Series(entry.label, line[0], line[1], colour, label=first))
    title = f"Evaluation loss by {'step' if axis == 'step' else 'second'}"
    return chart(title, series, x_title=x_title, y_title="nats a token")


def _pareto(rows: Sequence[Row], labels: Sequence[str]) -> str:
    series = [
        Series(row.plan, [row.trainable], [row.after], colour_of(row.plan, labels), [row.spread])
        for row in rows
    ]
    return chart(
        "Loss after training by trainable parameters",
        series,
        x_title="trainable parameters",
        y_title="nats a token",
        log_x=True,
    )


def colour_of(label: str, labels: Sequence[str]) -> str:
    return COLOURS[list(labels).index(label) % len(COLOURS)]


def _table(rows: Sequence[Row]) -> str:
    if not rows:
        return ""
    head = "".join(f"<th>{escape(name)}</th>" for name in COLUMNS)
    body = "".join(
        f"<tr>{''.join(f'<td>{escape(cell)}</td>' for cell in cells_of(row))}</tr>" for row in rows
    )
    notes = escape("; ".join(rate_notes(rows)))
    return (
        f'<h2>Figures</h2><div class="scroll"><table><thead><tr>{head}</tr></thead>'
        f"<tbody>{body}</tbody></table></div>"
        '<p class="muted">Losses in nats a token, over all held-out tokens; ± is the standard '
        f"deviation over the seeds. Learning rates: {notes}.</p>"
    )


def _samples(samples: Sequence[dict[str, Any]]) -> str:
    if not samples:
        return ""
    sections = "".join(
        f"<section><h3>{escape(s['plan'])}</h3>"
        + "".join(
            f'<p><span class="muted">{when}:</span> {escape(s["prompt"] + s[when])}</p>'
            for when in ("before", "after")
        )
        + "</section>"
        for s in samples
    )
    return f'<h2>The same prompt, continued</h2><div class="samples">{sections}</div>'


def _failures(found: Sequence[dict[str, Any]]) -> str:
    lines = [
        f"<li>{escape(r['plan'])}, seed {r['seed']}: {escape(r['status'])}. "
        f"{escape(r['reason'] or '')}</li>"
        for r in found
        if r["status"] != "completed"
    ]
    return f"<h2>Runs that did not complete</h2><ul>{''.join(lines)}</ul>" if lines else ""
