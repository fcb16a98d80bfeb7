"""One tensor of the base beside the same one of the tuned checkpoint."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import torch

from qwen_ui.verify.rank import RankOfChange, intruders
from qwen_ui.verify.values import Values, all_finite, pieces, same_bits

# What a tensor may have been through between two savings of one dtype.
NARROW = ("bfloat16", "float16")


@dataclass(frozen=True, slots=True)
class Change:
    """How a tensor differs from the base's.

    Attributes:
        name: first name in the model.
        block: of the decoder; None outside the blocks.
        kind: path in the block, or the name.
        relative_change: norm of the change over the norm of the base's tensor, in float64; None
            where that has no norm (it is 0, or another shape).
        cosine: between the base's tensor and the tuned one.
        norm: of the change.
        largest: the largest change of an element, by magnitude.
        elements: how many changed.
        rank: effective rank of the change; None for a vector.
        rank_exact: whether `rank` is that; else it is a lower bound.
        shapes, dtypes: (base, tuned); "nf4" and the like where a side is quantized.
        dequantized: whether plain numbers were compared, because a side is quantized.
        quantized_since: whether the tuned side is, in a form that the base is not in.
        equal_after_cast: whether it is the base's tensor, cast to another dtype or dequantized.
        rounds_back: whether it is not, and is the base's once it is cast to the base's dtype.
        round_trip: the narrower dtype that the base's values went through and came back from; "".
        not_finite: NaN and infinite values of (base, tuned).
        intruders: intruder dimensions; None where they were not asked for or cannot be told.
    """

    name: str
    block: int | None
    kind: str
    relative_change: float | None = None
    cosine: float | None = None
    norm: float = 0.0
    largest: float = 0.0
    elements: int = 0
    rank: float | None = None
    rank_exact: bool = True
    shapes: tuple[tuple[int, ...], tuple[int, ...]] = ((), ())
    dtypes: tuple[str, str] = ("", "")
    dequantized: bool = False
    quantized_since: bool = False
    equal_after_cast: bool = False
    rounds_back: bool = False
    round_trip: str = ""
    not_finite: tuple[int, int] = (0, 0)
    intruders: int | None = None

    @property
    def reshaped(self) -> bool:
        return self.shapes[0] != self.shapes[1]

    @property
    def recast(self) -> bool:
        """Whether it is of another dtype."""
        return self.dtypes[0] != self.dtypes[1]


@dataclass(frozen=True, slots=True)
class Look:
    """What a first look at a pair says, without float64.

    Attributes:
        equal: whether shape, dtype and every bit are the same.
        finite: whether the tuned one has no NaN and no infinity; known where `equal`.
    """

    equal: bool
    finite: bool


def look(base: Values, tuned: Values) -> Look:
    """Compare bits up to the first piece that differs."""
    if base.shape != tuned.shape or base.dtype != tuned.dtype:
        return Look(equal=False, finite=True)
    finite = True
    for first, rows in pieces(base):
        here, there = base.read(first, rows), tuned.read(first, rows)
        if not same_bits(here, there):
            return Look(equal=False, finite=True)
        finite = finite and all_finite(there)
    return Look(equal=True, finite=finite)


def of_plain_numbers(change: Change, forms: tuple[str, str]) -> Change:
    """A change that was measured on the plain numbers of what is quantized.

    Args:
        forms: how (base, tuned) are quantized ("nf4"); "" for a side that is not.
    """
    return replace(
        change,
        dtypes=(forms[0] or change.dtypes[0], forms[1] or change.dtypes[1]),
        dequantized=True,
        quantized_since=forms[1] not in ("", forms[0]),
        # In whichever dtype they became plain: a copy that was saved rounds what a scale makes.
        equal_after_cast=change.equal_after_cast or change.rounds_back,
        rounds_back=False,
    )


def count_not_finite(values: Values) -> int:
    """NaN and infinite values of a tensor."""
    return sum(
        int((~torch.isfinite(values.read(first, rows).float())).sum())
        for first, rows in pieces(values)
    )


def measure(
    name: str, block: int | None, kind: str, base: Values, tuned: Values, *, seek_intruders: bool
) -> Change:
    """How two tensors that are not bitwise equal differ, a piece at a time, in float64."""
    shapes, dtypes = (base.shape, tuned.shape), (base.dtype, tuned.dtype)
    if base.shape != tuned.shape:
        return Change(name, block, kind, shapes=shapes, dtypes=dtypes)
    sums = _Sums(base, tuned)
    for first, rows in pieces(base):
        sums.add(base.read(first, rows), tuned.read(first, rows))
    found = None
    if seek_intruders and len(base.shape) == 2 and sums.elements:
        found = intruders(base.whole(), tuned.whole())
    return Change(
        name,
        block,
        kind,
        relative_change=math.sqrt(sums.changed / sums.squares) if sums.squares else None,
        cosine=sums.cosine,
        norm=math.sqrt(sums.changed),
        largest=sums.largest,
        elements=sums.elements,
        rank=None if sums.rank is None else sums.rank.result(),
        rank_exact=sums.rank is None or sums.rank.exact,
        shapes=shapes,
        dtypes=dtypes,
        equal_after_cast=base.dtype != tuned.dtype and sums.cast,
        rounds_back=base.dtype != tuned.dtype and sums.back and not sums.cast,
        round_trip=next(iter(sums.trips), "") if base.dtype == tuned.dtype else "",
        not_finite=sums.not_finite,
        intruders=found,
    )


class _Sums:
    """What is added up over the pieces of a pair of one shape."""

    def __init__(self, base: Values, tuned: Values) -> None:
        self.squares = self.changed = self.largest = 0.0
        self.tuned_squares = self.product = 0.0
        self.elements, self.not_finite = 0, (0, 0)
        self.cast = self.back = True
        wide = getattr(torch, base.dtype)
        floats = wide.is_floating_point and wide.itemsize > 1
        self.trips = [dtype for dtype in NARROW if floats and dtype != base.dtype]
        matrix = len(base.shape) > 1 and min(base.rows, base.columns) > 0
        self.rank = RankOfChange(base.rows, base.columns) if matrix else None

    @property
    def cosine(self) -> float | None:
        both = math.sqrt(self.squares * self.tuned_squares)
        return self.product / both if both else None

    def add(self, base: torch.Tensor, tuned: torch.Tensor) -> None:
        if base.dtype == tuned.dtype:
            self.trips = [d for d in self.trips if same_bits(_through(base, d), tuned)]
        else:
            # What was trained in a wider dtype may have moved by less than the base's can hold, so
            # that only the first says that nothing moved.
            self.cast = self.cast and same_bits(base.to(tuned.dtype), tuned)
            self.back = self.back and same_bits(base, tuned.to(base.dtype))
        was, now = base.double(), tuned.double()
        bad = ~torch.isfinite(was), ~torch.isfinite(now)
        counts = int(bad[0].sum()), int(bad[1].sum())
        if any(counts):
            self.not_finite = self.not_finite[0] + counts[0], self.not_finite[1] + counts[1]
            both = bad[0] | bad[1]
            was, now = was.masked_fill(both, 0.0), now.masked_fill(both, 0.0)
        change = now - was
        self.squares += float(torch.linalg.vector_norm(was)) ** 2
        self.tuned_squares += float(torch.linalg.vector_norm(now)) ** 2
        self.product += float(torch.dot(was.flatten(), now.flatten()))
        self.changed += float(torch.linalg.vector_norm(change)) ** 2
        self.elements += int(change.count_nonzero())
        if change.numel():
            self.largest = max(self.largest, float(change.abs().max()))
        if self.rank is not None:
            self.rank.add(change)


def _through(values: torch.Tensor, dtype: str) -> torch.Tensor:
    """Rounded to a narrower dtype and widened again."""
    return values.to(getattr(torch, dtype)).to(values.dtype)
