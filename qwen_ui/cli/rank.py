"""The command `rank`: which blocks matter?"""

from __future__ import annotations

import sys
from contextlib import ExitStack
from typing import Annotated, Any

import typer

from qwen_ui import rank as ranking_room
from qwen_ui.cli.shared import AsJson, Columns, Data, ModelWithWeights, app, say, tell_notes
from qwen_ui.cli.table import table
from qwen_ui.freeze import TOP_BLOCKS


@app.command()
def rank(
    model: ModelWithWeights,
    data: Data,
    columns: Columns = None,
    method: Annotated[
        str,
        typer.Option(help=f"Score to rank by: {', '.join(ranking_room.METHODS)}."),
    ] = "gradient",
    top: Annotated[int, typer.Option(help="Number of highest blocks to name.")] = TOP_BLOCKS,
    sequences: Annotated[int, typer.Option(help="Number of sequences of the data to use.")] = 32,
    batch_size: Annotated[int, typer.Option(help="Sequences per batch.")] = 8,
    sequence_length: Annotated[int, typer.Option(help="Tokens per sequence.")] = 128,
    as_json: AsJson = False,
) -> None:
    """Score every block of a model on your data: which blocks matter?"""
    with ExitStack() as stack:
        shown: list[Any] = []

        def on_progress(done: int, total: int) -> None:
            # Not before the work begins: a mistake is one line on standard error and nothing else.
            if not shown:
                bar = typer.progressbar(length=total, label=f"rank by {method}", file=sys.stderr)
                shown.append(stack.enter_context(bar))
            shown[0].update(done - shown[0].pos)

        ranking = ranking_room.rank(
            model,
            data,
            method,
            columns=columns,
            sequences=sequences,
            batch_size=batch_size,
            sequence_length=sequence_length,
            on_progress=on_progress,
        )
    record = ranking.record(top)
    tell_notes(ranking.notes)
    say(record, as_json, rank_text(record))


def rank_text(record: dict[str, Any]) -> str:
    """The highest blocks, and a row per block."""
    top = ", ".join(map(str, record["top"]))
    lines = [f"{record['model']}, by {record['method']}: the highest blocks are {top}."]
    if record["unranked"]:
        lines.append(f"Not ranked by this method: {', '.join(record['unranked'])}.")
    rows = [("block", "score", "")]
    rows += [
        (str(b["index"]), f"{b['score']:.6g}", "*" if b["index"] in record["top"] else "")
        for b in record["blocks"]
    ]
    return "\n".join([*lines, "", *table(rows, right={0, 1})])
