"""Which cards a plan fits on, with which batch, and what would make it fit."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from qwen_ui.engine import as_worker, auto_dtype
from qwen_ui.freeze import Selection, StepSettings, canonical_plan, resolve
from qwen_ui.freeze.cost import MAX_CHUNKED_TOKENS, MAX_TOKENS, OVERHEAD_BYTES, price
from qwen_ui.model import Anatomy
from qwen_ui.workers.cards import CARDS, Card

# A way to take less memory: (what is asked) -> the settings, None where they are so already.
Change = Callable[[StepSettings], StepSettings | None]


@dataclass(frozen=True, slots=True)
class CardFit:
    """How a step fits on a card.

    Attributes:
        card: which.
        need: bytes of the step that was asked for, a process's own included.
        batch: the largest batch that fits, 0 for none.
        fits: whether the batch that was asked for does.
        remedy: what would make it fit, "" where it does or nothing would.
    """

    card: Card
    need: int
    batch: int
    fits: bool
    remedy: str


def _cached_prefix(settings: StepSettings) -> StepSettings | None:
    return None if settings.keep_prefix else replace(settings, keep_prefix=True)


def _streamed_prefix(settings: StepSettings) -> StepSettings | None:
    """Only our worker does it."""
    if settings.engine is None or settings.stream_prefix:
        return None
    return replace(settings, stream_prefix=True)


def _checkpointing(settings: StepSettings) -> StepSettings | None:
    return None if settings.checkpointing else replace(settings, checkpointing=True)


def _eight_bits(settings: StepSettings) -> StepSettings | None:
    return replace(settings, optimizer="adamw_8bit") if settings.optimizer == "adamw" else None


def _offload(settings: StepSettings) -> StepSettings | None:
    """Only our worker does it, and not together with 8 bits."""
    engine = settings.engine
    if engine is None or engine.offloads or settings.optimizer not in ("adamw", "adamw_8bit"):
        return None
    return replace(settings, optimizer="adamw", engine=replace(engine, offloads=True))


# Tried in this order, each on top of those before it.
EIGHT_BITS, OFFLOAD = "8-bit AdamW", "the optimizer's state in main memory"
CHANGES: dict[str, Change] = {
    "cached outputs": _cached_prefix,
    "frozen blocks read once": _streamed_prefix,
    "gradient checkpointing": _checkpointing,
    EIGHT_BITS: _eight_bits,
    OFFLOAD: _offload,
}


def largest_batch(selection: Selection, settings: StepSettings, memory: float) -> int:
    """The most sequences a step whose peak fits into so many bytes; 0 where not even one does.

    The peak is the largest of several sums, each linear in the batch, and so bends upwards only: a
    line through two sizes tells where to look, and what is found is priced before it is told.
    """

    def peak(batch: int) -> int:
        sized = replace(settings, batch_size=batch)
        return price(selection.anatomy, selection, sized).peak_bytes

    return _largest(peak, _most_sequences(settings), memory)


def _most_sequences(settings: StepSettings) -> int:
    """Of a step that is priced."""
    most = MAX_TOKENS if settings.engine is None else MAX_CHUNKED_TOKENS
    return most // settings.sequence_length


def _largest(peak: Callable[[int], int], limit: int, memory: float) -> int:
    first = peak(1)
    if first > memory:
        return 0
    fits, too_large, guess, found = 1, limit + 1, 1, first
    while fits + 1 < too_large:
        per_sequence = max(1.0, (found - first) / max(1, guess - 1))
        guess = 2 if guess == 1 else 1 + int((memory - first) / per_sequence)
        guess = max(fits + 1, min(too_large - 1, guess))
        found = peak(guess)
        if found > memory:
            too_large = guess
        else:
            fits = guess
    return fits


def fits_on_cards(
    selection: Selection, settings: StepSettings, cards: tuple[Card, ...] = CARDS
) -> list[CardFit]:
    """How this step fits on each card.

    Args:
        selection: what trains.
        settings: of the step. Where they are our worker's, they are made its way on a GPU, in the
            dtype that `auto` means there.
        cards: which.

    Raises:
        ModelError: the model cannot be traced.
    """
    desks: dict[StepSettings, _Desk] = {}
    found = []
    for card in cards:
        there = _on(card, settings, selection.anatomy)
        found.append(desks.setdefault(there, _Desk(selection, there)).fit(card))
    return found


def _on(card: Card, settings: StepSettings, anatomy: Anatomy) -> StepSettings:
    if settings.engine is None:
        return settings
    return as_worker(
        settings,
        dtype=auto_dtype(anatomy, on_gpu=card.bfloat16),
        keep_prefix=settings.keep_prefix,
        stream_prefix=settings.stream_prefix,
        on_gpu=True,
        offload=settings.engine.offloads,
        holds_best=settings.engine.best_limit > 0,
    )


class _Desk:
    """Prices of one selection and one kind of step, for all cards that take it so."""

    def __init__(self, selection: Selection, settings: StepSettings) -> None:
        self._selection, self._settings = selection, settings
        self._fewer: dict[int, Selection] = {}
        self._peaks: dict[tuple[StepSettings, int], int] = {}
        self._steps: list[tuple[list[str], StepSettings]] = []

    def fit(self, card: Card) -> CardFit:
        asked, settings = self._settings.batch_size, self._settings
        need = self._need(settings, self._selection, asked)
        batch = self._most(card, settings, self._selection)
        fits = need <= card.bytes
        return CardFit(card, need, batch, fits, "" if fits else self._remedy(card, batch))

    def _remedy(self, card: Card, batch: int) -> str:
        """The first that does: a smaller batch, the changes added one by one, fewer blocks."""
        if batch:
            return f"batch {batch}"
        settings, said = self._settings, list[str]()
        for said, settings in self._changed():
            if self._need(settings, self._selection, 1) <= card.bytes:
                return self._with_batch(card, settings, self._selection, said)
        blocks = self._most_blocks(card, settings)
        if not blocks:
            return ""
        fewer = [*said, f"only the last {_blocks(blocks)}"]
        return self._with_batch(card, settings, self._last(blocks), fewer)

    def _changed(self) -> list[tuple[list[str], StepSettings]]:
        """(what, settings) after each change that helps, on top of those before it.

        What did not help at first is tried again after the others: another part of the step may be
        the largest then.
        """
        if not self._steps:
            settings, said = self._settings, list[str]()
            for name, change in [*CHANGES.items(), *CHANGES.items()]:
                changed = change(settings) if name not in said else None
                need = self._need(settings, self._selection, 1)
                if changed is None or self._need(changed, self._selection, 1) >= need:
                    continue
                # Of these two the last one holds.
                kept = [other for other in said if (other, name) != (EIGHT_BITS, OFFLOAD)]
                settings, said = changed, [*kept, name]
                self._steps.append((said, settings))
        return self._steps

    def _with_batch(
        self, card: Card, settings: StepSettings, selection: Selection, said: list[str]
    ) -> str:
        asked = self._settings.batch_size
        most = self._most(card, settings, selection, asked)
        return ", ".join([*said, f"batch {most}"] if most < asked else said)

    def _most_blocks(self, card: Card, settings: StepSettings) -> int:
        """How many of the last trained blocks fit, 0 for none."""
        fewest, most = 0, len(self._trained_blocks()) - 1
        while fewest < most:
            middle = (fewest + most + 1) // 2
            if self._need(settings, self._last(middle), 1) <= card.bytes:
                fewest = middle
            else:
                most = middle - 1
        return fewest

    def _last(self, count: int) -> Selection:
        """What trains in the last `count` blocks of those that train, and nothing else."""
        if count not in self._fewer:
            anatomy, kept = self._selection.anatomy, set(self._trained_blocks()[-count:])
            names = [p.name for p in self._selection.parameters if p.block in kept]
            self._fewer[count] = resolve(canonical_plan(anatomy, names), anatomy)
        return self._fewer[count]

    def _trained_blocks(self) -> list[int]:
        return sorted({p.block for p in self._selection.parameters if p.block is not None})

    def _most(
        self, card: Card, settings: StepSettings, selection: Selection, limit: int = 0
    ) -> int:
        """The largest batch that fits, up to `limit` where one is given."""
        limit = limit or _most_sequences(settings)
        memory = card.bytes - OVERHEAD_BYTES
        return _largest(lambda batch: self._peak(settings, selection, batch), limit, memory)

    def _need(self, settings: StepSettings, selection: Selection, batch: int) -> int:
        return int(self._peak(settings, selection, batch) + OVERHEAD_BYTES)

    def _peak(self, settings: StepSettings, selection: Selection, batch: int) -> int:
        # The selections are this desk's own, so that none takes another's place in memory.
        key = replace(settings, batch_size=batch), id(selection)
        if key not in self._peaks:
            self._peaks[key] = price(selection.anatomy, selection, key[0]).peak_bytes
        return self._peaks[key]


def _blocks(count: int) -> str:
    return f"{count} blocks" if count > 1 else "block"
