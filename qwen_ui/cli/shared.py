"""What all commands share: the application, their options, reading a plan, saying the result."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

import typer

from qwen_ui.errors import PlanError, SettingsError
from qwen_ui.freeze import FreezePlan, preset
from qwen_ui.freeze.plan import MAX_IMPORT_BYTES
from qwen_ui.model import remote_code

app = typer.Typer(
    name="qwen_ui",
    help="If I train only these parameters, what do I train, what does it cost, what do I get?",
    add_completion=False,
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)


@app.callback()
def options(
    trust_remote_code: Annotated[
        bool,
        typer.Option("--trust-remote-code", help="Run a model's own code; before COMMAND."),
    ] = False,
) -> None:
    if trust_remote_code:
        remote_code.trust()


Model = Annotated[str, typer.Argument(help="A preset, a folder, a config.json, or a hub id.")]
AsJson = Annotated[bool, typer.Option("--json", help="One JSON object on standard output.")]
Preset = Annotated[str | None, typer.Option(help="attention, bitfit, mlp, norms, ...")]
PlanFile = Annotated[
    Path | None, typer.Option("--plan", help="A plan, a list of names, Axolotl's patterns.")
]
Match = Annotated[str | None, typer.Option(help="A regular expression over parameter names.")]
Run = Annotated[str, typer.Argument(help="A run's name, as `runs` lists it.")]
Layers = Annotated[str | None, typer.Option(help="For instance last:4, 24-27 or all.")]


def say(record: dict[str, Any], as_json: bool, text: str) -> None:
    print(json.dumps(record) if as_json else text)


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


def read_plan(
    model: str,
    preset_name: str | None,
    plan_file: Path | None,
    match: str | None,
    layers: str | None,
) -> FreezePlan:
    """The plan that the options of a command name; a list of names or patterns is one of `model`.

    Raises:
        PlanError: none or several of them are given, or the plan cannot be read.
    """
    given = [o for o in (preset_name, plan_file, match) if o is not None]
    if len(given) != 1:
        raise PlanError("Say what trains with exactly one of --preset, --plan or --match.")
    if preset_name is not None:
        return preset(preset_name, layers)
    if match is not None:
        return FreezePlan.from_dict(
            {"schema": 1, "name": match, "rules": [{"regex": match, "layers": layers}]}
        )
    if layers is not None:
        raise PlanError(
            "--layers goes with --preset or --match: a plan file has layers of its own."
        )
    assert plan_file is not None
    if not plan_file.is_file():
        raise PlanError(f"There is no plan file '{plan_file}'.")
    if plan_file.stat().st_size > MAX_IMPORT_BYTES:
        raise PlanError(f"'{plan_file}' is larger than 16 MiB: that is no plan.")
    text = plan_file.read_text(encoding="utf-8", errors="replace")
    if text.lstrip().startswith("{"):
        return FreezePlan.from_json(text)
    from qwen_ui.freeze import import_plan
    from qwen_ui.model import open_model

    return import_plan(text, open_model(model))
