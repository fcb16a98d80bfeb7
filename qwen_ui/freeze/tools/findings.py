"""What is found out about another tool's selection: entries, problems, and what would train."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Literal

from qwen_ui.model import Anatomy, once_per_anatomy

MOST_QUOTED = 80
Severity = Literal["error", "warning", "note"]


@dataclass(frozen=True, slots=True)
class Problem:
    """What a person should know; an `error` is what makes `lint` end with exit code 2."""

    severity: Severity
    message: str


@dataclass(frozen=True, slots=True)
class Entry:
    """One entry of a selection.

    Attributes:
        setting: the setting that it stands under, by the tool's name for it.
        entry: its text.
        names: first names of the tensors that it matches, in tree order.
        freezes: whether it freezes or leaves out what it matches.
        candidates: texts that could have stood here, to find the nearest one among.
        problem: what is wrong with it, in one sentence; empty where nothing is.
    """

    setting: str
    entry: str
    names: tuple[str, ...]
    freezes: bool = False
    candidates: tuple[str, ...] = field(default=(), repr=False)
    problem: str = ""


@dataclass(frozen=True, slots=True)
class Reading:
    """What a tool would do with a selection on one model, by the tool's own rule.

    Attributes:
        format: name of the format, as `lint` prints it.
        entries: what the text lists, in its order.
        whole: first names of the tensors that train themselves, or as a copy of their own.
        adapted: first names of the tensors that stay and get an adapter.
        adapter_elements: elements of the adapters; None where they are not known.
        second_copies: elements that train a second time, in copies of both names of a tied tensor.
        partial: of tensors of which some rows alone train, how many elements these have.
        problems: what the tool does beyond the text, and what it would refuse.
    """

    format: str
    entries: tuple[Entry, ...]
    whole: frozenset[str]
    adapted: frozenset[str] = frozenset()
    adapter_elements: int | None = 0
    problems: tuple[Problem, ...] = ()
    second_copies: int = 0
    partial: dict[str, int] = field(default_factory=dict)

    @property
    def names(self) -> frozenset[str]:
        """First names of all tensors that training changes the product of."""
        return self.whole | self.adapted


def short_text(entry: str) -> str:
    """An entry as sentences and tables quote it."""
    return entry if len(entry) <= MOST_QUOTED else f"{entry[: MOST_QUOTED - 3]}..."


def in_tree_order(anatomy: Anatomy, names: Iterable[str]) -> tuple[str, ...]:
    """First names of these tensors, each once, in the order of the model."""
    known, place = anatomy.by_name, _places(anatomy)
    return tuple(
        sorted({known[name].name for name in names if name in known}, key=place.__getitem__)
    )


@once_per_anatomy
def _places(anatomy: Anatomy) -> dict[str, int]:
    return {parameter.name: place for place, parameter in enumerate(anatomy.parameters)}
