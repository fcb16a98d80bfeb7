"""What all commands share: the application, common options, reading a plan, printing the result."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Any

import typer

from qwen_ui.data import DATA_SUFFIXES, shipped_data
from qwen_ui.errors import PlanError, SettingsError
from qwen_ui.freeze import MAX_IMPORT_BYTES, FreezePlan, import_plan, preset, preset_plans
from qwen_ui.model import Anatomy, open_model
from qwen_ui.runs import Prefix, setting_help

app = typer.Typer(
    help="If I train only these parameters, what do I train, what does it cost, what do I get? "
    "Without a command the dashboard starts.",
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)


Model = Annotated[
    str, typer.Argument(help="Preset, folder, config.json file or Hugging Face hub id.")
]
ModelWithWeights = Annotated[
    str, typer.Argument(help="Model whose weights are on this machine: preset, folder or hub id.")
]
Data = Annotated[
    str,
    typer.Option(
        help=f"Training data: a file ({', '.join(DATA_SUFFIXES)}), a `datasets` folder, a hub id, "
        f"or what is shipped: {', '.join(shipped_data())}."
    ),
]
Columns = Annotated[str | None, typer.Option(help=setting_help("columns"))]
Keep = Annotated[str | None, typer.Option(help=setting_help("keep"))]
PrefixMode = Annotated[Prefix, typer.Option(help=setting_help("prefix"))]
AsJson = Annotated[
    bool, typer.Option("--json", help="Print one JSON object on standard output, nothing else.")
]
Preset = Annotated[
    str | None, typer.Option("--preset", help=f"Preset plan: {', '.join(preset_plans())}.")
]
PlanFile = Annotated[
    Path | None,
    typer.Option(
        "--plan", help="File with a plan, a list of parameter names or Axolotl's patterns."
    ),
]
Match = Annotated[
    str | None, typer.Option(help="Train the parameters whose names this regular expression finds.")
]
Layers = Annotated[
    str | None,
    typer.Option(
        help="Blocks as a layer expression, such as last:4, 24-27 or all, for --preset or --match."
    ),
]
SealFile = Annotated[
    Path | None,
    typer.Option("--seal", help="At the end, write a seal for `ship` to this file."),
]
Run = Annotated[str, typer.Argument(help="Name of a run, as `runs` lists it.")]


def say(record: dict[str, Any], as_json: bool, text: str) -> None:
    """Print the record as JSON, or the text."""
    print(json.dumps(record) if as_json else text)


def tell_notes(notes: Iterable[str]) -> None:
    """Print notes of runs and data on standard error, each once."""
    for note in dict.fromkeys(notes):
        print(f"Note: {note}", file=sys.stderr)


def write(file: Path, text: str) -> None:
    """Write a file that a person named.

    Raises:
        SettingsError: it cannot be written there.
    """
    try:
        file.write_text(text, encoding="utf-8")
    except OSError as error:
        raise SettingsError(
            f"'{file}' cannot be written ({error.strerror}). Name a file in a folder that exists."
        ) from error


def refuse_seal_file(file: Path | None) -> None:
    """Refuse a place for a seal before hours of training.

    Raises:
        SettingsError: it is a folder, or lies in none.
    """
    if file is not None and (file.is_dir() or not file.absolute().parent.is_dir()):
        raise SettingsError(
            f"No seal can be written to '{file}'. Name a file in a folder that exists."
        )


def read_plan(
    model: str,
    preset_name: str | None,
    plan_file: Path | None,
    match: str | None,
    layers: str | None,
) -> FreezePlan:
    """The plan that the options of a command describe.

    A list of names or patterns becomes a plan for `model`.

    Raises:
        PlanError: none or several of them are given, or the plan cannot be read.
    """
    given = [o for o in (preset_name, plan_file, match) if o is not None]
    if len(given) != 1:
        raise PlanError("Choose what trains with exactly one of --preset, --plan or --match.")
    if preset_name is not None:
        return preset(preset_name, layers)
    if match is not None:
        return FreezePlan.from_dict(
            {"schema": 1, "name": match, "rules": [{"regex": match, "layers": layers}]}
        )
    if layers is not None:
        raise PlanError(
            "--layers goes with --preset or --match: a plan file has blocks of its own."
        )
    assert plan_file is not None
    return plan_in(plan_file, model)


def plan_in(file: Path, model: str | Anatomy) -> FreezePlan:
    """The plan in a file.

    Args:
        model: that names and patterns are of.

    Raises:
        PlanError: there is no such file, or it cannot be read.
    """
    text = text_in(file)
    if text.lstrip().startswith("{"):
        return FreezePlan.from_json(text)
    return import_plan(text, open_model(model) if isinstance(model, str) else model)


def text_in(file: Path) -> str:
    """The text of a plan, or of another tool's selection.

    Raises:
        PlanError: there is no such file, or it is too large.
    """
    if not file.is_file():
        raise PlanError(f"There is no plan file '{file}'.")
    if file.stat().st_size > MAX_IMPORT_BYTES:
        raise PlanError(f"'{file}' is larger than 16 MiB, which is too large for a plan.")
    return file.read_text(encoding="utf-8-sig", errors="replace")
