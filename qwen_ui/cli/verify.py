"""The command `verify`: did a checkpoint keep its plan?"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from qwen_ui import verify as verify_room
from qwen_ui.cli.shared import AsJson, ModelWithWeights, app, plan_in, say, text_in, write
from qwen_ui.cli.table import table
from qwen_ui.errors import PlanError
from qwen_ui.formats import short_bytes
from qwen_ui.freeze import FreezePlan
from qwen_ui.freeze.lint import lint_text
from qwen_ui.model import Anatomy

if TYPE_CHECKING:
    from qwen_ui.verify import OnProgress, Verification

SHOWN = 20


@app.command()
def verify(
    base: ModelWithWeights,
    tuned: Annotated[
        str,
        typer.Argument(
            help="What was made of it: a folder (of a model, an adapter of peft's, a run), a "
            "safetensors file, a run or a hub id that was downloaded."
        ),
    ],
    plan: Annotated[
        Path | None,
        typer.Option(help="Plan that it was to keep; a delta of ours carries its own."),
    ] = None,
    config: Annotated[
        Path | None,
        typer.Option(help="The same, as a file of another tool's, in any form that `lint` reads."),
    ] = None,
    intruders: Annotated[
        bool,
        typer.Option(
            "--intruders", help="Count intruder dimensions of changed matrices (arXiv 2410.21228)."
        ),
    ] = False,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="Write the report as Markdown here.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Compare a tuned checkpoint with its base, tensor by tensor, and hold its plan against it.

    Exit code 1: the plan was not kept, or the checkpoint has an error of its own.
    """
    with _progress() as tell:
        found = verify_room.verify(
            base, tuned, _chosen(plan, config), intruders=intruders, on_progress=tell
        )
    if output is not None:
        write(output, verify_room.verification_markdown(found))
    say(verify_room.verification_record(found), as_json, verification_text(found))
    if not found.kept:
        sys.exit(1)


def _chosen(plan: Path | None, config: Path | None) -> Callable[[Anatomy], FreezePlan] | None:
    """What reads the selection that the options name, once the model is known."""
    if plan is not None and config is not None:
        raise PlanError("Give the selection once: with --plan or with --config.")
    if plan is not None:
        return lambda anatomy: plan_in(plan, anatomy)
    if config is not None:
        return lambda anatomy: _linted(config, anatomy)
    return None


def _linted(file: Path, anatomy: Anatomy) -> FreezePlan:
    """The plan of another tool's selection.

    Raises:
        PlanError: it cannot be read, or `lint` finds it wrong.
    """
    found = lint_text(text_in(file), anatomy, file.name)
    if found.errors:
        raise PlanError(found.errors[0])
    return found.plan


@contextmanager
def _progress() -> Iterator[OnProgress]:
    """How far it is, on standard error: a line that is written over, or whole lines in a log."""
    shown = -1
    over = sys.stderr.isatty()

    def tell(done: int, total: int) -> None:
        nonlocal shown
        percent = 100 * done // total if total else 100
        if percent != shown:
            shown = percent
            text = f"verify: {percent} % of {short_bytes(total)}"
            print(text, end="\r" if over else "\n", file=sys.stderr, flush=True)

    yield tell
    if over and shown >= 0:
        print(file=sys.stderr)


def verification_text(found: Verification) -> str:
    """The verdict, the problems, and a row for each tensor that changed most."""
    lines = [verify_room.headline(found)]
    lines += [f"{p.severity.capitalize()}: {p.message}" for p in found.problems]
    changed = verify_room.by_size(found.changed)
    if changed:
        rows = [verify_room.COLUMNS, *map(verify_room.change_cells, changed[:SHOWN])]
        lines += ["", *table(rows, right={1, 2, 3, 4})]
        if len(changed) > SHOWN:
            lines.append(f"... and {len(changed) - SHOWN:,} more; --json lists all.")
    return "\n".join(lines)
