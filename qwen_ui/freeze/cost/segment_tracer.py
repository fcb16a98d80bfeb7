"""Costs of the blocks, and of all that is outside them, from fake steps through each alone.

A model is a stack of like blocks, so tracing the whole of it repeats itself: 28 times for the 1.5B.
Here every block is run alone on the arguments that the model would give it, once for each *state*
that it may be in (which of its kinds train, whether its input needs a gradient), and the rest of
the model is run once with all blocks replaced. The sums are exact:
`tests/freeze/cost/test_estimate.py` compares them with real steps.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import torch
from torch import nn
from torch.utils._pytree import tree_leaves, tree_map
from torch.utils.checkpoint import checkpoint

from qwen_ui.freeze.cost.live_bytes import storage_key
from qwen_ui.freeze.cost.pass_counters import PassCounters
from qwen_ui.freeze.cost.segments import BlockState, Profile, StepShape
from qwen_ui.model import Anatomy, FakeModel

if TYPE_CHECKING:
    from qwen_ui.freeze.cost.segments import HeadLoss


class SegmentTracer:
    """Traces the segments of one model for steps of one shape, each once."""

    def __init__(
        self, anatomy: Anatomy, fake: FakeModel, lock: threading.RLock, shape: StepShape
    ) -> None:
        self._anatomy, self._fake, self._lock = anatomy, fake, lock
        self._shape = shape
        self._blocks = [fake.module.get_submodule(block.name) for block in anatomy.blocks]
        self._signatures: list[object] = [_signature(block) for block in self._blocks]
        self._profiles: dict[tuple[object, BlockState], Profile] = {}
        self._outside: dict[tuple[frozenset[str], bool, HeadLoss | None, bool], Profile] = {}
        with lock:
            self._calls = self._record_calls()
        # Shared tensors by the order in which the blocks are given them, in every shape the same.
        self._given: dict[int, int] = {}
        for args, kwargs, _ in self._calls:
            for key in _given_storages(args, kwargs):
                self._given.setdefault(key, len(self._given))
        # Blocks that are given different masks or tables are not alike.
        self._signatures = [
            (signature, tuple(self._given[key] for key in _given_storages(args, kwargs)))
            for signature, (args, kwargs, _) in zip(self._signatures, self._calls, strict=True)
        ]

    @property
    def itemsize(self) -> int:
        """Bytes per element of the hidden state."""
        return _hidden(*self._calls[0][:2]).dtype.itemsize

    @property
    def hidden_bytes_per_token(self) -> int:
        """Bytes per token of the hidden state between two blocks."""
        hidden = _hidden(*self._calls[0][:2])
        return hidden.numel() * hidden.dtype.itemsize // self._shape.tokens

    def signature(self, index: int) -> object:
        """Blocks with the same one cost the same, in every shape."""
        return self._signatures[index]

    def block(self, index: int, state: BlockState) -> Profile:
        """The profile of block `index` in this state."""
        key = (self._signatures[index], state)
        with self._lock:
            if key not in self._profiles:
                self._profiles[key] = self._trace_block(index, state)
            return self._profiles[key]

    def outside(
        self,
        trains: frozenset[str],
        blocks_need_gradient: bool,
        head_loss: HeadLoss | None = None,
        accumulates: bool = False,
    ) -> Profile:
        """Embedding, final norm, head and loss, where these names outside the blocks train.

        Args:
            head_loss: computes head and loss; None for the model's own way.
            accumulates: as in `BlockState`.
        """
        key = (trains, blocks_need_gradient, head_loss, accumulates)
        with self._lock:
            if key not in self._outside:
                self._outside[key] = self._trace_outside(*key)
            return self._outside[key]

    def _inputs(self) -> dict[str, Any]:
        inputs = self._fake.inputs(self._shape.batch_size, self._shape.sequence_length)
        return {**inputs, "labels": inputs["input_ids"]}

    @contextmanager
    def _running(self) -> Iterator[None]:
        with self._fake.attention(padded=self._shape.padded), self._fake.running():
            yield

    def _record_calls(self) -> list[tuple[Any, ...]]:
        """(args, kwargs, output) of every block, running one of those that are alike."""
        calls: dict[int, tuple[Any, ...]] = {}
        outputs: dict[object, Any] = {}

        def replacement(index: int, block: nn.Module) -> Callable[..., Any]:
            real = block.forward

            def forward(*args: Any, **kwargs: Any) -> Any:
                signature = self._signatures[index]
                if signature not in outputs:
                    outputs[signature] = real(*args, **kwargs)
                calls[index] = (args, kwargs, outputs[signature])
                return outputs[signature]

            return forward

        with self._replaced_blocks(replacement), self._running(), torch.no_grad():
            self._fake.module(**self._inputs())
        return [calls[index] for index in range(len(self._blocks))]

    @contextmanager
    def _replaced_blocks(
        self, make: Callable[[int, nn.Module], Callable[..., Any]]
    ) -> Iterator[None]:
        """Replace what the blocks compute, not the blocks: the model reads their attributes."""
        for index, block in enumerate(self._blocks):
            block.forward = make(index, block)
        try:
            yield
        finally:
            for block in self._blocks:
                del block.forward

    def _trace_block(self, index: int, state: BlockState) -> Profile:
        block = self._blocks[index]
        args, kwargs, _ = self._calls[index]
        with self._running():
            _prepare(block, state.trains, state.accumulates)
            args, kwargs = tree_map(_detached, (args, kwargs))
            hidden = _hidden(args, kwargs)
            hidden.requires_grad_(state.input_needs_gradient)

            def run() -> Any:
                if state.checkpointed:
                    settings: Any = {"use_reentrant": False, "preserve_rng_state": False}
                    return checkpoint(block, *args, **settings, **kwargs)
                return block(*args, **kwargs)

            counters = PassCounters(self._fake.module)
            with counters.forward():
                output = _first_tensor(run())
            if state.needs_backward:
                counters.backward(output, torch.ones_like(output))
        for parameter in block.parameters():
            parameter.grad = None
        if state.checkpointed:
            # Held by the function that runs the block again, not by autograd's hooks.
            counters.saved[storage_key(hidden)] = hidden.untyped_storage().nbytes()
        own = set(_given_storages(args, kwargs))
        given = {key: which for key, which in self._given.items() if key in own}
        return counters.profile(hidden, given, output)

    def _trace_outside(
        self,
        trains: frozenset[str],
        blocks_need_gradient: bool,
        head_loss: HeadLoss | None,
        accumulates: bool,
    ) -> Profile:
        module, last = self._fake.module, len(self._blocks) - 1

        def replacement(index: int, block: nn.Module) -> Callable[..., Any]:
            def forward(*args: Any, **kwargs: Any) -> Any:
                hidden = _hidden(args, kwargs)
                if index == last and blocks_need_gradient and not hidden.requires_grad:
                    hidden = hidden.detach().requires_grad_()
                return _like_output(self._calls[index][2], hidden)

            return forward

        counters = PassCounters(module)
        with self._replaced_blocks(replacement), self._running():
            _prepare(module, trains, accumulates)
            inputs = self._inputs()
            with counters.forward():
                loss = self._loss(inputs, head_loss)
            if loss.requires_grad:
                counters.backward(loss, None)
        for parameter in module.parameters():
            parameter.grad = None
        return counters.profile(None, {}, loss)

    def _loss(self, inputs: dict[str, Any], head_loss: HeadLoss | None) -> torch.Tensor:
        module = self._fake.module
        head, body = module.get_output_embeddings(), module.base_model
        if head_loss is None or head is None or body is module:
            loss: torch.Tensor = module(**inputs).loss
            return loss
        labels = inputs.pop("labels")
        hidden_BTH = body(**inputs).last_hidden_state
        # The last token of a sequence has no next one.
        rows = torch.arange(labels.numel()).view_as(labels)[:, :-1].flatten()
        hidden_NH = hidden_BTH.flatten(0, 1).index_select(0, rows)
        return head_loss(hidden_NH, head, labels[:, 1:].flatten())


def _prepare(module: nn.Module, trains: frozenset[str], accumulates: bool) -> None:
    """Turn these parameters on and all others off, with or without gradients to add to."""
    for name, parameter in module.named_parameters():
        parameter.requires_grad_(name in trains)
        held = accumulates and name in trains
        parameter.grad = torch.zeros_like(parameter) if held else None


def _signature(block: nn.Module) -> object:
    """Blocks with the same one cost the same: same classes, same shapes, in the same places."""
    classes = tuple((name, type(module).__name__) for name, module in block.named_modules())
    tensors = tuple((n, tuple(p.shape), p.dtype) for n, p in block.named_parameters())
    return classes, tensors


def _detached(value: Any) -> Any:
    return value.detach() if torch.is_tensor(value) else value


def _hidden(args: Any, kwargs: dict[str, Any]) -> torch.Tensor:
    return args[0] if args else kwargs["hidden_states"]


def _first_tensor(value: Any) -> torch.Tensor:
    return next(leaf for leaf in tree_leaves(value) if torch.is_tensor(leaf))


def _like_output(output: Any, hidden: torch.Tensor) -> Any:
    """What a block returns, with another hidden state: OpenAI's GPT returns lists."""
    return type(output)((hidden, *output[1:])) if isinstance(output, tuple | list) else hidden


def _given_storages(args: Any, kwargs: dict[str, Any]) -> list[int]:
    """Storages of all arguments but the hidden state: masks and tables that blocks share."""
    hidden = storage_key(_hidden(args, kwargs))
    leaves = [leaf for leaf in tree_leaves((args, kwargs)) if torch.is_tensor(leaf)]
    return [key for key in dict.fromkeys(map(storage_key, leaves)) if key != hidden]
