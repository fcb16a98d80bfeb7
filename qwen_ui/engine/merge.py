"""A delta and its base -> a folder that plain transformers loads as the run left the model.

The files are copied by the system, and in the copies the values of what was trained are written
over those of the base, some rows at a time: shapes and dtypes stay, so every tensor keeps its
place. The model is never in memory, however large its files are. What was not trained keeps its
bytes. A parameter goes back under every name that the files have for it, renamed or tied. What
transformers stacks or splits when it loads (experts) is taken apart again by transformers' own
reverse.
"""

from __future__ import annotations

import json
import math
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from qwen_ui.errors import RunError
from qwen_ui.files import parse_json
from qwen_ui.model import Anatomy
from qwen_ui.model.weights import (
    Place,
    StoredTensor,
    copy_companions,
    load_model,
    read_rows,
    read_weights,
    rehearse,
    write_rows,
)

if TYPE_CHECKING:
    from qwen_ui.engine.delta import Delta, Tuner

# Elements that are put on their base at a time: some copies of 4 MB.
PORTION = 1024**2


@dataclass
class Rounding:
    """What is lost where the base's dtype is narrower than the one that was trained."""

    lost: float = 0.0
    changed: float = 0.0

    def add(self, before: torch.Tensor, trained: torch.Tensor, written: torch.Tensor) -> None:
        """Count one tensor."""
        exact = trained.float()
        self.lost += float((written.float() - exact).square().sum())
        self.changed += float((exact - before.float()).square().sum())

    @property
    def share(self) -> float:
        """Norm of what rounding changed over the norm of what training changed; 0 for nothing."""
        return math.sqrt(self.lost / self.changed) if self.changed else 0.0


def write_merged(delta: Delta, anatomy: Anatomy, folder: Path, target: Path) -> Rounding:
    """Write the base in `folder` with the delta on it to the folder `target`.

    Raises:
        RunError: the base lacks a tensor that the delta trains.
    """
    copy_companions(folder, target)
    _correct_tie(anatomy, target / "config.json")
    weights = read_weights(folder)
    places = rehearse(anatomy.configuration, weights).places
    trained = {stored: _first_name(anatomy, place) for stored, place in places.items()}
    direct = {
        stored: name
        for stored, name in trained.items()
        if name in delta.weights and not places[stored].converted
    }
    # At strength 0 a tensor is the base's, which is there already.
    changed = {name for name in delta.weights if delta.strengths.get(name, 1.0)}
    elsewhere = changed - set(direct.values())
    converted: dict[str, torch.Tensor] = {}
    if elsewhere:
        whole = [name for name, place in places.items() if place.converted]
        converted = _taken_apart(delta, anatomy, folder, elsewhere, whole)
    rounding = Rounding()
    for file in weights.files:
        shutil.copyfile(file, target / file.name)
    for name, stored in weights.tensors.items():
        if name in direct and direct[name] in changed:
            _overwrite(stored, target, delta.tuner(direct[name]), rounding)
        elif name in converted:
            _overwrite(stored, target, _given(converted[name]), rounding)
    return rounding


def _first_name(anatomy: Anatomy, place: Place) -> str:
    """The name that plans and deltas use: a tied tensor has several."""
    parameter = anatomy.by_name.get(place.name)
    return place.name if parameter is None else parameter.name


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


def _taken_apart(
    delta: Delta, anatomy: Anatomy, folder: Path, names: set[str], stored: list[str]
) -> dict[str, torch.Tensor]:
    """New values of stored tensors that become other tensors when they load, in float32.

    The whole model is held: a conversion may need tensors of several files.
    """
    from qwen_ui.model.libraries import revert_weight_conversion  # noqa: PLC0415  seldom needed

    model = load_model(folder, anatomy, torch.float32)
    parameters = dict(model.named_parameters())
    unknown = sorted(names - parameters.keys())
    if unknown:
        raise RunError(
            f"The base has no tensor '{unknown[0]}', which the delta trains. Give the base that "
            "the run used."
        )
    before = revert_weight_conversion(model, dict(model.state_dict()))
    before = {name: before[name].clone() for name in stored if name in before}
    with torch.no_grad():
        for name in names:
            parameters[name].copy_(delta.exactly_on(name, parameters[name]))
    after = revert_weight_conversion(model, dict(model.state_dict()))
    changed = {n: after[n] for n, was in before.items() if not torch.equal(after[n], was)}
    if not changed:
        raise RunError(
            f"'{min(names)}' was trained, and transformers does not say how to store it in this "
            "checkpoint's form. Save the base anew with `save_pretrained` and train from that."
        )
    return changed


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
