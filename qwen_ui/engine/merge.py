"""A delta and its base -> a folder that plain transformers loads as the run left the model.

The files are copied by the system, and in the copies the values of what was trained are written
over those of the base, some rows at a time: shapes and dtypes stay, so every tensor keeps its
place. The model is never in memory, however large its files are. What was not trained keeps its
bytes. A parameter goes back under every name that the files have for it, renamed or tied. What
transformers stacks or splits when it loads (experts) is put together, and taken apart again by
transformers' own reverse, a group at a time.
"""

from __future__ import annotations

import json
import math
import shutil
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from qwen_ui.engine.merge_quantized import write_beside_packed
from qwen_ui.engine.rounding import Rounding
from qwen_ui.errors import RunError
from qwen_ui.files import parse_json
from qwen_ui.model import Anatomy
from qwen_ui.model.weights import (
    Conversion,
    Place,
    StoredTensor,
    StoredWeights,
    copy_companions,
    is_dequantized,
    read_rows,
    read_tensor,
    read_weights,
    rehearse,
    write_rows,
)

if TYPE_CHECKING:
    from qwen_ui.engine.delta import Delta, Tuner

# Elements that are put on their base at a time: some copies of 4 MB.
PORTION = 1024**2


def write_merged(delta: Delta, anatomy: Anatomy, folder: Path, target: Path) -> Rounding:
    """Write the base in `folder` with the delta on it to the folder `target`.

    Raises:
        RunError: the base lacks a tensor that the delta trains.
    """
    copy_companions(folder, target)
    _correct_tie(anatomy, target / "config.json")
    weights = read_weights(folder)
    if is_dequantized(anatomy.config):
        return write_beside_packed(delta, anatomy, weights, target)
    for file in weights.files:
        shutil.copyfile(file, target / file.name)
    merging = _Merging(delta, anatomy, weights, target)
    # At strength 0 a tensor is the base's, which is there already.
    changed = {name for name in delta.weights if delta.strengths.get(name, 1.0)}
    if elsewhere := changed - merging.as_they_are(changed):
        merging.in_groups(elsewhere)
    return merging.rounding


@dataclass
class _Merging:
    """Writes new values over a copy of the base's files."""

    delta: Delta
    anatomy: Anatomy
    weights: StoredWeights
    target: Path
    rounding: Rounding = field(default_factory=Rounding)

    @cached_property
    def _places(self) -> dict[str, Place]:
        return rehearse(self.anatomy.configuration, self.weights).places

    def as_they_are(self, names: set[str]) -> set[str]:
        """Write those of these tensors that the files hold as the model does; their names."""
        written = set()
        for stored, place in self._places.items():
            name = _first_name(self.anatomy, place.name)
            if name in names and not place.converted:
                tensor = self.weights.tensors[stored]
                _overwrite(tensor, self.target, self.delta.tuner(name), self.rounding)
                written.add(name)
        return written

    def in_groups(self, names: set[str]) -> None:
        """Write these tensors, which the files hold in parts, or together with others.

        A group at a time is held: the experts of one block that are stacked, for instance.

        Raises:
            RunError: no group holds one of them, or transformers does not take it apart again.
        """
        conversion, groups = Conversion(self.anatomy.configuration), dict[str, list[str]]()
        for stored, place in self._places.items():
            if place.converted:
                groups.setdefault(place.name, []).append(stored)
        left = set(names)
        for group in groups.values():
            parts = {stored: self.weights.tensors[stored] for stored in group}
            empty = conversion.convert({n: _without_values(part) for n, part in parts.items()})
            first = {name: _first_name(self.anatomy, name) for name in empty}
            if left.isdisjoint(first.values()):
                continue
            whole = conversion.convert({n: read_tensor(part) for n, part in parts.items()})
            for name in whole:
                if first[name] in left:
                    whole[name] = self.delta.exactly_on(first[name], whole[name])
            back = conversion.revert(whole)
            if parts.keys() - back.keys():
                raise RunError(
                    f"'{min(first.values())}' was trained, and transformers does not say how to "
                    "store it in this checkpoint's form. Save the base anew with "
                    "`save_pretrained` and train from that."
                )
            for name, part in parts.items():
                _overwrite(part, self.target, _given(back[name]), self.rounding)
            left -= set(first.values())
        if left:
            raise RunError(
                f"The base has no tensor '{min(left)}', which the delta trains. Give the base that "
                "the run used."
            )


def _without_values(stored: StoredTensor) -> torch.Tensor:
    return torch.empty(stored.shape, dtype=getattr(torch, stored.dtype), device="meta")


def _first_name(anatomy: Anatomy, name: str) -> str:
    """The name that plans and deltas use: a tied tensor has several."""
    parameter = anatomy.by_name.get(name)
    return name if parameter is None else parameter.name


def _overwrite(stored: StoredTensor, target: Path, tuned: Tuner, rounding: Rounding) -> None:
    """Write a tensor's new values over those in its copy, which has the base's place for it."""
    with (target / stored.file.name).open("r+b") as file:
        for rows in _portions(stored.shape):
            base = read_rows(file, stored, rows)
            exact = tuned(base, rows)
            written = exact.to(base.dtype).contiguous()
            rounding.add(base, exact, written)
            write_rows(file, stored, rows, written)


def _given(values: torch.Tensor) -> Tuner:
    return lambda _base, rows: values[rows]


def _portions(shape: tuple[int, ...]) -> Iterator[slice]:
    """Rows of a tensor, so many at a time that they are `PORTION` elements, or one."""
    rows = shape[0] if shape else 1
    step = max(1, PORTION * rows // max(1, math.prod(shape)))
    for start in range(0, rows, step):
        yield slice(start, min(rows, start + step))


def _correct_tie(anatomy: Anatomy, config: Path) -> None:
    """Say in the configuration what holds: a tie that the base's files break is none."""
    if not anatomy.notes:
        return
    values = parse_json(config.read_text(encoding="utf-8"))
    for part in (values, *(v for v in values.values() if isinstance(v, dict))):
        if part.get("tie_word_embeddings"):
            part["tie_word_embeddings"] = False
    # Families tie by default where nothing is said.
    values["tie_word_embeddings"] = False
    config.write_text(json.dumps(values, indent=2), encoding="utf-8")


def rounding_sentence(rounding: Rounding, dtype: str) -> str:
    """What rounding cost, as a sentence; "" where nothing was lost."""
    if not rounding.share:
        return ""
    return (
        f"The base is stored in {dtype}, so the trained values were rounded to it: rounding is "
        f"{100 * rounding.share:.2g} % of what training changed, and the loss may differ from the "
        "run's by that."
    )


def stored_dtypes(folder: Path) -> str:
    """The dtypes of a folder's weights, for a sentence."""
    kinds: dict[str, Any] = dict.fromkeys(t.dtype for t in read_weights(folder).tensors.values())
    return " and ".join(kinds)
