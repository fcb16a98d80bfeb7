"""Commands about a plan: freeze, cost."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from qwen_ui import engine
from qwen_ui.cli.shared import (
    AsJson,
    Layers,
    Match,
    Model,
    PlanFile,
    Preset,
    app,
    read_plan,
    say,
    write,
)
from qwen_ui.cli.table import table
from qwen_ui.formats import short_bytes, short_flops
from qwen_ui.freeze import Selection, export_formats, export_text, resolve
from qwen_ui.freeze import cost as pricing
from qwen_ui.freeze.cost import optimizer_names
from qwen_ui.library import freeze_record
from qwen_ui.model import DEFAULT_MODEL, length_note, open_model
from qwen_ui.runs import Prefix, free_memory

if TYPE_CHECKING:
    from qwen_ui.freeze.cost import Cost
    from qwen_ui.workers import CardFit

GIGABYTE = 10**9


@app.command()
def freeze(
    model: Model = DEFAULT_MODEL,
    preset_name: Preset = None,
    plan: PlanFile = None,
    match: Match = None,
    layers: Layers = None,
    export: Annotated[
        str | None,
        typer.Option(help=f"Print the plan for another tool: {', '.join(export_formats())}."),
    ] = None,
    save: Annotated[Path | None, typer.Option(help="Write the plan as JSON to this file.")] = None,
    as_json: AsJson = False,
) -> None:
    """Show which parameters a plan trains in a model."""
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
    batch_size: Annotated[int, typer.Option(help="Sequences per step.")],
    sequence_length: Annotated[int, typer.Option(help="Tokens per sequence.")],
    model: Model = DEFAULT_MODEL,
    preset_name: Preset = None,
    plan: PlanFile = None,
    match: Match = None,
    layers: Layers = None,
    optimizer: Annotated[
        str, typer.Option(help=f"Optimizer: {', '.join(optimizer_names())}.")
    ] = "adamw",
    prefix: Annotated[
        Prefix | None,
        typer.Option(
            help="What becomes of the frozen blocks below: keep caches their outputs; stream reads "
            "them once from the files and never holds them; off runs them at every step; auto "
            "chooses by --memory."
        ),
    ] = None,
    keep_prefix: Annotated[bool, typer.Option(help="The same as --prefix keep.")] = False,
    memory: Annotated[
        float | None,
        typer.Option(help="Gigabytes that --prefix auto may take; by default what is free here."),
    ] = None,
    sequences: Annotated[
        int,
        typer.Option(min=1, help="Sequences that the frozen blocks are run over once, of a run."),
    ] = 1000,
    checkpointing: Annotated[bool, typer.Option(help="Assume gradient checkpointing.")] = False,
    worker: Annotated[
        bool,
        typer.Option(help="Assume the way `train` works: its loss, cached prefix, float32."),
    ] = False,
    gpus: Annotated[
        bool, typer.Option("--gpus", help="Say which GPUs it fits on, and what would make it fit.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Estimate what one training step of a plan costs, compared with training everything."""
    settings = pricing.StepSettings(
        batch_size=batch_size,
        sequence_length=sequence_length,
        optimizer=optimizer,
        keep_prefix=keep_prefix,
        checkpointing=checkpointing,
    )
    if worker:
        settings = engine.as_worker(settings, dtype="float32", keep_prefix=True)
    selection = resolve(read_plan(model, preset_name, plan, match, layers), open_model(model))
    settings = _by_way(prefix, selection, settings, memory)
    priced = pricing.price(selection.anatomy, selection, settings)
    full = pricing.full_cost(selection.anatomy, settings)
    long = length_note(selection.anatomy, sequence_length)
    warnings = [*selection.warnings, *([long] if long else [])]
    record = {"model": selection.anatomy.source, **asdict(priced), "full": asdict(full)}
    text = cost_text(selection, priced, full, warnings)
    if priced.streamed_bytes:
        tokens, dtype = sequences * sequence_length, settings.dtype or selection.anatomy.dtype
        record["pass"] = pass_record(priced, tokens, dtype)
        said = engine.pass_sentence(priced, tokens, "cpu", dtype)
        text += f"\n\n{pricing.streamed_sentence(priced)} {said}"
    if gpus:
        from qwen_ui.workers import fits_on_cards  # noqa: PLC0415  loads torch

        found = fits_on_cards(selection, settings)
        record["gpus"] = [asdict(fit) for fit in found]
        text += f"\n\n{gpus_text(found)}"
    say(record | {"warnings": warnings}, as_json, text)


