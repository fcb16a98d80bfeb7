"""The command `apply`: a delta and its base as one model."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from qwen_ui import engine
from qwen_ui.cli.shared import AsJson, app, say


@app.command()
def apply(
    delta: Annotated[
        str, typer.Argument(help="A delta.safetensors file, its folder, or the name of a run.")
    ],
    base: Annotated[str, typer.Option(help="Model that the delta was trained on.")],
    output: Annotated[
        Path, typer.Option("-o", "--output", help="New folder to write the model to.")
    ],
    strength: Annotated[
        str,
        typer.Option(
            help="How far to go from the base (0) to what training left (1) and beyond: a number, "
            "or 0.5,24=0.25,25=1 for other strengths of single blocks."
        ),
    ] = "1",
    as_json: AsJson = False,
) -> None:
    """Apply trained tensors to their base and write a full model that transformers loads."""
    strengths = engine.parse_strengths(strength)
    applied = engine.apply_delta(engine.delta_file(delta), base, output, strengths)
    record = {
        "tensors": applied.tensors,
        "parameters": applied.parameters,
        "folder": str(applied.folder),
        "strength": str(strengths),
        "rounding": applied.rounding,
        "note": applied.note,
    }
    text = (
        f"Applied {applied.tensors} tensors ({applied.parameters:,} parameters) to {base}. "
        f"'{applied.folder}' holds the whole model."
    )
    say(record, as_json, f"{text} {applied.note}".rstrip())
