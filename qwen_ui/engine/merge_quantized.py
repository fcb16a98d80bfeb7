"""A delta on a quantized base: what was trained is written plain, all else stays as it is packed.

The files are copied without what is packed of the trained modules, and with room for their plain
weights; the configuration then names these modules as ones that are not quantized, as it does for a
head that was left plain. A stack of experts becomes plain as a whole. A module at a time is held.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from qwen_ui.engine.rounding import Rounding
from qwen_ui.errors import RunError
from qwen_ui.files import parse_json
from qwen_ui.model import Anatomy
from qwen_ui.model.weights import (
    Conversion,
    StoredTensor,
    StoredWeights,
    read_tensor,
    rehearse,
    rewrite,
    with_plain_modules,
    write_rows,
)

if TYPE_CHECKING:
    from qwen_ui.engine.delta import Delta

_PLAIN = ("float64", "float32", "float16", "bfloat16")


@dataclass(frozen=True)
class _Group:
    """Stored tensors that together become one of the model's.

    Attributes:
        name: in the model.
        parts: by their names in the files.
        converted: whether they are more than copied when they load.
    """

    name: str
    parts: dict[str, StoredTensor]
    converted: bool

    @property
    def packed(self) -> bool:
        return any(part.dtype not in _PLAIN for part in self.parts.values())

    @property
    def module(self) -> str:
        return self.name.rpartition(".")[0]


def write_beside_packed(
    delta: Delta, anatomy: Anatomy, weights: StoredWeights, target: Path
) -> Rounding:
    """Write the base's files to `target`, which has its configuration, with the delta on them.

    Raises:
        RunError: the base lacks a tensor that the delta trains.
    """
    groups = _groups(anatomy, weights)
    trained = {name for name in delta.weights if delta.strengths.get(name, 1.0)}
    first = {n: p.name for p in anatomy.parameters for n in p.names}
    hit = [group for group in groups if first.get(group.name) in trained]
    if lost := trained - {first[group.name] for group in hit}:
        raise RunError(
            f"The base has no tensor '{min(lost)}', which the delta trains. Give the base that "
            "the run used."
        )
    modules = {group.module for group in hit if group.packed}
    changed = [g for g in groups if g in hit or (g.packed and g.module in modules)]
    writer = _Writer(delta, anatomy, first)
    places = _make_room(weights, target, {id(g): writer.forms(g) for g in changed}, changed)
    rounding = Rounding()
    for group in changed:
        writer.write(group, places, rounding)
    _name_plain_modules(anatomy, target / "config.json", modules)
    return rounding


def _groups(anatomy: Anatomy, weights: StoredWeights) -> list[_Group]:
    found: dict[str, _Group] = {}
    for stored, place in rehearse(anatomy.configuration, weights).places.items():
        group = found.setdefault(place.name, _Group(place.name, {}, place.converted))
        group.parts[stored] = weights.tensors[stored]
    return list(found.values())


class _Writer:
    """Makes the plain tensors of groups, by the names that files have for them."""

    def __init__(self, delta: Delta, anatomy: Anatomy, first: dict[str, str]) -> None:
        self._delta, self._first = delta, first
        self._reading = Conversion(anatomy.configuration, torch.float32)
        self._storing = Conversion(anatomy.configuration, dequantized=False)
        self._dtype = anatomy.dtype if anatomy.dtype in _PLAIN else "bfloat16"

    def forms(self, group: _Group) -> dict[str, tuple[str, tuple[int, ...]]]:
        """Names, dtypes and shapes of what is written of a group."""
        empty = {
            stored: torch.empty(part.shape, dtype=getattr(torch, part.dtype), device="meta")
            for stored, part in group.parts.items()
        }
        plain = self._stored(group, self._read(group, empty))
        return {name: (self._written(group), tuple(t.shape)) for name, t in plain.items()}

    def write(self, group: _Group, places: dict[str, StoredTensor], rounding: Rounding) -> None:
        """Write what the delta makes of a group to where there is room for it."""
        values = {stored: read_tensor(part) for stored, part in group.parts.items()}
        made = self._read(group, values)
        dtype: torch.dtype = getattr(torch, self._written(group))
        for name, base in made.items():
            if self._first.get(name) in self._delta.weights:
                exact = self._delta.exactly_on(self._first[name], base)
                rounding.add(base, exact, exact.to(dtype))
                made[name] = exact
        for name, tensor in self._stored(group, made).items():
            place = places[name]
            with place.file.open("r+b") as file:
                rows = slice(0, tensor.shape[0] if tensor.dim() else 1)
                write_rows(file, place, rows, tensor.to(dtype).contiguous())

    def _read(self, group: _Group, values: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
        if group.converted:
            return self._reading.convert(values)
        (value,) = list(values.values())[:1]
        return {group.name: value.float()}

    def _stored(self, group: _Group, plain: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
        self._storing.recognize(group.parts)
        return self._storing.revert(plain)

    def _written(self, group: _Group) -> str:
        """The dtype of a group's plain tensors: their own where they were plain."""
        return self._dtype if group.packed else next(iter(group.parts.values())).dtype


def _make_room(
    weights: StoredWeights,
    target: Path,
    forms: dict[int, dict[str, tuple[str, tuple[int, ...]]]],
    changed: list[_Group],
) -> dict[str, StoredTensor]:
    """Copy the files; where there is room for the plain tensors, by their names."""
    dropped = {stored for group in changed for stored in group.parts}
    home = {id(group): next(iter(group.parts.values())).file for group in changed}
    places: dict[str, StoredTensor] = {}
    for file in weights.files:
        added = {
            name: form
            for group in changed
            if home[id(group)] == file
            for name, form in forms[id(group)].items()
        }
        places |= rewrite(file, target / file.name, dropped, added)
    index = target / "model.safetensors.index.json"
    if index.is_file():
        record: dict[str, Any] = parse_json(index.read_bytes())
        mapped = {n: file for n, file in record["weight_map"].items() if n not in dropped}
        record["weight_map"] = mapped | {name: p.file.name for name, p in places.items()}
        kept = sum(t.bytes for name, t in weights.tensors.items() if name not in dropped)
        size = kept + sum(place.bytes for place in places.values())
        record["metadata"] = {**record.get("metadata", {}), "total_size": size}
        index.write_text(json.dumps(record, indent=2), encoding="utf-8")
    return places


def _name_plain_modules(anatomy: Anatomy, config: Path, modules: set[str]) -> None:
    """Say in the configuration that these modules are not quantized."""
    values = parse_json(config.read_bytes())
    for part in (values, *(v for v in values.values() if isinstance(v, dict))):
        if settings := part.get("quantization_config"):
            part["quantization_config"] = with_plain_modules(
                settings, anatomy.configuration, sorted(modules)
            )
            break
    config.write_text(json.dumps(values, indent=2), encoding="utf-8")
