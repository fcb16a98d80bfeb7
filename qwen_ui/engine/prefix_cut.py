"""Run only the blocks after the frozen ones, with the model's own code around them.

Blocks are replaced, for the length of a call, by pass-through blocks that have the attributes of
the block. The model's own forward then makes masks, positions and rotary angles as ever; the last
pass-through block returns the cached tensor. Cutting the list of blocks and feeding
`inputs_embeds` instead is wrong in Gemma 3, OPT, GPT-2 and BLOOM, which scale, normalise or add
positions to embeddings (docs/decisions/engine.md).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any, Protocol

import torch
from torch import nn

from qwen_ui.freeze import Selection
from qwen_ui.model import Anatomy
from qwen_ui.model.libraries import PreTrainedModel


class CutError(RuntimeError):
    """A model's blocks are not what a cut needs: the message says in which way."""


class PassThrough(nn.Module):
    """Stands in for a block: returns its input, or `output` where one is set.

    Attributes:
        length: how many values the block returns together; 0 where it returns the tensor alone.
            Those beside the hidden state are None.
        output: what it returns in place of its input.
        calls: how often it has run.
    """

    def __init__(self, block: nn.Module) -> None:
        super().__init__()
        # Not registered as a child: its parameters are not the pass-through block's.
        self.__dict__["block"] = block
        self.length = self.calls = 0
        self.output: torch.Tensor | None = None

    def __getattr__(self, name: str) -> Any:
        try:
            return super().__getattr__(name)
        except AttributeError:
            return getattr(self.__dict__["block"], name)

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        self.calls += 1
        hidden = self.output
        if hidden is None:
            hidden = args[0] if args else kwargs["hidden_states"]
        return (hidden, *[None] * (self.length - 1)) if self.length else hidden


class Cut(Protocol):
    """A model cut before block `depth`; `PrefixCut`, and `stream.StreamedCut`.

    Attributes:
        depth: number of blocks of the prefix.
        blocks: all of the model's, in their order.
        holds_prefix: whether the prefix's weights are in memory.
        block_bytes: of each block that is in memory only while it runs.
        runs_whole: whether a forward pass by itself runs the frozen blocks now.
    """

    depth: int
    blocks: list[nn.Module]
    holds_prefix: bool
    runs_whole: bool
    block_bytes: list[int]

    def run_prefix(self, inputs: dict[str, Any]) -> torch.Tensor:
        """The output of the prefix (B, T, H) for these arguments of the model's forward."""
        ...

    def suffix_only(self, prefix_BTH: torch.Tensor) -> AbstractContextManager[None]:
        """Inside, the model's forward begins after the prefix, from this output of the prefix."""
        ...

    def reference(
        self, inputs: dict[str, Any], run: Callable[[], torch.Tensor]
    ) -> tuple[torch.Tensor, Counter[int]]:
        """What `run` gives where the model's forward runs every block by itself.

        Args:
            inputs: the arguments that it runs the model with.

        Returns:
            That, and how often each block ran.
        """
        ...

    def all_here(self) -> AbstractContextManager[None]:
        """Inside, all blocks are in memory, and the model's forward runs them."""
        ...


class PrefixCut:
    """A model cut before block `depth`: the prefix can be run alone, and the suffix alone.

    Args:
        body: the module under the model's head.
        blocks: the list of its blocks.
        depth: number of blocks of the prefix, at least 1.

    Attributes:
        blocks: all of them, in their order.
    """

    def __init__(self, body: nn.Module, blocks: nn.ModuleList, depth: int) -> None:
        assert 0 < depth <= len(blocks), (depth, len(blocks))
        self._body, self._list, self.depth = body, blocks, depth
        self.blocks = list(blocks)
        self.holds_prefix = self.runs_whole = True
        self.block_bytes = list[int]()
        self._pass_through = [PassThrough(block) for block in self.blocks]

    def run_prefix(self, inputs: dict[str, Any]) -> torch.Tensor:
        """The output of block `depth - 1` (B, T, H), without a graph; later blocks are not run.

        Raises:
            CutError: that block did not run exactly once.
        """
        caught: list[torch.Tensor] = []

        def catch(index: int, output: Any) -> None:
            length = len(output) if isinstance(output, tuple | list) else 0
            self._pass_through[index].length = length
            if index == self.depth - 1:
                for stand_in in self._pass_through[self.depth :]:
                    stand_in.length = length
                caught.append(output[0] if length else output)

        handles = [
            block.register_forward_hook(lambda _block, _given, output, i=index: catch(i, output))
            for index, block in enumerate(self.blocks[: self.depth])
        ]
        try:
            with torch.no_grad(), self._replaced(range(self.depth, len(self.blocks))):
                self._body(**inputs)
        finally:
            for handle in handles:
                handle.remove()
        if len(caught) != 1:
            raise CutError(f"block {self.depth - 1} runs {len(caught)} times in a forward pass")
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

    def reference(
        self, inputs: dict[str, Any], run: Callable[[], torch.Tensor]
    ) -> tuple[torch.Tensor, Counter[int]]:
        """What `run` gives, and how often each block ran: as the model always does."""
        runs: Counter[int] = Counter()
        handles = [
            block.register_forward_hook(lambda *_, i=index: runs.update([i]))
            for index, block in enumerate(self.blocks)
        ]
        try:
            return run(), runs
        finally:
            for handle in handles:
                handle.remove()

    def all_here(self) -> AbstractContextManager[None]:
        """Inside, all blocks are in memory: as they always are."""
        return nullcontext()

    @contextmanager
    def _replaced(self, indexes: range) -> Iterator[None]:
        modules = self._list._modules
        for index in indexes:
            modules[str(index)] = self._pass_through[index]
        try:
            yield
        finally:
            for index in indexes:
                modules[str(index)] = self.blocks[index]


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
    if drops_below(model, blocks, depth):
        return None, (
            "The frozen blocks use dropout in training, so their outputs change from step to step "
            "and are not cached. Set the dropout in the model's configuration to 0."
        )
    return PrefixCut(model.base_model, blocks, depth), ""


def drops_below(model: nn.Module, blocks: nn.ModuleList, depth: int) -> bool:
    """Whether something before block `depth` drops values at random while the model trains."""
    suffix = {id(m) for block in blocks[depth:] for m in block.modules()}
    return uses_dropout(m for m in model.modules() if id(m) not in suffix)


def uses_dropout(modules: Iterable[nn.Module]) -> bool:
    """Whether one of these modules drops values at random while it trains."""
    for module in modules:
        if isinstance(module, nn.Dropout) and module.p > 0:
            return True
        rates = (v for k, v in vars(module).items() if "drop" in k and isinstance(v, float))
        if any(rate > 0 for rate in rates):
            return True
    return False
