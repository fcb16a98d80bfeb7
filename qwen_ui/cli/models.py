"""Commands about a model and a plan: inspect, freeze, cost, report."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from qwen_ui.cli.shared import (
    AsJson,
    Layers,
    Match,
    Model,
    PlanFile,
    app,
    read_plan,
    say,
    write,
)
from qwen_ui.cli.texts import cost_text, freeze_text, inspect_text
from qwen_ui.model import DEFAULT_MODEL


@app.command()
def inspect(model: Model = DEFAULT_MODEL, as_json: AsJson = False) -> None:
    """What a model is made of, without its weights; whether those at hand fit it."""
    from qwen_ui.cli.json_output import inspect_record
    from qwen_ui.model import open_model

    anatomy = open_model(model)
    record = inspect_record(anatomy)
    say(record, as_json, inspect_text(anatomy, record["weights"]))


@app.command()
def freeze(
    model: Model = DEFAULT_MODEL,
    preset_name: Annotated[str | None, typer.Option("--preset")] = None,
    plan: PlanFile = None,
    match: Match = None,
    layers: Layers = None,
    export: Annotated[
        str | None, typer.Option(help="Print it for another tool: pytorch, trainer, axolotl, ...")
    ] = None,
    save: Annotated[Path | None, typer.Option(help="Write the plan to this file.")] = None,
    as_json: AsJson = False,
) -> None:
    """What a plan trains in a model."""
    from qwen_ui.cli.json_output import freeze_record
    from qwen_ui.freeze import export_text, resolve
    from qwen_ui.model import open_model

    chosen = read_plan(model, preset_name, plan, match, layers)
    selection = resolve(chosen, open_model(model))
    record, text = freeze_record(selection), freeze_text(selection)
    if export is not None:
        text = export_text(selection, export).rstrip("\n")
        record["export"] = text
    if save is not None:
        write(save, chosen.to_json() + "\n")
    say(record, as_json, text)


@app.command()
def cost(
    batch_size: Annotated[int, typer.Option(help="Sequences a step.")],
    sequence_length: Annotated[int, typer.Option(help="Tokens a sequence.")],
    model: Model = DEFAULT_MODEL,
    preset_name: Annotated[str | None, typer.Option("--preset")] = None,
    plan: PlanFile = None,
    match: Match = None,
    layers: Layers = None,
    optimizer: Annotated[str, typer.Option(help="adamw, adamw_8bit, sgd, ...")] = "adamw",
    keep_prefix: Annotated[bool, typer.Option(help="Frozen blocks' output is kept.")] = False,
    checkpointing: Annotated[bool, typer.Option(help="With gradient checkpointing.")] = False,
    worker: Annotated[
        bool, typer.Option(help="As `train` runs it: its own loss, the prefix kept, float32.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """What one training step of a plan computes and holds, beside training everything."""
    from qwen_ui.cli.json_output import cost_record
    from qwen_ui.freeze import resolve
    from qwen_ui.freeze.cost.estimate import StepSettings, full_cost, price
    from qwen_ui.model import open_model

    settings = StepSettings(
        batch_size=batch_size,
        sequence_length=sequence_length,
        optimizer=optimizer,
        keep_prefix=keep_prefix,
        checkpointing=checkpointing,
    )
    if worker:
        from qwen_ui.engine.step_price import as_worker

        settings = as_worker(settings, dtype="float32", keep_prefix=True)
    selection = resolve(read_plan(model, preset_name, plan, match, layers), open_model(model))
    priced = price(selection.anatomy, selection, settings)
    full = full_cost(selection.anatomy, settings)
    say(cost_record(selection, priced, full), as_json, cost_text(selection, priced, full))


@app.command()
def report(
    model: Model = DEFAULT_MODEL,
    output: Annotated[Path | None, typer.Option("-o", "--output", help="Write it here.")] = None,
    as_json: AsJson = False,
) -> None:
    """The architecture inspection report, its checks executed; Markdown."""
    from qwen_ui.cli.json_output import report_record
    from qwen_ui.model import open_model
    from qwen_ui.report.report import inspection_report

    found = inspection_report(open_model(model))
    if output is not None:
        write(output, found.markdown)
    text = found.markdown if output is None else f"Written to {output}."
    say(report_record(found), as_json, text)
