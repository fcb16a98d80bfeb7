"""A checkpoint's tensors by the names of the base's model, read when they are asked for.

Names of files go through transformers' rules: renamed tensors are found under their name in the
model, and those that are stacked or split when they load are converted, a group at a time.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Literal

import torch

from qwen_ui.errors import ModelError
from qwen_ui.model import Anatomy
from qwen_ui.model.weights import Conversion, Place, StoredTensor, StoredWeights, rehearse
from qwen_ui.verify.values import Buffer, Values, held_values

Form = Literal["checkpoint", "adapter", "delta"]
Stored = dict[str, StoredTensor]


@dataclass
class Checkpoint:
    """What a checkpoint holds.

    Attributes:
        form: whole weights; or what is added to, or takes the place of, the base's.
        values: by first name in the base's model; of an adapter and a delta, what they reach alone.
        copies: by first name, the values under each of its names that are stored.
        parts: the stored tensors of each name that is converted when it loads.
        unexpected: names in the files that the base's model does not have.
        dropped: names in the files that loading leaves out without a word (old buffers).
        dtype_counts: whether the dtypes are those that are stored, not those that were trained in.
        notes: sentences on how it was read, with their severity.
        plan: of the run that left it, as its record; {} where none is known.
        tied: groups of names that its configuration ties; None where it has none of its own.
    """

    form: Form
    values: dict[str, Values] = field(default_factory=dict)
    copies: dict[str, dict[str, Values]] = field(default_factory=dict)
    parts: dict[str, dict[str, Values]] = field(default_factory=dict)
    unexpected: list[str] = field(default_factory=list)
    dropped: list[str] = field(default_factory=list)
    dtype_counts: bool = True
    notes: list[tuple[str, str]] = field(default_factory=list)
    plan: dict[str, Any] = field(default_factory=dict)
    tied: tuple[tuple[str, ...], ...] | None = None

    @property
    def whole(self) -> bool:
        """Whether it holds all of a model, and not only what differs from the base."""
        return self.form == "checkpoint"


def read_checkpoint(anatomy: Anatomy, weights: StoredWeights, own: Anatomy) -> Checkpoint:
    """Weights in files, by the names of the base's model.

    Args:
        anatomy: of the base.
        weights: the files' headers.
        own: of the checkpoint itself; the base's where it has no configuration.
    """
    found = Checkpoint("checkpoint", tied=own.tied)
    buffer = Buffer()
    places, ignored = _places(own, weights)
    groups: dict[str, Stored] = {}
    for stored, tensor in weights.tensors.items():
        place = places[stored]
        if place.converted:
            groups.setdefault(place.name, {})[stored] = tensor
        elif place.name in anatomy.by_name:
            _put(found, anatomy, place.name, buffer.values(tensor))
        elif stored in ignored or place.name in (*anatomy.buffers, *own.buffers):
            found.dropped.append(stored)
        else:
            found.unexpected.append(stored)
    if groups:
        _put_groups(found, anatomy, _Converter(own.configuration), groups, buffer)
    return found


def _places(own: Anatomy, weights: StoredWeights) -> tuple[dict[str, Place], set[str]]:
    """Where each stored tensor goes, and names that the loader passes over in silence."""
    known = own.by_name.keys() | set(own.buffers)
    if weights.tensors.keys() <= known or own.configuration is None:
        return {name: Place(name, converted=False) for name in weights.tensors}, set()
    found = rehearse(own.configuration, weights)
    lost = set(found.unexpected)
    ignored = {
        stored
        for stored, place in found.places.items()
        if not place.converted and place.name not in known and stored not in lost
    }
    return found.places, ignored


def _put(found: Checkpoint, anatomy: Anatomy, name: str, values: Values) -> None:
    """A tensor under its first name, and among those that are tied to it."""
    first = anatomy.by_name[name].name
    copies = found.copies.setdefault(first, {})
    copies[name] = values
    found.values[first] = copies.get(first, values)


class _Converter:
    """Converts groups of stored tensors; the last one is held."""

    def __init__(self, configuration: Any) -> None:
        self._conversion = Conversion(configuration)
        self._last: tuple[str, dict[str, torch.Tensor]] = ("", {})

    def shapes(self, name: str, group: Stored) -> dict[str, torch.Tensor]:
        """The group's tensors in the model, without data."""
        empty = {
            stored: torch.empty(t.shape, dtype=getattr(torch, t.dtype), device="meta")
            for stored, t in group.items()
        }
        try:
            return self._conversion.convert(empty)
        except (RuntimeError, ValueError) as error:
            raise ModelError(
                f"'{name}' cannot be put together from {len(group)} stored tensors "
                f"({' '.join(str(error).split())[:200]}). The files and their configuration do not "
                "belong together."
            ) from error

    def values(self, group: str, name: str, parts: dict[str, Values]) -> Values:
        if self._last[0] != group:
            whole = {stored: values.whole() for stored, values in parts.items()}
            self._last = group, self._conversion.convert(whole)
        return held_values(self._last[1][name])


def _put_groups(
    found: Checkpoint,
    anatomy: Anatomy,
    converter: _Converter,
    groups: dict[str, Stored],
    buffer: Buffer,
) -> None:
    for group, tensors in groups.items():
        parts = {name: buffer.values(tensor) for name, tensor in tensors.items()}
        for name, empty in converter.shapes(group, tensors).items():
            if name not in anatomy.by_name:
                found.unexpected += list(tensors)
                break
            values = Values(
                tuple(empty.shape),
                str(empty.dtype).removeprefix("torch."),
                partial(_read_converted, converter, group, name, parts),
            )
            _put(found, anatomy, name, values)
            found.parts[anatomy.by_name[name].name] = parts


def _read_converted(
    converter: _Converter,
    group: str,
    name: str,
    parts: dict[str, Values],
    first: int,
    rows: int,
) -> torch.Tensor:
    return converter.values(group, name, parts).read(first, rows)


def names_in_order(anatomy: Anatomy, names: Iterable[str]) -> list[str]:
    """First names in the order of the module tree, then what the model does not have."""
    chosen = set(names)
    known = [p.name for p in anatomy.parameters if p.name in chosen]
    return known + sorted(chosen - set(known))
