"""How far a finished run is turned: one strength for all of it, or one for each block."""

from __future__ import annotations

import math
from dataclasses import dataclass

from qwen_ui.errors import SettingsError
from qwen_ui.model import Anatomy

# Beyond what training did; nano's best lies between 1 and 3.
HIGHEST = 10.0


@dataclass(frozen=True, slots=True)
class Strengths:
    """The strength s of every tensor in W0 + s (W - W0).

    Attributes:
        rest: of what `blocks` does not name.
        blocks: (block, strength) of single blocks, in order.
    """

    rest: float = 1.0
    blocks: tuple[tuple[int, float], ...] = ()

    def of(self, block: int | None) -> float:
        """The strength of a block's tensors; None stands for those outside of all blocks."""
        return next((strength for number, strength in self.blocks if number == block), self.rest)

    def changed(self, block: int, strength: float) -> Strengths:
        """The same with another strength for this block."""
        others = {number: value for number, value in self.blocks if number != block}
        return Strengths(self.rest, tuple(sorted((others | {block: strength}).items())))

    def by_name(self, names: list[str], anatomy: Anatomy) -> dict[str, float]:
        """The strength of each of these parameters.

        Raises:
            SettingsError: a block that is named is none of the model's.
        """
        beyond = [block for block, _ in self.blocks if block >= anatomy.block_count]
        if beyond:
            raise SettingsError(
                f"The model has no block {beyond[0]}: its blocks are 0 to "
                f"{anatomy.block_count - 1}. Name one of them."
            )
        return {
            name: self.of(anatomy.by_name[name].block if name in anatomy.by_name else None)
            for name in names
        }

    def __str__(self) -> str:
        parts = [f"{block}={strength:g}" for block, strength in self.blocks]
        return ",".join([f"{self.rest:g}", *parts])


AS_TRAINED = Strengths()


def parse_strengths(text: str) -> Strengths:
    """Strengths from text: `0.5`, or `0.5,24=0.25,25=1` with other ones for single blocks.

    Raises:
        SettingsError: it is not of this form, or a strength is out of its range.
    """
    rest, blocks = 1.0, dict[int, float]()
    for number, part in enumerate(text.split(",")):
        block, equals, value = part.rpartition("=")
        if equals:
            if not block.strip().isdecimal():
                raise _not_understood(text)
            blocks[int(block)] = parse_strength(value)
        elif number == 0:
            rest = parse_strength(value)
        else:
            raise _not_understood(text)
    return Strengths(rest, tuple(sorted(blocks.items())))


def parse_strength(text: str) -> float:
    """One strength, between 0 (the base) and `HIGHEST`.

    Raises:
        SettingsError: it is no number, or out of this range.
    """
    try:
        strength = float(text)
    except ValueError:
        raise _not_understood(text) from None
    if not math.isfinite(strength) or not 0 <= strength <= HIGHEST:
        raise SettingsError(
            f"The strength {text.strip()} is not between 0 (the base) and {HIGHEST:g}. "
            "1 is what training left; give a number near it."
        )
    return strength


def _not_understood(text: str) -> SettingsError:
    return SettingsError(
        f"'{text[:100]}' is not a strength. Give a number such as 0.5, or 0.5,24=0.25,25=1 for "
        "other strengths of blocks 24 and 25."
    )
