"""The command `lint`: another tool's selection held against a model."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from qwen_ui.cli.shared import AsJson, app, say
from qwen_ui.cli.table import table
from qwen_ui.errors import ModelError, PlanError
from qwen_ui.freeze import MAX_IMPORT_BYTES
from qwen_ui.freeze.lint import (
    LINT_FORMATS,
    lint_price,
    lint_price_text,
    lint_record,
    lint_text,
)
from qwen_ui.model import DEFAULT_MODEL, open_model

if TYPE_CHECKING:
    from qwen_ui.freeze.lint import Lint

WRONG = 2


@app.command()
def lint(
    file: Annotated[
        Path,
        typer.Argument(
            help=f"File of another tool, or - for standard input: {', '.join(LINT_FORMATS)}."
        ),
    ],
    base: Annotated[
        str, typer.Option("--base", help="Model that it is meant for: preset, folder or hub id.")
    ] = DEFAULT_MODEL,
    batch_size: Annotated[int, typer.Option(help="Sequences per step, for the price.")] = 4,
    sequence_length: Annotated[int, typer.Option(help="Tokens per sequence, for the price.")] = 512,
    priced: Annotated[bool, typer.Option("--price/--no-price", help="Price a step.")] = True,
    as_json: AsJson = False,
) -> None:
    """Show what another tool's selection trains: exit code 0 where it is clean, 2 where not."""
    found = lint_text(_text_of(file), open_model(base), "" if str(file) == "-" else file.name)
    record = lint_record(found)
    record["price"], unpriced = None, ""
    if priced:
        try:
            record["price"] = lint_price(found, batch_size, sequence_length)
        except ModelError as error:
            unpriced = str(error)  # what is linted needs no price
    say(record, as_json, lint_lines(found, record, unpriced))
    if found.errors:
        print(f"Error: {found.errors[0]}", file=sys.stderr)
        sys.exit(WRONG)


def _text_of(file: Path) -> str:
    try:
        if str(file) == "-":
            data = sys.stdin.buffer.read(MAX_IMPORT_BYTES + 1)
        else:
            with file.open("rb") as stream:
                data = stream.read(MAX_IMPORT_BYTES + 1)
    except OSError as error:
        raise PlanError(f"'{file}' cannot be read ({error.strerror}). Name a file.") from error
    if len(data) > MAX_IMPORT_BYTES:
        raise PlanError(f"'{file}' is larger than 16 MiB, which is too large for a selection.")
    return data.decode("utf-8-sig", errors="replace")


def lint_lines(found: Lint, record: dict[str, Any], unpriced: str = "") -> str:
    """What was recognised, a row per entry, the problems, what trains and what it costs.

    Args:
        unpriced: why there is no price; "" where there is one, or none was asked for.
    """
    lines = [f"{record['title']}, on {record['model']}.", ""]
    rows = [("setting", "entry", "matches", "such as")]
    rows += [
        (
            entry["setting"],
            _short(entry["entry"]),
            f"{entry['matches']:,}",
            entry["names"][0] if entry["names"] else "nothing",
        )
        for entry in record["entries"]
    ]
    lines += [*table(rows, right={2}), ""] if len(rows) > 1 else []
    lines += [f"{p.severity.capitalize()}: {p.message}" for p in found.problems]
    lines += ["", record["summary"]] if found.problems else [record["summary"]]
    if found.names:
        lines.append(f"As a plan: {found.selection.summary}")
    if record.get("price"):
        lines.append(lint_price_text(found, record["price"]))
    elif unpriced:
        lines.append(unpriced)
    return "\n".join(lines)


def _short(text: str) -> str:
    return text if len(text) <= 60 else f"{text[:57]}..."
