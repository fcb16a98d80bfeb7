"""The command line: a thin skin over the functions that the pages call.

Every command takes `--json`: one object on standard output and nothing else there. Exit code 0 on
success, 2 on a person's mistake (one line on standard error), 1 on a fault of ours (a traceback).
"""

from __future__ import annotations

import json
import sys
from contextlib import ExitStack
from pathlib import Path
from typing import Annotated, Any, NoReturn

import typer

from qwen_ui.errors import PlanError, SettingsError, UserError
from qwen_ui.freeze import FreezePlan, preset
from qwen_ui.freeze.plan import MAX_IMPORT_BYTES
from qwen_ui.model import DEFAULT_MODEL, remote_code
from qwen_ui.options import with_settings
from qwen_ui.texts import (
    compare_text,
    cost_text,
    freeze_text,
    inspect_text,
    rank_text,
    runs_text,
    train_text,
)

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


def main() -> None:
    """Run the command line and exit with its code."""
    try:
        app(standalone_mode=False)
    except UserError as error:
        _refuse(str(error))
    except typer.TyperException as error:
        _refuse(f"{error} `python -m qwen_ui --help` lists what there is.")
    except typer.Abort:
        _refuse("Interrupted.")


def _refuse(text: str) -> NoReturn:
    print("Error: " + " ".join(text.split()), file=sys.stderr)
    sys.exit(2)


def _say(record: dict[str, Any], as_json: bool, text: str) -> None:
    print(json.dumps(record) if as_json else text)


def _write(file: Path, text: str) -> None:
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


@app.command()
def inspect(model: Model = DEFAULT_MODEL, as_json: AsJson = False) -> None:
    """What a model is made of, without its weights; whether those at hand fit it."""
    from qwen_ui.model import open_model
    from qwen_ui.records import inspect_record

    anatomy = open_model(model)
    record = inspect_record(anatomy)
    _say(record, as_json, inspect_text(anatomy, record["weights"]))


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
    from qwen_ui.freeze import export as export_text
    from qwen_ui.freeze import resolve
    from qwen_ui.model import open_model
    from qwen_ui.records import freeze_record

    chosen = read_plan(model, preset_name, plan, match, layers)
    selection = resolve(chosen, open_model(model))
    record, text = freeze_record(selection), freeze_text(selection)
    if export is not None:
        text = export_text(selection, export).rstrip("\n")
        record["export"] = text
    if save is not None:
        _write(save, chosen.to_json() + "\n")
    _say(record, as_json, text)


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
    from qwen_ui.freeze import resolve
    from qwen_ui.freeze.cost import StepSettings, full_cost, price
    from qwen_ui.model import open_model
    from qwen_ui.records import cost_record

    settings = StepSettings(
        batch_size=batch_size,
        sequence_length=sequence_length,
        optimizer=optimizer,
        keep_prefix=keep_prefix,
        checkpointing=checkpointing,
    )
    if worker:
        from qwen_ui.train.step_price import as_worker

        settings = as_worker(settings, dtype="float32", keep_prefix=True)
    selection = resolve(read_plan(model, preset_name, plan, match, layers), open_model(model))
    priced = price(selection.anatomy, selection, settings)
    full = full_cost(selection.anatomy, settings)
    _say(cost_record(selection, priced, full), as_json, cost_text(selection, priced, full))


@app.command()
def report(
    model: Model = DEFAULT_MODEL,
    output: Annotated[Path | None, typer.Option("-o", "--output", help="Write it here.")] = None,
    as_json: AsJson = False,
) -> None:
    """The architecture inspection report, its checks executed; Markdown."""
    from qwen_ui.model import open_model
    from qwen_ui.model.report import report as write_report
    from qwen_ui.records import report_record

    found = write_report(open_model(model))
    if output is not None:
        _write(output, found.markdown)
    text = found.markdown if output is None else f"Written to {output}."
    _say(report_record(found), as_json, text)


@app.command()
@with_settings
def train(
    model: Annotated[str, typer.Argument(help="A model whose weights are at hand.")],
    data: Annotated[str, typer.Option(help="A .jsonl, .json, .csv, .parquet or .txt file.")],
    steps: Annotated[int, typer.Option(help="Optimizer steps.")],
    preset_name: Annotated[str | None, typer.Option("--preset")] = None,
    plan: PlanFile = None,
    match: Match = None,
    layers: Layers = None,
    output: Annotated[Path | None, typer.Option(help="Copy delta and plan to this folder.")] = None,
    as_json: AsJson = False,
    **settings: Any,
) -> None:
    """Train a plan, in a process of its own, and wait for its end."""
    from qwen_ui.train.launch import start
    from qwen_ui.train.prepare import prepare

    chosen = read_plan(model, preset_name, plan, match, layers)
    spec = prepare(model=model, plan=chosen, data=data, steps=steps, **settings)
    _follow(start(spec), as_json, output)


