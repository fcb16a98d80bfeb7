"""A comparison as one file: HTML with its charts inside, or Markdown with them as pictures.

Both open from disk and ask for nothing from outside: the charts are SVG, written into the file.
"""

from __future__ import annotations

import base64
from collections.abc import Sequence

from qwen_ui.compare import (
    Comparison,
    Row,
    headline,
    keeps,
    legend_of,
    markdown_report,
    notes_of,
    results,
    rows_of,
    samples_of,
    searches_of,
    setup_of,
    table_of,
    verdict_sentence,
)
from qwen_ui.markup import SERIES_COLOURS, Series, chart, render
from qwen_ui.runs import Axis, run_curves

GAIN_AND_FORGETTING = "Gain against forgetting"


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
    columns, cells = table_of(rows)
    return render(
        "compare/report.html",
        title=headline(rows) or " vs ".join(comparison.labels),
        verdict=verdict_sentence(rows),
        setup=setup_of(comparison),
        drawings=drawings(comparison).values(),
        columns=columns,
        rows=cells,
        legend=legend_of(rows),
        samples=samples_of(found),
        notes=notes_of(comparison),
        failures=[run for run in found if run["status"] != "completed"],
    )


def drawings(comparison: Comparison) -> dict[str, str]:
    """The charts by title: evaluation loss by step, by second, by size and by learning rate, and
    what was gained against what was forgotten."""
    rows = rows_of(results(comparison))
    found = {
        "Evaluation loss by step": _curves(comparison, "step", "step"),
        "Evaluation loss by second": _curves(comparison, "elapsed", "seconds of training"),
        "Loss after training by trainable parameters": _pareto(rows, comparison.labels),
        GAIN_AND_FORGETTING: _kept(rows, comparison.labels),
        "Loss of the short runs by learning rate": _searches(comparison),
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
    return chart(title, series, x_title=x_title, y_title="nats per token")


def _pareto(rows: Sequence[Row], labels: Sequence[str]) -> str:
    series = [
        Series(row.plan, [row.trainable], [row.after], colour_of(row.plan, labels), [row.spread])
        for row in rows
    ]
    return chart(
        "Loss after training by trainable parameters",
        series,
        x_title="trainable parameters",
        y_title="nats per token",
        log_x=True,
    )


def _kept(rows: Sequence[Row], labels: Sequence[str]) -> str:
    """Upwards is more gained, to the left is less forgotten."""
    if not rows or not keeps(rows):
        return ""
    series = [
        Series(
            row.plan,
            [row.forgetting or 0.0],
            [row.gain],
            colour_of(row.plan, labels),
            [row.spread],
            x_errors=[row.forgetting_spread],
        )
        for row in rows
    ]
    return chart(
        GAIN_AND_FORGETTING,
        series,
        x_title="nats per token forgotten of the text to keep",
        y_title="nats per token gained",
    )


def _searches(comparison: Comparison) -> str:
    series = []
    for plan, search in searches_of(comparison):
        # What diverged has no loss, and is no point of the curve.
        points = [(rate, loss) for rate, loss in search.trials if loss is not None]
        rates, losses = [rate for rate, _ in points], [loss for _, loss in points]
        series.append(Series(plan, rates, losses, colour_of(plan, comparison.labels)))
    return chart(
        "Loss of the short runs by learning rate",
        series,
        x_title="learning rate",
        y_title="nats per token",
        log_x=True,
    )


def colour_of(label: str, labels: Sequence[str]) -> str:
    return SERIES_COLOURS[list(labels).index(label) % len(SERIES_COLOURS)]
