"""The cost of a part of a model in steps of every shape, from traces of a few.

FLOPs and bytes of a part are polynomials in sequences (of degree 1) and tokens a sequence (of
degree 2, by attention), where its operations are the same in every shape. The peak is none, but the
bytes allocated after each operation are, and the peak is their maximum. So six traces give all
shapes exactly (three those of one sequence), and further ones, at the ends of the range and
between, hold them to it: the same operations, and the very numbers. Where one differs (a loss in
chunks, a sliding window, a state space padded to a multiple) nothing is concluded, and each shape
is traced for itself.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from itertools import product
from math import lcm, prod

from qwen_ui.freeze.cost.segments import Profile, Segment

Shape = tuple[int, int]  # sequences, tokens a sequence
SHORTEST, LONGEST = 16, 4096


@dataclass(frozen=True, slots=True)
class Range:
    """Steps for which a part's cost is known from traces of a few of them.

    A single sequence is a range of its own: some of its tensors need not be copied to be one piece.

    Attributes:
        longest: tokens of the longest sequence, at most `LONGEST`, and as many as the model takes.
        single: whether it is steps of one sequence, else of two and more.
    """

    longest: int
    single: bool

    @property
    def batches(self) -> tuple[int, ...]:
        return (1,) if self.single else (2, 3)

    @property
    def lengths(self) -> tuple[int, int, int]:
        """Lengths that are traced; none is a multiple of what kernels like."""
        return self.longest // 100 + SHORTEST + 1, self.longest // 9, self.longest // 2 + 3

    @property
    def nodes(self) -> tuple[Shape, ...]:
        return tuple(product(self.batches, self.lengths))

    @property
    def checks(self) -> tuple[Shape, ...]:
        """Further shapes: both ends and between the nodes; few sequences, and many."""
        several, many = (1, 1) if self.single else (7, 16)
        return (
            (self.batches[0], SHORTEST),
            (several, self.longest),
            (many, self.longest // 25 * 2),
        )

    def holds(self, shape: Shape) -> bool:
        return SHORTEST <= shape[1] <= self.longest


class AllShapes:
    """A part's segments in every shape of a range.

    Args:
        traces: the profiles of the range's nodes.
    """

    def __init__(self, known: Range, traces: dict[Shape, Profile]) -> None:
        self._range = known
        self._like = traces[known.nodes[0]]
        self._numbers = [traces[node].numbers for node in known.nodes]

    def segment(self, shape: Shape) -> Segment | None:
        """The segment; None where a number would not be whole."""
        numbers = self.numbers(shape)
        return None if numbers is None else self._like.segment(numbers)

    def numbers(self, shape: Shape) -> tuple[int, ...] | None:
        """The numbers of a profile of this shape (`Profile.numbers`), by Lagrange's formula."""
        weights = [
            _weight(shape[0], batch, self._range.batches)
            * _weight(shape[1], length, self._range.lengths)
            for batch, length in self._range.nodes
        ]
        whole = lcm(*(weight.denominator for weight in weights))
        factors = [int(weight * whole) for weight in weights]
        sums = [
            sum(factor * number for factor, number in zip(factors, of_nodes, strict=True))
            for of_nodes in zip(*self._numbers, strict=True)
        ]
        if any(total % whole for total in sums):
            return None
        return tuple(total // whole for total in sums)


def proven(known: Range, trace: Callable[[Shape], Profile]) -> AllShapes | None:
    """A part's segments in every shape of a range; None where they are no polynomials."""
    first = trace(known.nodes[0])
    traces = {known.nodes[0]: first}
    for node in known.nodes[1:]:
        traces[node] = trace(node)
        if not _alike(traces[node], first):
            return None
    found = AllShapes(known, traces)
    for shape in known.checks:
        traced = trace(shape)
        if not _alike(traced, first) or found.numbers(shape) != traced.numbers:
            return None
    return found


def _alike(one: Profile, other: Profile) -> bool:
    return one.operations == other.operations and one.arguments == other.arguments


def _weight(at: int, node: int, nodes: tuple[int, ...]) -> Fraction:
    others = [other for other in nodes if other != node]
    return Fraction(prod(at - other for other in others), prod(node - other for other in others))
