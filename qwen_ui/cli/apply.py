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
    as_json: AsJson = False,
) -> None:
    """Apply trained tensors to their base and write a full model that transformers loads."""
    applied = engine.apply_delta(engine.delta_file(delta), base, output)
    record = {
        "tensors": applied.tensors,
        "parameters": applied.parameters,
        "folder": str(applied.folder),
        "rounding": applied.rounding,
        "note": applied.note,
    }
    text = (
        f"Applied {applied.tensors} tensors ({applied.parameters:,} parameters) to {base}. "
        f"'{applied.folder}' holds the whole model."
    )
    say(record, as_json, f"{text} {applied.note}".rstrip())
