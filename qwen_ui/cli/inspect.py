"""Commands about a model: inspect, report."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from qwen_ui import report as reports
from qwen_ui.cli.shared import AsJson, Model, app, say, write
from qwen_ui.cli.table import table
from qwen_ui.library import inspect_record
from qwen_ui.model import DEFAULT_MODEL, Anatomy, open_model
from qwen_ui.model.weights import quantization_of


@app.command()
def inspect(model: Model = DEFAULT_MODEL, as_json: AsJson = False) -> None:
    """Show what a model is made of without loading it, and whether its weight files fit."""
    anatomy = open_model(model)
    record = inspect_record(anatomy)
    say(record, as_json, inspect_text(anatomy, record["weights"]))


@app.command()
def report(
    model: Model = DEFAULT_MODEL,
    output: Annotated[
        Path | None, typer.Option("-o", "--output", help="Write the report to this file.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Print the architecture inspection report in Markdown, with its checks executed."""
    found = reports.inspection_report(open_model(model))
    record = {
        "checks": [
            {"name": check.name, "passed": check.passed, "evidence": check.evidence}
            for check in found.checks
        ],
        "markdown": found.markdown,
    }
    if output is not None:
        write(output, found.markdown)
    say(record, as_json, found.markdown if output is None else f"Written to {output}.")


def inspect_text(anatomy: Anatomy, weights: dict[str, Any] | None) -> str:
    """The facts, whether the weight files fit, and the table of kinds."""
    lines = [
        f"{anatomy.source} ({anatomy.model_type}): {anatomy.total_parameters:,} parameters in "
        f"{len(anatomy.parameters):,} tensors, {anatomy.block_count} blocks, "
        f"{anatomy.bytes:,} bytes in {anatomy.dtype}",
        *(f"tied: {' = '.join(group)}" for group in anatomy.tied),
        *(f"note: {note}" for note in anatomy.notes),
        *([f"quantized: {quantization_of(anatomy)}"] if quantization_of(anatomy) else ()),
        *([f"weights: {weights['summary']}"] if weights else ()),
        "",
    ]
    rows = [("kind", "role", "shape", "parameters", "blocks")]
    rows += [
        (
            kind.kind,
            str(kind.role),
            " x ".join(map(str, kind.shape)),
            f"{kind.parameters:,}",
            str(len(kind.blocks) or "-"),
        )
        for kind in anatomy.kinds
    ]
    return "\n".join(lines + table(rows, right={3, 4}))
