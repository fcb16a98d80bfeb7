"""Commands that wait for a training run: train, resume."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from qwen_ui.cli.options import present_name, with_settings
from qwen_ui.cli.shared import (
    AsJson,
    Data,
    Layers,
    Match,
    ModelWithWeights,
    PlanFile,
    Preset,
    Run,
    SealFile,
    app,
    read_plan,
    refuse_seal_file,
    say,
    tell_notes,
)
from qwen_ui.cli.table import loss_cell
from qwen_ui.compare import seal_of, write_seal
from qwen_ui.engine import checked_spec, search_steps
from qwen_ui.errors import SettingsError
from qwen_ui.runs import copy_results, recorded_settings, run_folder
from qwen_ui.workers import SlurmRequest, prefix_notice, start, wait
from qwen_ui.workers import resume as resume_run


@app.command(context_settings={"token_normalize_func": present_name})
@with_settings
def train(
    model: ModelWithWeights,
    data: Data,
    steps: Annotated[int, typer.Option(help="Optimizer steps.")],
    preset_name: Preset = None,
    plan: PlanFile = None,
    match: Match = None,
    layers: Layers = None,
    output: Annotated[
        Path | None, typer.Option(help="Copy the delta and the plan to this folder.")
    ] = None,
    seal: SealFile = None,
    slurm: Annotated[
        bool, typer.Option("--slurm", help="Hand the run to Slurm instead of starting it here.")
    ] = False,
    slurm_partition: Annotated[
        str, typer.Option(help="Partition of the Slurm job; by default the cluster's own.")
    ] = "",
    slurm_gpus: Annotated[
        int, typer.Option(help="GPUs of the Slurm job, a process each; 0 trains on the CPU.")
    ] = 1,
    slurm_cpus: Annotated[
        int, typer.Option(help="CPU cores of the Slurm job; 0 takes the cluster's default.")
    ] = 0,
    slurm_hours: Annotated[float, typer.Option(help="Time limit of the Slurm job.")] = 4.0,
    as_json: AsJson = False,
    **settings: Any,
) -> None:
    """Train the parameters that a plan selects, in a separate process, and wait for its end."""
    refuse_seal_file(seal)
    if seal is not None and settings.get("learning_rate_finder"):
        raise SettingsError("The learning-rate finder trains nothing that could be sealed.")
    chosen = read_plan(model, preset_name, plan, match, layers)
    spec = checked_spec(model=model, plan=chosen, data=data, steps=steps, **settings)
    if not slurm and (notice := prefix_notice(spec)):
        tell_notes([notice])
    job = SlurmRequest(slurm_partition, slurm_gpus, slurm_cpus, round(slurm_hours * 60))
    _follow(start(spec, job if slurm else None), as_json, output, seal)


@app.command()
def resume(run: Run, seal: SealFile = None, as_json: AsJson = False) -> None:
    """Resume a run that ended before its last step, and wait for its end."""
    refuse_seal_file(seal)
    _follow(resume_run(run), as_json, None, seal)


def _follow(run: str, as_json: bool, output: Path | None, seal: Path | None) -> None:
    """Show a run's progress on standard error until it ends, then its summary."""
    folder = run_folder(run)
    settings = recorded_settings(folder)
    steps = int(settings.get("steps", 0))
    if settings.get("learning_rate_finder"):
        steps = search_steps(steps)
    with typer.progressbar(length=steps, label=run, file=sys.stderr) as bar:
        record = wait(run, lambda event: bar.update(1) if event["event"] == "step" else None)
    if output is not None:
        copy_results(folder, output)
    tell_notes(record["notes"])
    say(record, as_json, train_text(record))
    exit_if_failed(record)
    if seal is not None:
        write_seal(seal, seal_of(run))


def exit_if_failed(record: dict[str, Any]) -> None:
    """Exit with code 2 or 1 where a run failed by invalid input or an internal error."""
    if record["status"] in {"failed", "interrupted"}:
        print(f"Error: {record['reason']}", file=sys.stderr)
        sys.exit(2 if record.get("mistake") else 1)


def train_text(record: dict[str, Any]) -> str:
    """The result of a run."""
    before, after = (loss_cell(record[f"eval_loss_{when}"]) for when in ("before", "after"))
    error = record["gain_error"]
    sure = "" if error is None else f"; the gain's standard error is {error:.3f}"
    lines = [
        f"{record['run']}: {record['status']}, {len(record['losses'])} of {record['steps']} steps",
        *([record["reason"]] if record["reason"] else []),
        f"evaluation loss {before} before, {after} after (nats per token){sure}",
    ]
    if record["kl"] is not None:
        before, after = (loss_cell(record[f"keep_loss_{when}"]) for when in ("before", "after"))
        lines.append(
            f"text to keep: loss {before} before, {after} after{_error(record['keep_error'])}; "
            f"KL(base || tuned) {record['kl']:.4f}{_error(record['kl_error'])} nats per token"
        )
    if record["seconds_per_step"]:
        lines.append(
            f"{record['seconds_per_step']:.3f} s per step (median), "
            f"{record['tokens_per_second']:,.0f} tokens per second, "
            f"{record['prefix_blocks']} frozen blocks cached"
        )
    if record["delta"]:
        lines.append(f"trained tensors: {record['delta']}")
    return "\n".join(lines)


def _error(error: float | None) -> str:
    return "" if error is None else f" ± {error:.4f}"
