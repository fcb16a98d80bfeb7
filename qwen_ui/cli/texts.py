"""What the command line prints for people."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from qwen_ui.freeze import Selection
    from qwen_ui.freeze.cost.estimate import Cost
    from qwen_ui.model import Anatomy


def inspect_text(anatomy: Anatomy, weights: dict[str, Any] | None) -> str:
    """The facts, whether the weights at hand fit, and the table of kinds."""
    lines = [
        f"{anatomy.source} ({anatomy.model_type}): {anatomy.total_parameters:,} parameters in "
        f"{len(anatomy.parameters):,} tensors, {anatomy.block_count} blocks, "
        f"{anatomy.bytes:,} bytes in {anatomy.dtype}",
        *(f"tied: {' = '.join(group)}" for group in anatomy.tied),
        *([f"weights: {weights['summary']}"] if weights else ()),
        "",
    ]
    rows = [("kind", "role", "shape", "parameters", "blocks")]
    rows += [
        (
            kind.kind,
            str(kind.role),
            " x ".join(map(str, kind.shape)),
            f"{kind.parameters:,}",
            str(len(kind.blocks) or "-"),
        )
        for kind in anatomy.kinds
    ]
    return "\n".join(lines + _table(rows, right={3, 4}))


def freeze_text(selection: Selection) -> str:
    """The sentence, the warnings and a row a block."""
    lines = [selection.summary, *(f"Note: {warning}" for warning in selection.warnings), ""]
    rows = [("block", "trainable", "of")]
    rows += [(str(index), f"{part:,}", f"{all_:,}") for index, all_, part in selection.block_counts]
    return "\n".join(lines + _table(rows, right={0, 1, 2}))


def cost_text(selection: Selection, cost: Cost, full: Cost) -> str:
    """A row a figure: the plan, training everything, and their ratio."""
    rows = [("one step", "this plan", "everything", "ratio")]
    for field in fields(cost):
        mine, whole = getattr(cost, field.name), getattr(full, field.name)
        if field.name.startswith("flops"):
            shown = (f"{mine / 1e12:,.3f} TFLOP", f"{whole / 1e12:,.3f} TFLOP")
        elif field.name.endswith("_bytes"):
            shown = (f"{mine / 1e9:,.3f} GB", f"{whole / 1e9:,.3f} GB")
        else:
            continue
        ratio = f"{mine / whole:.3f}" if whole else "-"
        rows.append((field.name.replace("_", " "), *shown, ratio))
    return "\n".join([selection.summary, "", *_table(rows, right={1, 2, 3})])


def runs_text(rows: list[dict[str, Any]]) -> str:
    """A line a run."""
    if not rows:
        return "No runs yet. `python -m qwen_ui train` starts one."
    table = [("run", "status", "step", "loss", "")]
    table += [
        (
            row["run"],
            row["status"],
            f"{row['step']}/{row['steps']}",
            _loss(row["loss"]),
            row["reason"],
        )
        for row in rows
    ]
    return "\n".join(_table(table, right={2, 3}))


def train_text(record: dict[str, Any]) -> str:
    """What a run came to."""
    before, after = _loss(record["eval_loss_before"]), _loss(record["eval_loss_after"])
    lines = [
        f"{record['run']}: {record['status']}, {len(record['losses'])} of {record['steps']} steps",
        f"evaluation loss {before} before, {after} after (nats a token)",
    ]
    if record["seconds_per_step"]:
        lines.append(
            f"{record['seconds_per_step']:.3f} s a step in the median, "
            f"{record['tokens_per_second']:,.0f} tokens a second, "
            f"{record['prefix_blocks']} blocks kept as prefix"
        )
    if record["delta"]:
        lines.append(f"trained tensors: {record['delta']}")
    return "\n".join(lines)


def compare_text(record: dict[str, Any]) -> str:
    """The verdict, and a row a plan."""
    rows = [("plan", "trainable", "rate", "before", "after", "seconds", "peak memory", "front")]
    for row in record["rows"]:
        spread = f" ± {row['spread']:.3f}" if row["runs"] > 1 else ""
        rows.append(
            (
                row["plan"],
                f"{row['trainable']:,}",
                f"{row['learning_rate']:.1e}",
                f"{row['before']:.3f}",
                f"{row['after']:.3f}{spread}",
                f"{row['seconds']:.1f}",
                f"{row['peak_bytes'] / 1e6:,.0f} MB",
                "*" if row["front"] else "",
            )
        )
    ends = [f"{r['run']} ({r['plan']}, seed {r['seed']}): {r['status']}" for r in record["runs"]]
    table = _table(rows, right={1, 2, 3, 4, 5, 6})
    return "\n".join([record["verdict"], "", *table, "", *ends])


def rank_text(record: dict[str, Any]) -> str:
    """The highest blocks, and a row a block."""
    top = ", ".join(map(str, record["top"]))
    lines = [f"{record['model']}, by {record['method']}: the highest blocks are {top}."]
    if record["unranked"]:
        lines.append(f"Not ranked by this method: {', '.join(record['unranked'])}.")
    rows = [("block", "score", "")]
    rows += [
        (str(b["index"]), f"{b['score']:.6g}", "*" if b["index"] in record["top"] else "")
        for b in record["blocks"]
    ]
    return "\n".join([*lines, "", *_table(rows, right={0, 1})])


def _loss(value: float | None) -> str:
    return "-" if value is None else f"{value:.4f}"


def _table(rows: Sequence[tuple[str, ...]], right: set[int]) -> list[str]:
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    return [
        "  ".join(
            cell.rjust(width) if column in right else cell.ljust(width)
            for column, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    ]
