"""The command `dial`: how far to turn a finished run."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from qwen_ui import compare, engine
from qwen_ui.cli.shared import AsJson, Run, app, say, tell_notes
from qwen_ui.cli.table import table
from qwen_ui.errors import SettingsError
from qwen_ui.formats import percent, signed
from qwen_ui.runs import run_folder


@app.command()
def dial(
    run: Run,
    strengths: Annotated[
        str | None,
        typer.Option(
            help="Strengths to measure, such as 0,0.25,0.5,1; by default 0 to 1.25, and further "
            "while the best is the last. 0 and 1 are measured in any case."
        ),
    ] = None,
    keep: Annotated[
        str | None, typer.Option(help="Text to keep, in place of the one that the run had.")
    ] = None,
    max_forgetting: Annotated[
        float | None,
        typer.Option(
            help="Suggest a strength that raises the loss of the text to keep by no more (nats)."
        ),
    ] = None,
    by_block: Annotated[
        bool, typer.Option("--by-block", help="Look for a strength of each block as well.")
    ] = False,
    save: Annotated[
        Path | None, typer.Option(help="Write the run at the suggested strength as a delta here.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Measure a finished run turned down and up: what it gains, and what it forgets."""
    folder = run_folder(run)
    if save is not None and save.exists():
        raise SettingsError(f"'{save}' exists. Name a new file.")
    grid = None
    if strengths is not None:
        grid = tuple(engine.parse_strength(part) for part in strengths.split(","))
    asked = compare.DialRequest(grid, keep, max_forgetting, by_block, save)

    def on_point(record: dict[str, Any]) -> None:
        last = len(record["points"])
        print(f"\r{last} {'point' if last == 1 else 'points'}", end="", file=sys.stderr)

    record = compare.turn(folder, asked, on_point)
    print(file=sys.stderr)
    tell_notes(record["notes"])
    say(record, as_json, dial_text(record))


def dial_text(record: dict[str, Any]) -> str:
    """A row per point, and the suggestion."""
    rows: list[tuple[str, ...]] = [("strength", "loss", "gain", "text to keep", "rise", "KL", "")]
    for point in record["points"]:
        figures = ("eval_loss", "gain", "keep_loss", "forgetting", "kl")
        mark = "*" if point["strength"] == record["suggested"] else ""
        cells = (_cell(point[name], change=name == "forgetting") for name in figures)
        rows.append((f"{point['strength']:g}", *cells, mark))
    lines = table(rows, right=set(range(6)))
    if record["suggestion"] is None:
        lines.append("No strength is suggested: too few samples, or none forgets so little.")
    else:
        lines.append(record["suggestion"]["sentence"])
    lines.append(
        f"Tokens that the model would have written: {percent(record['token_accuracy_before'])} "
        f"before, {percent(record['token_accuracy_after'])} after."
    )
    if record["answers"]:
        lines.append(
            f"Answers written word for word: {record['exact_before']} before, "
            f"{record['exact_after']} after, of {record['answers']}."
        )
    if record["by_block"]:
        told = record["by_block"]["told"]
        lines.append(
            f"Block by block: {record['by_block']['strength']}, which gains {told['gain']:.3f}"
            + ("" if told["forgetting"] is None else f" and forgets {signed(told['forgetting'])}")
            + " on the same half."
        )
    return "\n".join(lines)


def _cell(value: float | None, *, change: bool = False) -> str:
    if value is None:
        return "-"
    return signed(value, 4) if change else f"{value:.4f}"
