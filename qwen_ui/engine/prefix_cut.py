"""Run only the blocks after the frozen ones, with the model's own code around them.

Blocks are replaced, for the length of a call, by pass-through blocks that have the attributes of
the block. The model's own forward then makes masks, positions and rotary angles as ever; the last
pass-through block returns the cached tensor. Cutting the list of blocks and feeding
`inputs_embeds` instead is wrong in Gemma 3, OPT, GPT-2 and BLOOM, which scale, normalise or add
positions to embeddings (docs/decisions/engine.md).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import nn

from qwen_ui.freeze import Selection
from qwen_ui.model import Anatomy
from qwen_ui.model.libraries import PreTrainedModel


class _PassThrough(nn.Module):
    """Stands in for a block: returns its input, or `output` where one is set."""

    def __init__(self, block: nn.Module) -> None:
        super().__init__()
        # Not registered as a child: its parameters are not the pass-through block's.
        self.__dict__["block"] = block
        self.as_tuple = False
        self.output: torch.Tensor | None = None

    def __getattr__(self, name: str) -> Any:
        try:
            return super().__getattr__(name)
        except AttributeError:
            return getattr(self.__dict__["block"], name)

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        hidden = self.output
        if hidden is None:
            hidden = args[0] if args else kwargs["hidden_states"]
        return (hidden,) if self.as_tuple else hidden


class PrefixCut:
    """A model cut before block `depth`: the prefix can be run alone, and the suffix alone.

    Args:
        body: the module under the model's head.
        blocks: the list of its blocks.
        depth: number of blocks of the prefix, at least 1.
    """

    def __init__(self, body: nn.Module, blocks: nn.ModuleList, depth: int) -> None:
        assert 0 < depth <= len(blocks), (depth, len(blocks))
        self._body, self._list, self.depth = body, blocks, depth
        self._blocks = list(blocks)
        self._pass_through = [_PassThrough(block) for block in self._blocks]

    def run_prefix(self, inputs: dict[str, Any]) -> torch.Tensor:
        """The output of block `depth - 1` (B, T, H), without a graph; later blocks are not run."""
        caught: list[torch.Tensor] = []

        def catch(block: nn.Module, arguments: Any, output: Any) -> None:
            as_tuple = isinstance(output, tuple)
            for stand_in in self._pass_through:
                stand_in.as_tuple = as_tuple
            caught.append(output[0] if as_tuple else output)

        handle = self._blocks[self.depth - 1].register_forward_hook(catch)
        try:
            with torch.no_grad(), self._replaced(range(self.depth, len(self._blocks))):
                self._body(**inputs)
        finally:
            handle.remove()
        return caught[0]

    @contextmanager
    def suffix_only(self, prefix_BTH: torch.Tensor) -> Iterator[None]:
        """Inside, the model's forward begins after the prefix, from this output of the prefix."""
        last = self._pass_through[self.depth - 1]
        last.output = prefix_BTH
        try:
            with self._replaced(range(self.depth)):
                yield
        finally:
            last.output = None

    @contextmanager
    def _replaced(self, indexes: range) -> Iterator[None]:
        modules = self._list._modules
        for index in indexes:
            modules[str(index)] = self._pass_through[index]
        try:
            yield
        finally:
            for index in indexes:
                modules[str(index)] = self._blocks[index]


def block_list(model: nn.Module, anatomy: Anatomy) -> nn.ModuleList:
    """The list of a model's blocks."""
    blocks = model.get_submodule(anatomy.stack)
    assert isinstance(blocks, nn.ModuleList), type(blocks)
    return blocks


def cut_prefix(model: PreTrainedModel, selection: Selection) -> tuple[PrefixCut | None, str]:
    """The model cut at its first trained block.

    Returns:
        The cut, None where there is none; why the frozen blocks' outputs cannot be cached, else "".
    """
    depth = selection.prefix_blocks
    if not depth:
        return None, ""
    blocks = block_list(model, selection.anatomy)
    suffix = {id(m) for block in blocks[depth:] for m in block.modules()}
    if uses_dropout(m for m in model.modules() if id(m) not in suffix):
        return None, (
            "The frozen blocks use dropout in training, so their outputs change from step to step "
            "and are not cached. Set the dropout in the model's configuration to 0."
        )
    return PrefixCut(model.base_model, blocks, depth), ""


def uses_dropout(modules: Iterable[nn.Module]) -> bool:
    """Whether one of these modules drops values at random while it trains."""
    for module in modules:
        if isinstance(module, nn.Dropout) and module.p > 0:
            return True
        rates = (v for k, v in vars(module).items() if "drop" in k and isinstance(v, float))
        if any(rate > 0 for rate in rates):
            return True
    return False
