"""Sanity check on attention: do the query, key and value projections have the heads' rows?

A model may have several kinds of attention, each with heads of its own: sliding windows beside full
attention, linear attention beside either. Each is held against what its configuration names.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from qwen_ui.formats import shape_text
from qwen_ui.model import (
    Anatomy,
    Role,
    config_int,
    head_size,
    key_value_heads,
    language_config,
)

# What stands before the names of a kind of attention that has heads of its own.
_PREFIXES = ("swa_", "global_", "linear_")


@dataclass(frozen=True, slots=True)
class _Heads:
    """Query heads, key-value heads, and the size of one; that of a value where it is another."""

    queries: int
    groups: int
    size: int
    value_size: int = 0

    @property
    def rows(self) -> tuple[int, int, int]:
        return (
            self.queries * self.size,
            self.groups * self.size,
            self.groups * (self.value_size or self.size),
        )

    def said(self) -> str:
        form = "multi-head"
        if self.groups < self.queries:
            form = "multi-query" if self.groups == 1 else "grouped-query"
        return (
            f"{form} attention, {self.queries} query and {self.groups} key-value heads of "
            f"{self.size}"
        )

    def effect(self) -> str:
        if self.groups == self.queries:
            return "k and v are as large as q"
        times = self.queries // self.groups
        return (
            f"each key-value head serves {times} query heads, so k and v are {times} times "
            "smaller than q"
        )


@dataclass(frozen=True, slots=True)
class _Projections:
    """The projections of one attention.

    Attributes:
        kinds: `q`, `k`, `v` -> kind of the matrix.
        rows: `q`, `k`, `v` -> its rows.
        widths: columns of the attention's other matrices, of which one takes all heads together.
    """

    kinds: tuple[str, str, str]
    rows: tuple[int, int, int]
    widths: frozenset[int]

    def fit(self, heads: _Heads) -> bool:
        return self._gated(heads) or self.rows == heads.rows

    def _gated(self, heads: _Heads) -> bool:
        """Whether q puts out a gate as well, of the size of what all heads give together."""
        q, k, v = heads.rows
        return self.rows == (2 * q, k, v) and q in self.widths

    def said(self, heads: _Heads) -> str:
        said = []
        for kind, rows, wanted in zip(self.kinds, self.rows, heads.rows, strict=True):
            text = f"`{kind}` has {rows:,} rows"
            if self._gated(heads):
                text += ", query and gate in one" if rows != wanted else ""
            elif rows != wanted:
                text += f" instead of {wanted:,}"
            said.append(text)
        return ", ".join(said)


def check_attention(anatomy: Anatomy) -> tuple[bool, str]:
    """Rows of the query, key and value projections against the configuration's heads."""
    config = language_config(anatomy.config)
    heads, found = list(_heads_named(config)), _projections(anatomy)
    if not heads or not found:
        return True, _other_attention(anatomy, config)
    passed, said = True, []
    for projections, blocks in found.items():
        fitting = next((each for each in heads if projections.fit(each)), None)
        passed = passed and fitting is not None
        of = fitting or heads[0]
        where = f" in {blocks} blocks" if len(found) > 1 else ""
        said.append(f"{of.said()}{where}: {projections.said(of)}; {of.effect()}")
    return passed, ". ".join(said) + "."


def _heads_named(config: dict[str, Any]) -> Iterator[_Heads]:
    """The heads that the configuration names, the usual ones first."""
    heads = config_int(config, "num_attention_heads")
    groups, size = key_value_heads(config), head_size(config)
    if heads is None or groups is None or size is None:
        return
    value_size = config_int(config, "v_head_dim") or 0
    yield _Heads(heads, groups, size, value_size)
    delta = [config_int(config, f"linear_num_{name}_heads") for name in ("key", "value")]
    delta += [config_int(config, f"linear_{name}_head_dim") for name in ("key", "value")]
    if all(delta):
        keys, values, key_size, each = (number or 0 for number in delta)
        yield _Heads(keys, keys, key_size, values * each // keys)
    layers = config.get("per_layer_config")
    for values in layers.values() if isinstance(layers, dict) else ():
        yield from _heads_named({**config, **values, "per_layer_config": None})
    for prefix in _PREFIXES:
        queries = config_int(config, f"{prefix}num_attention_heads")
        queries = queries or config_int(config, f"{prefix}num_heads")
        others = config_int(config, f"{prefix}num_key_value_heads")
        others = others or config_int(config, f"num_{prefix}key_value_heads")
        own_size = config_int(config, f"{prefix}head_dim")
        if queries or others or own_size:
            # Linear attention has as many key-value heads as queries where nothing else is said.
            others = others or (queries if prefix == "linear_" else groups)
            yield _Heads(queries or heads, others or groups, own_size or size)


def _projections(anatomy: Anatomy) -> Counter[_Projections]:
    """Attentions in blocks that have one matrix each for q, k and v, and how many have each."""
    owners: dict[str, dict[str, tuple[str, tuple[int, ...]]]] = {}
    for parameter in anatomy.parameters:
        owner, _, leaf = parameter.module.rpartition(".")
        matrix = len(parameter.shape) == 2 and parameter.name.endswith(".weight")
        if parameter.block is not None and matrix:
            owners.setdefault(owner, {})[leaf] = parameter.kind, parameter.shape
    found: Counter[_Projections] = Counter()
    letters = [f"{letter}_proj" for letter in "qkv"]
    for matrices in owners.values():
        if not set(letters) <= set(matrices):
            continue
        q, k, v = (matrices[name] for name in letters)
        others = [shape[1] for leaf, (_, shape) in matrices.items() if leaf not in letters]
        found[_Projections((q[0], k[0], v[0]), (q[1][0], k[1][0], v[1][0]), frozenset(others))] += 1
    return found


def _other_attention(anatomy: Anatomy, config: dict[str, Any]) -> str:
    """The answer for attention without one matrix each for q, k and v."""
    kinds = [k for k in anatomy.kinds if k.role is Role.ATTENTION and k.blocks and len(k.shape) > 1]
    if not kinds:
        return "Not applicable: no block has attention."
    listed = ", ".join(f"`{kind.kind}` {shape_text(kind.shape)}" for kind in kinds[:6])
    rank = config_int(config, "kv_lora_rank")
    if rank:
        return (
            f"Not by rows: latent attention, keys and values of all heads come out of {rank} "
            f"numbers per position: {listed}."
        )
    return f"Not applicable: no separate q, k and v matrices to compare; it has {listed}."
