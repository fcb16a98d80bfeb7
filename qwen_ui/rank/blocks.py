"""A model for ranking whose blocks are read from its files when they are needed, and dropped."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, ExitStack, nullcontext
from pathlib import Path
from typing import Any

import torch

from qwen_ui.model import Anatomy
from qwen_ui.model.libraries import PreTrainedModel
from qwen_ui.model.weights import PiecewiseModel

# Inside, the weights of the block with this index are in memory.
Here = Callable[[int], AbstractContextManager[None]]


def held(index: int) -> AbstractContextManager[None]:
    """The whole model is in memory."""
    return nullcontext()


def model_by_blocks(folder: Path, anatomy: Anatomy) -> tuple[PreTrainedModel, Here]:
    """The model in float32 on the CPU with what is outside its blocks alone, in evaluation mode.

    Its forward pass reads each block when it comes to it, so every pass reads all files; exact
    whatever blocks hand to each other. What a block has is there inside of `here(index)`.

    Raises:
        ModelError: the files do not hold this model.
    """
    pieces = PiecewiseModel(folder, anatomy, torch.float32, torch.device("cpu"))
    inside = [pieces.inside(block.name) for block in anatomy.blocks]
    below = {name for names in inside for name in names}
    pieces.load(name for name in pieces.names if name not in below)

    def here(index: int) -> AbstractContextManager[None]:
        return pieces.here(inside[index])

    for block in anatomy.blocks:
        _read_on_call(pieces.model.get_submodule(block.name), here, block.index)
    return pieces.model.eval().requires_grad_(False), here


def _read_on_call(block: torch.nn.Module, here: Here, index: int) -> None:
    stack = ExitStack()

    def read(*_: Any) -> None:
        stack.enter_context(here(index))

    def drop(*_: Any) -> None:
        stack.close()

    block.register_forward_pre_hook(read)
    block.register_forward_hook(drop, always_call=True)