def _by_way(
    prefix: Prefix | None,
    selection: Selection,
    settings: pricing.StepSettings,
    memory: float | None,
) -> pricing.StepSettings:
    """The step with its frozen blocks as `--prefix` asks for."""
    if prefix is None:
        return settings
    kept, streamed = (
        replace(settings, keep_prefix=True, stream_prefix=stream) for stream in (False, True)
    )
    free, needs = 0.0, [0.0, 0.0]
    if prefix == "auto":
        free = memory * GIGABYTE if memory is not None else free_memory()
        prices = (pricing.price(selection.anatomy, selection, way) for way in (kept, streamed))
        needs = [cost.peak_bytes + pricing.OVERHEAD_BYTES for cost in prices]
    way = pricing.choose_way(prefix, kept=needs[0], streamed=needs[1], free=free)
    off = replace(settings, keep_prefix=False, stream_prefix=False)
    return {"off": off, "keep": kept, "stream": streamed}[way]


def pass_record(cost: Cost, tokens: int, dtype: str) -> dict[str, Any]:
    """The pass over the frozen blocks: what it reads and leaves, and seconds by either part."""
    speed = engine.known_speed("cpu", dtype)
    found = pricing.pass_time(cost, tokens, speed, engine.PORTION_BYTES)
    return {
        "tokens": tokens,
        "kept_bytes": tokens * cost.kept_bytes_per_token,
        "read_bytes": found.readings * cost.pass_read_bytes,
        "flops": tokens * cost.pass_flops_per_token,
        "disk_seconds": found.disk,
        "compute_seconds": found.compute,
        "seconds": found.seconds,
        "speed": asdict(speed),
    }


def freeze_text(selection: Selection) -> str:
    """The summary, the warnings and a row per block."""
    lines = [selection.summary, *(f"Note: {warning}" for warning in selection.warnings), ""]
    rows = [("block", "trainable", "of")]
    rows += [(str(index), f"{part:,}", f"{all_:,}") for index, all_, part in selection.block_counts]
    return "\n".join(lines + table(rows, right={0, 1, 2}))


def cost_text(selection: Selection, cost: Cost, full: Cost, warnings: Sequence[str] = ()) -> str:
    """The summary, the warnings and a row per figure: the plan, everything, and their ratio."""
    rows = [("one step", "this plan", "everything", "ratio")]
    for field in fields(cost):
        mine, whole = getattr(cost, field.name), getattr(full, field.name)
        if field.name.startswith("flops"):
            shown = (short_flops(mine), short_flops(whole))
        elif field.name.endswith("_bytes"):
            shown = (short_bytes(mine), short_bytes(whole))
        else:
            continue
        ratio = f"{mine / whole:.3f}" if whole else "-"
        rows.append((field.name.replace("_", " "), *shown, ratio))
    notes = [f"Note: {warning}" for warning in warnings]
    return "\n".join([selection.summary, *notes, "", *table(rows, right={1, 2, 3})])


def gpus_text(fits: Sequence[CardFit]) -> str:
    """A row per card: its memory, what the step needs, whether it fits, the largest batch."""
    rows = [("card", "usable", "needs", "fits", "largest batch", "what would make it fit")]
    rows += [
        (
            fit.card.name,
            short_bytes(fit.card.bytes),
            short_bytes(fit.need),
            "yes" if fit.fits else "no",
            f"{fit.batch:,}" if fit.batch else "none",
            fit.remedy or ("" if fit.fits else "nothing here"),
        )
        for fit in fits
    ]
    return "\n".join(table(rows, right={1, 2, 4}))
