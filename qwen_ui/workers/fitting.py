"""Which cards a plan fits on, with which batch, and what would make it fit."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

from qwen_ui.engine import as_worker
from qwen_ui.freeze import Selection, StepSettings, canonical_plan, resolve
from qwen_ui.freeze.cost import BatchPrices, largest_batch
from qwen_ui.workers.cards import CARDS, Card
from qwen_ui.workers.memory_advice import OVERHEAD_BYTES

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


def _checkpointing(settings: StepSettings) -> StepSettings | None:
    return None if settings.checkpointing else replace(settings, checkpointing=True)


def _eight_bits(settings: StepSettings) -> StepSettings | None:
    return replace(settings, optimizer="adamw_8bit") if settings.optimizer == "adamw" else None


def _main_memory(settings: StepSettings) -> StepSettings | None:
    engine = settings.engine
    if engine is None or engine.offloads:
        return None
    # Instead of 8 bits: the two exclude each other.
    return replace(settings, engine=replace(engine, offloads=True), optimizer="adamw")


def _cached_prefix(settings: StepSettings) -> StepSettings | None:
    return None if settings.keep_prefix else replace(settings, keep_prefix=True)


EIGHT_BITS = "8-bit AdamW"
MAIN_MEMORY = "the optimizer's state in main memory"
# Tried in this order, each on top of those before it. `True`: our own worker can do it.
CHANGES: tuple[tuple[str, Change, bool], ...] = (
    ("the frozen blocks' outputs cached", _cached_prefix, True),
    ("gradient checkpointing", _checkpointing, True),
    (EIGHT_BITS, _eight_bits, True),
    (MAIN_MEMORY, _main_memory, True),
)


def fits_on_cards(
    selection: Selection, settings: StepSettings, cards: tuple[Card, ...] = CARDS
) -> list[CardFit]:
    """How this step fits on each card.

    Args:
        selection: what trains.
        settings: of the step. Where they are our worker's, its dtype is what `auto` means on the
            card.
        cards: which.

    Raises:
        ModelError: the model cannot be traced.
    """
    desks: dict[str | None, _Desk] = {}
    found = []
    for card in cards:
        dtype = card.dtype if settings.engine is not None else settings.dtype
        if dtype not in desks:
            desks[dtype] = _Desk(selection, _on_gpu(settings, dtype))
        desk = desks[dtype]
        found.append(desk.fit(card))
    return found


def _on_gpu(settings: StepSettings, dtype: str | None) -> StepSettings:
    """The step in this dtype; where it is our worker's, in its way on a GPU."""
    if settings.engine is None:
        return replace(settings, dtype=dtype)
    return as_worker(settings, dtype=dtype, keep_prefix=settings.keep_prefix, on_gpu=True)


class _Desk:
    """Prices of one selection in one dtype, each traced once, for all cards."""

    def __init__(self, selection: Selection, settings: StepSettings) -> None:
        self._selection, self._settings = selection, settings
        self._prices: dict[StepSettings, BatchPrices] = {}
        self._fewer: dict[int, Selection] = {}

    def fit(self, card: Card) -> CardFit:
        asked, settings = self._settings.batch_size, self._settings
        need = self._need(settings, self._selection, asked)
        batch = largest_batch(
            self._prices_of(settings), self._selection, card.bytes - OVERHEAD_BYTES
        )
        fits = need <= card.bytes
        return CardFit(card, need, batch, fits, "" if fits else self._remedy(card, batch))

    def _remedy(self, card: Card, batch: int) -> str:
        """The first that does: a smaller batch, the changes added one by one, fewer blocks."""
        if batch:
            return f"batch {batch}"
        settings, said = self._settings, []
        for name, changed in self._changed():
            if name == MAIN_MEMORY and EIGHT_BITS in said:
                said.remove(EIGHT_BITS)
            said.append(name)
            settings = changed
            if self._need(settings, self._selection, 1) <= card.bytes:
                return self._with_batch(card, settings, self._selection, said)
        blocks = self._most_blocks(card, settings)
        if not blocks:
            return ""
        said.append(f"only the last {_blocks(blocks)}")
        return self._with_batch(card, settings, self._last(blocks), said)

    def _changed(self) -> Iterator[tuple[str, StepSettings]]:
        """(what, settings) of the changes that help, each on top of those before it."""
        settings, ours = self._settings, self._settings.engine is not None
        need = self._need(settings, self._selection, 1)
        for name, change, of_worker in CHANGES:
            changed = change(settings) if of_worker or not ours else None
            if changed is None or (less := self._need(changed, self._selection, 1)) >= need:
                continue
            settings, need = changed, less
            yield name, settings

    def _with_batch(
        self, card: Card, settings: StepSettings, selection: Selection, said: list[str]
    ) -> str:
        asked = self._settings.batch_size
        most = largest_batch(self._prices_of(settings), selection, card.bytes - OVERHEAD_BYTES)
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

    def _need(self, settings: StepSettings, selection: Selection, batch: int) -> int:
        cost = self._prices_of(settings).cost(selection, batch)
        return int(cost.peak_bytes + OVERHEAD_BYTES)

    def _prices_of(self, settings: StepSettings) -> BatchPrices:
        if settings not in self._prices:
            self._prices[settings] = BatchPrices(self._selection.anatomy, settings)
        return self._prices[settings]


def _blocks(count: int) -> str:
    return f"{count} blocks" if count > 1 else "block"