@app.command()
def compare(
    model: Annotated[str, typer.Argument(help="A model whose weights are at hand.")],
    plans: Annotated[str, typer.Option(help="For instance attention,bitfit,mlp@last:2,my.json.")],
    data: Annotated[str, typer.Option(help="A .jsonl, .json, .csv, .parquet or .txt file.")],
    steps: Annotated[int, typer.Option(help="Optimizer steps of every run.")],
    layers: Annotated[str | None, typer.Option(help="Of the presets without @layers.")] = None,
    learning_rates: Annotated[
        str | None, typer.Option(help="One a plan, by commas; suggested where left out.")
    ] = None,
    eval_data: Annotated[str | None, typer.Option(help="A file of its own to evaluate on.")] = None,
    batch_size: Annotated[int, typer.Option(help="Sequences a step.")] = 8,
    sequence_length: Annotated[int, typer.Option(help="Tokens a sequence.")] = 128,
    seed: Annotated[int, typer.Option(help="The first seed.")] = 0,
    seeds: Annotated[int, typer.Option(help="How many: the first and those after it.")] = 1,
    prefix_cache: Annotated[str, typer.Option(help="auto or off.")] = "auto",
    as_json: AsJson = False,
) -> None:
    """Train several plans on the same data and seeds, and say which is better."""
    from qwen_ui.train.compare import carry_on, make_comparison, named_plans, parse_rates
    from qwen_ui.train.verdict import comparison_record

    comparison = make_comparison(
        model,
        named_plans(plans, layers),
        seeds=range(seed, seed + seeds),
        learning_rates=parse_rates(learning_rates),
        data=data,
        steps=steps,
        eval_data=eval_data,
        batch_size=batch_size,
        sequence_length=sequence_length,
        prefix_cache=prefix_cache,
    )
    label, length = f"comparison {comparison.name}", steps * len(comparison.entries)
    with typer.progressbar(length=length, label=label, file=sys.stderr) as bar:
        comparison = carry_on(
            comparison, lambda event: bar.update(1) if event["event"] == "step" else None
        )
    record = comparison_record(comparison)
    _say(record, as_json, compare_text(record))
    for run_ in record["runs"]:
        _end_as_the_run_did(run_)


@app.command()
def rank(
    model: Annotated[str, typer.Argument(help="A model whose weights are at hand.")],
    data: Annotated[str, typer.Option(help="A .jsonl, .json, .csv, .parquet or .txt file.")],
    method: Annotated[str, typer.Option(help="gradient, activation, weight, ...")] = "gradient",
    top: Annotated[int, typer.Option(help="How many of the highest blocks to name.")] = 4,
    sequences: Annotated[int, typer.Option(help="How many sequences of the data to use.")] = 32,
    batch_size: Annotated[int, typer.Option(help="Sequences at once.")] = 8,
    sequence_length: Annotated[int, typer.Option(help="Tokens a sequence.")] = 128,
    as_json: AsJson = False,
) -> None:
    """Score every block of a model on your data: which ones matter?"""
    from qwen_ui.train.rank import rank as rank_blocks

    with ExitStack() as stack:
        shown: list[Any] = []

        def tick(done: int, total: int) -> None:
            # Not before the work begins: a mistake is one line on standard error and nothing else.
            if not shown:
                bar = typer.progressbar(length=total, label=f"rank by {method}", file=sys.stderr)
                shown.append(stack.enter_context(bar))
            shown[0].update(done - shown[0].pos)

        ranking = rank_blocks(
            model,
            data,
            method,
            sequences=sequences,
            batch_size=batch_size,
            sequence_length=sequence_length,
            tick=tick,
        )
    record = ranking.record(top)
    _say(record, as_json, rank_text(record))


@app.command()
def apply(
    delta: Annotated[str, typer.Argument(help="A delta.safetensors, its folder, or a run.")],
    base: Annotated[str, typer.Option(help="The model that it was trained on.")],
    output: Annotated[Path, typer.Option("-o", "--output", help="A new folder.")],
    as_json: AsJson = False,
) -> None:
    """Put trained tensors on their base: a full model that plain transformers loads."""
    from qwen_ui.train.delta import apply_delta, delta_file

    applied = apply_delta(delta_file(delta), base, output)
    record = {
        "tensors": applied.tensors,
        "parameters": applied.parameters,
        "folder": str(applied.folder),
    }
    text = (
        f"{applied.tensors} tensors ({applied.parameters:,} parameters) put on {base}: "
        f"'{applied.folder}' holds the whole model."
    )
    _say(record, as_json, text)


@app.command()
def resume(run: Run, as_json: AsJson = False) -> None:
    """Go on with a run that ended before its last step, and wait for its end."""
    from qwen_ui.train.launch import resume as resume_run

    _follow(resume_run(run), as_json, None)


@app.command()
def stop(run: Run, as_json: AsJson = False) -> None:
    """Ask a run to save what it has and stop, and wait until it has done so."""
    from qwen_ui.train.launch import stop as stop_run
    from qwen_ui.train.launch import wait
    from qwen_ui.train.runs import row, run_folder

    stop_run(run)
    wait(run)
    found = row(run_folder(run))
    _say(found, as_json, runs_text([found]))


@app.command()
def runs(as_json: AsJson = False) -> None:
    """All runs, the newest first."""
    from qwen_ui.train.runs import list_runs

    found = list_runs()
    _say({"runs": found}, as_json, runs_text(found))


def _follow(run: str, as_json: bool, output: Path | None) -> None:
    """Show a run's progress on standard error until it ends, then its summary."""
    from qwen_ui.train.launch import wait
    from qwen_ui.train.runs import copy_results, read_json, run_folder

    folder = run_folder(run)
    steps = int(read_json(folder / "spec.json").get("steps", 0))
    with typer.progressbar(length=steps, label=run, file=sys.stderr) as bar:
        record = wait(run, lambda event: bar.update(1) if event["event"] == "step" else None)
    if output is not None:
        copy_results(folder, output)
    _say(record, as_json, train_text(record))
    _end_as_the_run_did(record)


def _end_as_the_run_did(record: dict[str, Any]) -> None:
    """Exit with the code of a run that did not end well."""
    if record["status"] in {"failed", "interrupted"}:
        print(f"Error: {record['reason']}", file=sys.stderr)
        sys.exit(2 if record.get("mistake") else 1)
