"""Commands that train and look after what was trained: train, compare, rank, apply, runs and on."""

from __future__ import annotations

import sys
from contextlib import ExitStack
from pathlib import Path
from typing import Annotated, Any

import typer

from qwen_ui.cli.options import with_settings
from qwen_ui.cli.shared import AsJson, Layers, Match, PlanFile, Run, app, read_plan, say
from qwen_ui.cli.texts import compare_text, rank_text, runs_text, train_text
from qwen_ui.files import read_json


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
    from qwen_ui.engine.request import checked_spec
    from qwen_ui.workers.launch import start

    chosen = read_plan(model, preset_name, plan, match, layers)
    spec = checked_spec(model=model, plan=chosen, data=data, steps=steps, **settings)
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
    from qwen_ui.compare.comparison import carry_on, make_comparison, named_plans, parse_rates
    from qwen_ui.compare.verdict import comparison_record

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
    say(record, as_json, compare_text(record))
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
    from qwen_ui.rank.run import rank as rank_blocks

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
    say(record, as_json, rank_text(record))


@app.command()
def apply(
    delta: Annotated[str, typer.Argument(help="A delta.safetensors, its folder, or a run.")],
    base: Annotated[str, typer.Option(help="The model that it was trained on.")],
    output: Annotated[Path, typer.Option("-o", "--output", help="A new folder.")],
    as_json: AsJson = False,
) -> None:
    """Put trained tensors on their base: a full model that plain transformers loads."""
    from qwen_ui.engine.delta import apply_delta, delta_file

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
    say(record, as_json, text)


@app.command()
def resume(run: Run, as_json: AsJson = False) -> None:
    """Go on with a run that ended before its last step, and wait for its end."""
    from qwen_ui.workers.launch import resume as resume_run

    _follow(resume_run(run), as_json, None)


@app.command()
def stop(run: Run, as_json: AsJson = False) -> None:
    """Ask a run to save what it has and stop, and wait until it has done so."""
    from qwen_ui.runs.summary import run_folder, run_row
    from qwen_ui.workers.launch import stop as stop_run
    from qwen_ui.workers.launch import wait

    stop_run(run)
    wait(run)
    found = run_row(run_folder(run))
    say(found, as_json, runs_text([found]))


@app.command()
def runs(as_json: AsJson = False) -> None:
    """All runs, the newest first."""
    from qwen_ui.runs.summary import list_runs

    found = list_runs()
    say({"runs": found}, as_json, runs_text(found))


def _follow(run: str, as_json: bool, output: Path | None) -> None:
    """Show a run's progress on standard error until it ends, then its summary."""
    from qwen_ui.runs.summary import copy_results, run_folder
    from qwen_ui.workers.launch import wait

    folder = run_folder(run)
    steps = int(read_json(folder / "spec.json").get("steps", 0))
    with typer.progressbar(length=steps, label=run, file=sys.stderr) as bar:
        record = wait(run, lambda event: bar.update(1) if event["event"] == "step" else None)
    if output is not None:
        copy_results(folder, output)
    say(record, as_json, train_text(record))
    _end_as_the_run_did(record)


def _end_as_the_run_did(record: dict[str, Any]) -> None:
    """Exit with the code of a run that did not end well."""
    if record["status"] in {"failed", "interrupted"}:
        print(f"Error: {record['reason']}", file=sys.stderr)
        sys.exit(2 if record.get("mistake") else 1)
