"""A verification as JSON, as a grid, and as Markdown."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from qwen_ui.formats import short_count
from qwen_ui.model import group_kinds
from qwen_ui.verify.change import Change
from qwen_ui.verify.verification import Verification

MOST_ROWS = 50


def verification_record(found: Verification) -> dict[str, Any]:
    """The verification as one JSON object; changed tensors from the most to the least."""
    return {
        "base": found.base,
        "tuned": found.tuned,
        "form": found.form,
        "kept": found.kept,
        "plan": None if found.plan is None else found.plan.to_dict(),
        "changed": [_change_record(change) for change in by_size(found.changed)],
        "unchanged": list(found.unchanged),
        "recast": [_change_record(change) for change in found.recast],
        "missing": list(found.missing),
        "unexpected": list(found.unexpected),
        "reshaped": list(found.reshaped),
        "inert": list(found.inert),
        "broken_ties": [list(group) for group in found.broken_ties],
        "not_finite": dict(found.not_finite),
        "frozen_but_changed": list(found.frozen_but_changed),
        "trainable_but_unchanged": list(found.trainable_but_unchanged),
        "problems": [{"severity": p.severity, "message": p.message} for p in found.problems],
        "grid": grid_record(found),
    }


def by_size(changes: Sequence[Change]) -> list[Change]:
    """From the largest relative change to the smallest; those without one first."""
    return sorted(
        changes,
        key=lambda change: (
            -(float("inf") if change.relative_change is None else change.relative_change)
        ),
    )


def _change_record(change: Change) -> dict[str, Any]:
    record: dict[str, Any] = {
        "name": change.name,
        "relative_change": change.relative_change,
        "rank": change.rank,
        "rank_exact": change.rank_exact,
        "norm": change.norm,
        "largest": change.largest,
        "elements": change.elements,
        "block": change.block,
        "kind": change.kind,
        "dtype": change.dtypes[1],
        "base_dtype": change.dtypes[0],
    }
    if change.reshaped:
        record |= {"shape": list(change.shapes[1]), "base_shape": list(change.shapes[0])}
    if change.dequantized:
        record["dequantized"] = True
    if change.round_trip:
        record["round_trip"] = change.round_trip
    if change.rounds_back:
        record["rounds_back"] = True
    if change.intruders is not None:
        record["intruders"] = change.intruders
    return record


def grid_record(found: Verification) -> dict[str, Any]:
    """Blocks by kinds: the largest relative change in each cell, 0 where nothing changed.

    `kinds` are [label, role]; `values` has a row a kind, a number a block, null where a block has
    no such kind or nothing can be told; `outside` are [label, role, value] of what is outside the
    blocks; `wrong` are [row, block] of cells where the plan was not kept.
    """
    anatomy = found.anatomy
    changes = {change.name: change.relative_change for change in found.changed}
    wrong = {*found.frozen_but_changed, *found.trainable_but_unchanged, *found.not_finite}
    groups = [group for group in group_kinds(anatomy) if group.blocks]
    rows = {group.label: row for row, group in enumerate(groups)}
    values: list[list[float | None]] = [[None] * anatomy.block_count for _ in groups]
    outside, cells = [], set()
    for parameter in anatomy.parameters:
        value = changes.get(parameter.name, 0.0)
        if parameter.name in found.missing:
            value = None
        if parameter.block is None:
            if parameter.name in changes or parameter.name in found.missing:
                outside.append([parameter.name, str(parameter.role), value])
            continue
        row = rows[parameter.kind]
        before = values[row][parameter.block]
        values[row][parameter.block] = max(before or 0.0, value) if value is not None else before
        if parameter.name in wrong:
            cells.add((row, parameter.block))
    return {
        "kinds": [[group.label, str(group.role)] for group in groups],
        "blocks": anatomy.block_count,
        "values": values,
        "outside": outside,
        "wrong": [list(cell) for cell in sorted(cells)],
    }


def headline(found: Verification) -> str:
    """The verdict as one sentence."""
    changed = len(found.changed)
    counts = {
        "changed": changed,
        "tensors": "tensor" if changed == 1 else "tensors",
        "differ": "differs" if changed == 1 else "differ",
        "same": len(found.unchanged) + len(found.recast),
        "tuned": found.tuned,
        "base": found.base,
    }
    if found.plan is None:
        template = (
            "{changed} {tensors} of {tuned} {differ} from {base}, {same} are the same."
            if found.kept
            else "{tuned} has errors; {changed} {tensors} {differ} from {base}, {same} do not."
        )
    elif found.kept:
        template = "The plan was kept: {changed} {tensors} changed, {same} are the same."
    else:
        template = "The plan was not kept: {changed} {tensors} changed, {same} are the same."
    return template.format(**{k: f"{v:,}" if isinstance(v, int) else v for k, v in counts.items()})


def change_cells(change: Change) -> tuple[str, ...]:
    """Name, relative change, largest change, rank, elements, remark: as tables show them."""
    rank = "-"
    if change.rank is not None:
        rank = f"{change.rank:,.1f}" if change.rank_exact else f"at least {change.rank:,.0f}"
    remarks = []
    if change.reshaped:
        remarks.append(f"{list(change.shapes[0])} became {list(change.shapes[1])}")
    if change.rounds_back:
        remarks.append(f"the base's once rounded to {change.dtypes[0]}")
    if change.recast:
        remarks.append(f"{change.dtypes[0]} became {change.dtypes[1]}")
    if change.dequantized:
        remarks.append("compared after dequantizing")
    if change.round_trip:
        remarks.append(f"went through {change.round_trip}")
    if change.not_finite[1]:
        remarks.append(f"{change.not_finite[1]:,} NaN or infinite")
    if change.intruders is not None:
        remarks.append(f"{change.intruders} intruder dimensions")
    relative = "-" if change.relative_change is None else f"{change.relative_change:.3g}"
    return (
        change.name,
        relative,
        f"{change.largest:.3g}",
        rank,
        short_count(change.elements),
        "; ".join(remarks),
    )


COLUMNS = ("tensor", "relative change", "largest", "rank", "elements", "")


def verification_markdown(found: Verification) -> str:
    """The verification as a Markdown document."""
    lines = ["# Verification", "", headline(found), ""]
    lines += [
        f"- Base: `{found.base}`",
        f"- Tuned: `{found.tuned}` ({found.form})",
        f"- Plan: {'none' if found.plan is None else found.plan.name or 'unnamed'}",
        "",
    ]
    if found.problems:
        lines += ["## Problems", ""]
        lines += [f"- **{p.severity}**: {p.message}" for p in found.problems]
        lines.append("")
    if found.changed:
        lines += [*_grid_lines(found), "## Changed", "", _row(COLUMNS), _row(["---"] * 6)]
        shown = by_size(found.changed)
        lines += [_row(change_cells(change)) for change in shown[:MOST_ROWS]]
        if len(shown) > MOST_ROWS:
            lines += ["", f"The {len(shown) - MOST_ROWS:,} that changed least are in the JSON."]
        lines.append("")
    recast = {way: [c.name for c in found.recast if c.dequantized is way] for way in (False, True)}
    lists = (
        ("Frozen but changed", found.frozen_but_changed),
        ("Trainable but unchanged", found.trainable_but_unchanged),
        ("Adapters that add nothing", found.inert),
        ("Missing", found.missing),
        ("Unexpected", found.unexpected),
        ("In another dtype, equal after the cast", recast[False]),
        ("Stored otherwise, equal after dequantizing", recast[True]),
    )
    for title, names in lists:
        if names:
            lines += [f"## {title} ({len(names):,})", "", *(f"- `{name}`" for name in names), ""]
    return "\n".join(lines)


def _grid_lines(found: Verification) -> list[str]:
    """The grid as a table of blocks by kinds: the relative change, a dot for none."""
    grid = grid_record(found)
    if not grid["kinds"]:
        return []
    heads = ["block", *(label for label, _ in grid["kinds"])]
    lines = ["## Relative change by block and kind", "", _row(heads), _row(["---"] * len(heads))]
    for block in range(grid["blocks"]):
        values = [row[block] for row in grid["values"]]
        if any(values):
            lines.append(_row([str(block), *map(_grid_cell, values)]))
    still = sum(not any(row[block] for row in grid["values"]) for block in range(grid["blocks"]))
    return [*lines, "", f"Blocks in which nothing changed, and which are left out: {still}.", ""]


def _grid_cell(value: float | None) -> str:
    return "" if value is None else "·" if value == 0 else f"{value:.2g}"


def _row(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"
