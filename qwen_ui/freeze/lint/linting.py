"""The text of another tool's selection, and a model -> what it trains and what is wrong with it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from qwen_ui.freeze.canonical import canonical_plan
from qwen_ui.freeze.lint.recognising import Found, recognise
from qwen_ui.freeze.lint.remarks import remarked
from qwen_ui.freeze.plan import FreezePlan
from qwen_ui.freeze.selection import Selection, resolve
from qwen_ui.freeze.tools.axolotl import read_axolotl
from qwen_ui.freeze.tools.findings import Entry, Problem, Reading
from qwen_ui.freeze.tools.llama_factory import read_llama_factory
from qwen_ui.freeze.tools.ms_swift import read_ms_swift
from qwen_ui.freeze.tools.ours import read_expressions, read_names, read_plan
from qwen_ui.freeze.tools.peft import read_peft
from qwen_ui.freeze.tools.torchtune import read_torchtune
from qwen_ui.freeze.tools.trl import read_trl
from qwen_ui.freeze.tools.unsloth import read_unsloth
from qwen_ui.model import Anatomy


@dataclass(frozen=True)
class Lint:
    """What a selection trains in a model, and what is wrong with it.

    Attributes:
        format: what the text was recognised as, one of `LINT_FORMATS`.
        entries: what it lists; `problem` says what is wrong with one.
        names: first names of the tensors that train, or that get an adapter.
        adapted: those of them that get an adapter.
        trainable_parameters: elements that train, adapters' included, of some rows alone these;
            None where not known.
        adapter_parameters: elements of the adapters; None where not known.
        problems: errors first, then warnings, then notes.
        plan: ours that trains the same tensors, whole.
        anatomy: of the model.
    """

    format: str
    entries: tuple[Entry, ...]
    names: frozenset[str]
    adapted: frozenset[str]
    trainable_parameters: int | None
    adapter_parameters: int | None
    problems: tuple[Problem, ...]
    plan: FreezePlan
    anatomy: Anatomy = field(repr=False)

    @property
    def errors(self) -> tuple[str, ...]:
        """What makes the selection wrong: an entry that matches nothing, nothing that trains."""
        return tuple(p.message for p in self.problems if p.severity == "error")

    @property
    def selection(self) -> Selection:
        """What our plan selects.

        Raises:
            PlanError: nothing trains.
        """
        return resolve(self.plan, self.anatomy)


def lint_text(text: str, anatomy: Anatomy, name: str = "") -> Lint:
    """What another tool would train in this model, by its own rule.

    Args:
        text: of the tool's file: see `LINT_FORMATS`.
        name: of the file; decides where the text leaves a doubt.

    Raises:
        PlanError: the text is of no known format or cannot be read, or it holds a setting of a
            type that the tool refuses.
    """
    found = recognise(text, name)
    reading = _read(found, anatomy)
    entries, problems = remarked(reading, anatomy)
    notes = tuple(Problem("warning", note) for note in found.notes)
    order = {"error": 0, "warning": 1, "note": 2}
    by_name = anatomy.by_name
    size = reading.adapter_elements
    whole = sum(reading.partial.get(name, by_name[name].numel) for name in reading.whole)
    whole += reading.second_copies
    return Lint(
        format=found.format,
        entries=entries,
        names=reading.names,
        adapted=reading.adapted,
        trainable_parameters=None if size is None else whole + size,
        adapter_parameters=size,
        problems=tuple(sorted((*problems, *notes), key=lambda p: order[p.severity])),
        plan=canonical_plan(anatomy, reading.names, f"from {found.format}"),
        anatomy=anatomy,
    )


def _read(found: Found, anatomy: Anatomy) -> Reading:
    if found.format == "unsloth":
        return read_unsloth(found.values, anatomy, found.called)
    if found.format == "trl":
        if found.called:
            return read_peft(found.values, anatomy, script=True)
        return read_trl(found.values, anatomy)
    if found.format in ("names", "script"):
        return read_names(found.items, anatomy, found.format)
    if found.format == "regex":
        return read_expressions(found.items, anatomy)
    return _READERS[found.format](found.values, anatomy)


_READERS: dict[str, Callable[..., Reading]] = {
    "peft": read_peft,
    "llama-factory": read_llama_factory,
    "ms-swift": read_ms_swift,
    "axolotl": read_axolotl,
    "spectrum": read_axolotl,
    "torchtune": read_torchtune,
    "plan": read_plan,
}
