"""The command `compare`: several plans, one verdict."""

from __future__ import annotations

import sys
from typing import Annotated, Any

import typer

from qwen_ui.cli.options import present_name
from qwen_ui.cli.shared import (
    AsJson,
    Columns,
    Data,
    Keep,
    ModelWithWeights,
    PrefixMode,
    SealFile,
    app,
    refuse_seal_file,
    say,
    tell_notes,
)
from qwen_ui.cli.table import table
from qwen_ui.cli.train import exit_if_failed
from qwen_ui.compare import (
    comparison_record,
    make_comparison,
    parse_plans,
    parse_rates,
    run_comparison,
    seal_comparison,
    write_seal,
)
from qwen_ui.engine import search_steps
from qwen_ui.formats import rate_text, short_bytes, signed
from qwen_ui.runs import command_line
from qwen_ui.workers import prefix_notice


@app.command(context_settings={"token_normalize_func": present_name})
def compare(
    model: ModelWithWeights,
    plans: Annotated[
        str,
        typer.Option(
            help="Comma-separated presets or plan files: attention,bitfit,mlp@last:2,my.json."
        ),
    ],
    data: Data,
    steps: Annotated[int, typer.Option(help="Optimizer steps of every run.")],
    layers: Annotated[
        str | None,
        typer.Option(help="Blocks as a layer expression, for the presets without @layers."),
    ] = None,
    learning_rates: Annotated[
        str | None,
        typer.Option(help="Comma-separated, one per plan; blank for one that is found."),
    ] = None,
    find_rates: Annotated[
        bool,
        typer.Option(
            help="Find each plan's learning rate by short runs first, on a seed of its own; else "
            "take the suggested one."
        ),
    ] = True,
    eval_data: Annotated[
        str | None, typer.Option(help="Evaluation data; by default a part of the training data.")
    ] = None,
    keep: Keep = None,
    columns: Columns = None,
    batch_size: Annotated[int, typer.Option(help="Sequences per step.")] = 8,
    sequence_length: Annotated[int, typer.Option(help="Tokens per sequence.")] = 128,
    seed: Annotated[int, typer.Option(help="First random seed.")] = 0,
    seeds: Annotated[int, typer.Option(help="Number of seeds: the first and those after it.")] = 1,
    prefix: PrefixMode = "auto",
    seal: SealFile = None,
    as_json: AsJson = False,
) -> None:
    """Train several plans on the same data and seeds, and say which is better."""
    refuse_seal_file(seal)
    comparison = make_comparison(
        model,
        parse_plans(plans, layers),
        seeds=range(seed, seed + seeds),
        learning_rates=parse_rates(learning_rates),
        find_rates=find_rates,
        data=data,
        steps=steps,
        eval_data=eval_data,
        keep=keep,
        columns=columns,
        batch_size=batch_size,
        sequence_length=sequence_length,
        prefix=prefix,
    )
    notices = [(entry.label, prefix_notice(entry.spec)) for entry in comparison.entries]
    tell_notes(f"{label}: {notice}" for label, notice in notices if notice)
    sought = search_steps(steps) * len(comparison.searches)
    label, length = f"comparison {comparison.name}", steps * len(comparison.entries) + sought
    with typer.progressbar(length=length, label=label, file=sys.stderr) as bar:
        comparison = run_comparison(
            comparison, lambda event: bar.update(1) if event["event"] == "step" else None
        )
    record = comparison_record(comparison)
    tell_notes(record["notes"])
    say(record, as_json, compare_text(record))
    for run in record["runs"]:
        exit_if_failed(run)
    if seal is not None:
        command = command_line(["qwen-ui", *sys.argv[1:]])
        write_seal(seal, seal_comparison(comparison, command))


def compare_text(record: dict[str, Any]) -> str:
    """The verdict, and a row per plan."""
    heads = ["plan", "trainable", "rate", "before", "after"]
    kept = any(row["forgetting"] is not None for row in record["rows"])
    heads += ["forgets", "KL"] if kept else []
    rows = [(*heads, "seconds", "rate found in", "peak memory", "front")]
    for row in record["rows"]:
        spread = f" ± {row['spread']:.3f}" if row["runs"] > 1 else ""
        rows.append(
            (
                row["plan"],
                f"{row['trainable']:,}",
                rate_text(row["learning_rate"]),
                f"{row['before']:.3f}",
                f"{row['after']:.3f}{spread}",
                *(_kept_cells(row) if kept else ()),
                f"{row['seconds']:.1f}",
                f"{row['rate_seconds']:.1f} s" if row["rate_seconds"] else "",
                short_bytes(row["peak_bytes"]),
                "*" if row["front"] else "",
            )
        )
    ends = [f"{r['run']} ({r['plan']}, seed {r['seed']}): {r['status']}" for r in record["runs"]]
    lines = table(rows, right=set(range(1, len(rows[0]) - 1)))
    return "\n".join([record["verdict"], "", *lines, "", *ends])


def _kept_cells(row: dict[str, Any]) -> tuple[str, str]:
    if row["forgetting"] is None:
        return "", ""
    spread = f" ± {row['forgetting_spread']:.3f}" if row["runs"] > 1 else ""
    return f"{signed(row['forgetting'])}{spread}", f"{row['kl']:.3f}"
