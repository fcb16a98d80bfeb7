"""Cards that people train on: what a process can really have of their memory."""

from __future__ import annotations

from dataclasses import dataclass

GIB = 2**30
MIB = 2**20


@dataclass(frozen=True, slots=True)
class Card:
    """A card, or a chip that shares the machine's memory.

    Attributes:
        name: as it is sold.
        bytes: of memory that CUDA or Metal report as theirs, before a process has any; less than
            what is on the box.
        bfloat16: whether it computes in bfloat16 by itself.
    """

    name: str
    bytes: int
    bfloat16: bool = True


def _gib(amount: float) -> int:
    return int(amount * GIB)


# The capacity that torch names when a card's memory is full, the smallest of those that were found
# in reports of such failures: CatVTON#133 (T4), dreambooth-gui#78 (3060), SoulX-FlashTalk#5 (4090),
# CoSeR#10 (A100 40), OOTDiffusion#235 (A100 80), vllm#27508 (H100). Where none was found (4060 Ti,
# 5090, L4, A10, H200), what `nvidia-smi` calls the total, less the 3 % by which that of the T4 is
# too large. Metal's recommended working set: llama-cpp-python#687 (16), ollama#434 (32), two thirds
# of the memory, and from 36 GB on three quarters (Rapid-MLX#183).
CARDS = (
    Card("Tesla T4, 16 GB", _gib(14.56), bfloat16=False),
    Card("RTX 3060, 12 GB", _gib(11.75)),
    Card("RTX 4060 Ti, 16 GB", int(0.97 * 16_380 * MIB)),
    Card("RTX 4090, 24 GB", _gib(23.52)),
    Card("RTX 5090, 32 GB", int(0.97 * 32_607 * MIB)),
    Card("L4, 24 GB", int(0.97 * 23_034 * MIB)),
    Card("A10, 24 GB", int(0.97 * 23_028 * MIB)),
    Card("A100, 40 GB", _gib(39.5)),
    Card("A100, 80 GB", _gib(79.25)),
    Card("H100, 80 GB", _gib(79.11)),
    Card("H200, 141 GB", int(0.97 * 143_771 * MIB)),
    Card("Apple M, 16 GB", int(10_922.67 * MIB)),
    Card("Apple M, 32 GB", int(21_845.34 * MIB)),
    Card("Apple M, 64 GB", _gib(48)),
    Card("Apple M, 128 GB", _gib(96)),
)
