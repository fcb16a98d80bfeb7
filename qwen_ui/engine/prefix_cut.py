"""Run only the blocks after the frozen ones, with the model's own code around them.

Blocks are exchanged, for the length of a call, for stubs that keep the block's attributes. The
model's own forward then makes masks, positions and rotary angles as ever; the last stub hands out
the kept tensor. Cutting the stack and feeding `inputs_embeds` instead is wrong in Gemma 3, OPT,
GPT-2 and BLOOM, which scale, normalise or add positions to embeddings (docs/decisions/engine.md).
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import nn


class _Stub(nn.Module):
    """Stands in for a block: hands on its input, or what it was given to hand out."""

    def __init__(self, block: nn.Module) -> None:
        super().__init__()
        # Not registered as a child: its parameters are not the stub's.
        self.__dict__["block"] = block
        self.as_tuple = False
        self.kept: torch.Tensor | None = None

    def __getattr__(self, name: str) -> Any:
        try:
            return super().__getattr__(name)
        except AttributeError:
            return getattr(self.__dict__["block"], name)

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        hidden = self.kept
        if hidden is None:
            hidden = args[0] if args else kwargs["hidden_states"]
        return (hidden,) if self.as_tuple else hidden


class PrefixCut:
    """A model cut before block `depth`: the prefix can be run alone, and the suffix alone.

    Args:
        model: the causal language model.
        body: the module under its head.
        stack: the list of its blocks.
        depth: how many blocks the prefix has, at least 1.
    """

    def __init__(self, body: nn.Module, stack: nn.ModuleList, depth: int) -> None:
        assert 0 < depth <= len(stack), (depth, len(stack))
        self._body, self._stack, self.depth = body, stack, depth
        self._blocks = list(stack)
        self._stubs = [_Stub(block) for block in self._blocks]

    def run_prefix(self, inputs: dict[str, Any]) -> torch.Tensor:
        """What block `depth - 1` puts out (B, T, H), without a graph; later blocks are not run."""
        caught: list[torch.Tensor] = []

        def catch(block: nn.Module, arguments: Any, output: Any) -> None:
            as_tuple = isinstance(output, tuple)
            for stub in self._stubs:
                stub.as_tuple = as_tuple
            caught.append(output[0] if as_tuple else output)

        handle = self._blocks[self.depth - 1].register_forward_hook(catch)
        try:
            with torch.no_grad(), self._exchanged(range(self.depth, len(self._blocks))):
                self._body(**inputs)
        finally:
            handle.remove()
        return caught[0]

    @contextmanager
    def suffix_only(self, kept_BTH: torch.Tensor) -> Iterator[None]:
        """Inside, the model's forward begins after the prefix, from this tensor."""
        last = self._stubs[self.depth - 1]
        last.kept = kept_BTH
        try:
            with self._exchanged(range(self.depth)):
                yield
        finally:
            last.kept = None

    @contextmanager
    def _exchanged(self, indexes: range) -> Iterator[None]:
        modules = self._stack._modules
        for index in indexes:
            modules[str(index)] = self._stubs[index]
        try:
            yield
        finally:
            for index in indexes:
                modules[str(index)] = self._blocks[index]


def drops_out(modules: Iterator[nn.Module] | list[nn.Module]) -> bool:
    """Whether one of these modules drops values at random while it trains."""
    for module in modules:
        if isinstance(module, nn.Dropout) and module.p > 0:
            return True
        rates = (v for k, v in vars(module).items() if "drop" in k and isinstance(v, float))
        if any(rate > 0 for rate in rates):
            return True
    return False
