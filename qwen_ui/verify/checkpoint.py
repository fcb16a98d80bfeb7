"""A checkpoint's tensors by the names of the base's model, read when they are asked for.

Names of files go through transformers' rules: renamed tensors are found under their name in the
model, and those that are stacked, split or dequantized when they load are converted, a group at a
time.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, Literal

from qwen_ui.model import Anatomy
from qwen_ui.model.weights import (
    Conversion,
    Place,
    StoredWeights,
    is_dequantized,
    quantized_form,
    rehearse,
)
from qwen_ui.verify.groups import Converter, Stored, is_packed
from qwen_ui.verify.values import Buffer, Values

Form = Literal["checkpoint", "adapter", "delta"]


@dataclass
class Checkpoint:
    """What a checkpoint holds.

    Attributes:
        form: whole weights; or what is added to, or takes the place of, the base's.
        values: by first name in the base's model; of an adapter and a delta, what they reach alone.
        copies: by first name, the values under each of its names that are stored.
        parts: the stored tensors of each name that is converted when it loads.
        packed: how tensors are quantized ("nf4") of which `values` are the plain numbers, by name.
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
    packed: dict[str, str] = field(default_factory=dict)
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

    def bytes(self, name: str) -> int:
        """How much of the files is read for a tensor."""
        if name in self.packed:
            return sum(part.bytes for part in self.parts[name].values())
        return self.values[name].bytes


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
        _put_groups(found, anatomy, Converter(own.configuration), groups, buffer)
    form = quantized_form(own.config)
    for name, parts in found.parts.items():
        if form and is_packed(parts.values()):
            found.packed[name] = form
    return found


def _places(own: Anatomy, weights: StoredWeights) -> tuple[dict[str, Place], set[str]]:
    """Where each stored tensor goes, and names that the loader passes over in silence."""
    known = own.by_name.keys() | set(own.buffers)
    if weights.tensors.keys() <= known or own.configuration is None:
        return {name: Place(name, converted=False) for name in weights.tensors}, set()
    found = rehearse(own.configuration, weights)
    places = found.places
    if is_dequantized(own.config):
        places = _without_needless(own, weights, places)
    lost = set(found.unexpected)
    ignored = {
        stored
        for stored, place in places.items()
        if not place.converted and place.name not in known and stored not in lost
    }
    return places, ignored


def _without_needless(
    own: Anatomy, weights: StoredWeights, places: dict[str, Place]
) -> dict[str, Place]:
    """Of a quantized model every weight counts as converted, those too that are stored plain.

    A norm, an embedding, a head that was left out, what was trained: these need no conversion, and
    are read a piece at a time.
    """
    plain = Conversion(own.configuration, dequantized=False)
    sharing: dict[str, list[str]] = {}
    for stored, place in places.items():
        sharing.setdefault(place.name, []).append(stored)
    needless = {
        name
        for name, (stored, *others) in sharing.items()
        if not others and not is_packed([weights.tensors[stored]]) and not plain.converts(stored)
    }
    return {
        stored: Place(place.name, converted=place.converted and place.name not in needless)
        for stored, place in places.items()
    }


def _put(found: Checkpoint, anatomy: Anatomy, name: str, values: Values) -> None:
    """A tensor under its first name, and among those that are tied to it."""
    first = anatomy.by_name[name].name
    copies = found.copies.setdefault(first, {})
    copies[name] = values
    found.values[first] = copies.get(first, values)


def _put_groups(
    found: Checkpoint,
    anatomy: Anatomy,
    converter: Converter,
    groups: dict[str, Stored],
    buffer: Buffer,
) -> None:
    for group, tensors in groups.items():
        parts = {name: buffer.values(tensor) for name, tensor in tensors.items()}
        made = converter.made_of(group, parts)
        if any(name not in anatomy.by_name for name in made):
            found.unexpected += list(tensors)
            continue
        for name, values in made.items():
            _put(found, anatomy, name, values)
            found.parts[anatomy.by_name[name].name] = parts


def names_in_order(anatomy: Anatomy, names: Iterable[str]) -> list[str]:
    """First names in the order of the module tree, then what the model does not have."""
    chosen = set(names)
    known = [p.name for p in anatomy.parameters if p.name in chosen]
    return known + sorted(chosen - set(known))
