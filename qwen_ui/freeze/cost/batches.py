"""Prices of the same step at many batch sizes, for a fraction of as many traces.

Bytes and FLOPs of a segment are linear in the batch, or the largest of several sums that are. So a
block is traced at a few batches only and lies on the line between two of them, which is never below
the truth. Outside of the blocks a trainer may take its loss in chunks, of which a large batch has
thousands: those are traced at two small batches with whole chunks, and go on along their line.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import fields, replace
from typing import TYPE_CHECKING

from qwen_ui.freeze.cost.estimate import price
from qwen_ui.freeze.cost.segments import BlockState, Segment, StepShape
from qwen_ui.freeze.cost.step import MAX_TOKENS, Cost, StepSettings
from qwen_ui.freeze.cost.tracer_cache import StepSegments, segments_for
from qwen_ui.model import embedding_rows

if TYPE_CHECKING:
    from qwen_ui.freeze.cost.segments import HeadLoss
    from qwen_ui.freeze.selection import Selection
    from qwen_ui.model import Anatomy

# Blocks are traced at the batches 1, 4, 16, ...
GROWTH = 4
# From so many chunks of a loss on, they are whole, and more of them alone.
WHOLE_CHUNKS = 2


class BatchPrices:
    """What a step costs at any batch; up to `batch_size` as in `settings` it is traced as it is.

    Args:
        anatomy: of the model.
        settings: of the step, whatever its batch.
    """

    def __init__(self, anatomy: Anatomy, settings: StepSettings) -> None:
        self._anatomy, self._settings = anatomy, settings
        self.most = max(1, MAX_TOKENS // settings.sequence_length)

    def cost(self, selection: Selection, batch: int) -> Cost:
        """The price of a step of this batch."""
        sized = replace(self._settings, batch_size=batch)
        return price(self._anatomy, selection, sized, _LineTracer(self._tracer, batch, self))

    def whole_chunks(self) -> tuple[int, int]:
        """Two batches from which on what is outside of the blocks goes on along a line."""
        engine, rows = self._settings.engine, 1
        if engine is not None:
            words = embedding_rows(self._anatomy) or 1
            rows = engine.chunk_rows(words, self._tracer(1).itemsize)
        first = max(1, math.ceil(WHOLE_CHUNKS * rows / self._settings.sequence_length))
        return first, 2 * first

    def around(self, batch: int) -> tuple[int, int]:
        """The traced batches next to this one, below and above, or this one where it is traced."""
        low = 1
        while low * GROWTH <= batch:
            low *= GROWTH
        return low, low if low == batch else min(low * GROWTH, max(self.most, batch))

    def _tracer(self, batch: int) -> StepSegments:
        settings = self._settings
        shape = StepShape(batch, settings.sequence_length, settings.padded)
        return segments_for(self._anatomy, shape, settings.dtype)


class _LineTracer:
    """Segments at one batch, from those at others."""

    def __init__(
        self, tracer: Callable[[int], StepSegments], batch: int, prices: BatchPrices
    ) -> None:
        self._tracer, self._batch, self._prices = tracer, batch, prices

    @property
    def itemsize(self) -> int:
        return self._tracer(1).itemsize

    @property
    def hidden_bytes_per_token(self) -> int:
        return self._tracer(1).hidden_bytes_per_token

    def block(self, index: int, state: BlockState) -> Segment:
        low, high = self._prices.around(self._batch)
        return self._between(low, high, lambda tracer: tracer.block(index, state))

    def outside(
        self,
        trains: frozenset[str],
        blocks_need_gradient: bool,
        head_loss: HeadLoss | None,
        accumulates: bool = False,
    ) -> Segment:
        low, high = self._prices.whole_chunks()
        if self._batch <= low:
            low = high = self._batch
        return self._between(
            low,
            high,
            lambda tracer: tracer.outside(trains, blocks_need_gradient, head_loss, accumulates),
        )

    def _between(self, low: int, high: int, ask: Callable[[StepSegments], Segment]) -> Segment:
        below = ask(self._tracer(low))
        if low == high:
            return below
        share = (self._batch - low) / (high - low)
        return _along(below, ask(self._tracer(high)), share)


def _along(low: Segment, high: Segment, share: float) -> Segment:
    """The segment on the line from one to the other, `share` of the way."""

    def at(below: int, above: int) -> int:
        return round(below + share * (above - below))

    numbers = [field.name for field in fields(Segment) if field.name != "shared"]
    values = {name: at(getattr(low, name), getattr(high, name)) for name in numbers}
    # Storages have other names at another batch. There are a mask or two and the rotary tables, of
    # which a larger one stays the larger.
    pairs = zip(_by_size(low), _by_size(high), strict=True)
    shared = frozenset((key, at(size, other)) for (key, size), (_, other) in pairs)
    return Segment(shared=shared, **values)


def _by_size(segment: Segment) -> list[tuple[int, int]]:
    return sorted(segment.shared, key=lambda entry: (entry[1], entry[0]))


def largest_batch(prices: BatchPrices, selection: Selection, memory: float) -> int:
    """The most sequences a step whose peak fits into so many bytes; 0 where not even one does."""

    def fits(batch: int) -> bool:
        return prices.cost(selection, batch).peak_bytes <= memory

    if not fits(1):
        return 0
    most, too_large = 1, 2
    while too_large <= prices.most and fits(too_large):
        most, too_large = too_large, 2 * too_large
    too_large = min(too_large, prices.most + 1)
    while most + 1 < too_large:
        middle = (most + too_large) // 2
        if fits(middle):
            most = middle
        else:
            too_large = middle
    return most
