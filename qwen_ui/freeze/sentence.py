"""A selection in one sentence that a person can paste."""

from __future__ import annotations

from qwen_ui.freeze.canonical import grouped_kinds
from qwen_ui.model.anatomy import Anatomy


def percent(fraction: float) -> str:
    """A share for reading: `1.43 %`, `0.00053 %`, `100 %`; two or three significant digits."""
    value = 100 * fraction
    if value == 0 or value >= 99.995:
        return f"{value:.0f} %"
    decimals = 2
    while decimals < 10 and round(value, decimals) < 10 ** (1 - decimals):
        decimals += 1
    return f"{value:.{decimals}f} %"


def summarize(anatomy: Anatomy, names: frozenset[str]) -> str:
    """For instance: Trains 8,192 of 1,543,714,304 parameters (0.00053 %): q, k, ... of blocks 24-27."""
    total = anatomy.total_parameters
    count = sum(p.numel for p in anatomy.parameters if p.name in names)
    if not names:
        return f"Trains none of {total:,} parameters: everything is frozen."
    if count == total:
        return f"Trains all {total:,} parameters."
    parts = _parts(anatomy, names)
    shown = "; ".join(parts[:4]) + (f"; and {len(parts) - 4} more groups" if len(parts) > 4 else "")
    return f"Trains {count:,} of {total:,} parameters ({percent(count / total)}): {shown}."


def _parts(anatomy: Anatomy, names: frozenset[str]) -> list[str]:
    parts = []
    for layers, kinds in grouped_kinds(anatomy, names).items():
        what = _describe_kinds(kinds, anatomy)
        parts.append(f"{what} of {_blocks(layers)}")
    outside = [p for p in anatomy.parameters if p.block is None and p.name in names]
    parts.extend(" = ".join(p.names) for p in outside)
    return parts


def _blocks(layers: tuple[int, ...]) -> str:
    runs: list[tuple[int, int]] = []
    for index in layers:
        if runs and index == runs[-1][1] + 1:
            runs[-1] = (runs[-1][0], index)
        else:
            runs.append((index, index))
    text = ", ".join(str(a) if a == b else f"{a}-{b}" for a, b in runs)
    return f"block {text}" if len(layers) == 1 else f"blocks {text}"


def _describe_kinds(kinds: tuple[str, ...], anatomy: Anatomy) -> str:
    every = {p.kind for p in anatomy.parameters if p.block is not None}
    if set(kinds) == every:
        return "everything"
    roles: dict[str, set[str]] = {}
    for parameter in anatomy.parameters:
        if parameter.block is not None:
            roles.setdefault(parameter.role, set()).add(parameter.kind)
    remaining, words = list(kinds), []
    for role, members in roles.items():
        if len(members) > 1 and members <= set(remaining):
            words.append({"norm": "norms", "mlp": "MLP", "expert": "experts"}.get(role, role))
            remaining = [kind for kind in remaining if kind not in members]
    return ", ".join(words + remaining)
