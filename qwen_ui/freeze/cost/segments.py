"""What one block costs, and what all that is not a block costs, from fake steps through each alone.

A model is a stack of like blocks, so tracing the whole of it repeats itself: 28 times for the 1.5B.
Here every block is run alone on the arguments that the model would hand it, once for each *state*
that it may be in (which of its kinds train, whether its input needs a gradient), and the rest of
the model is run once with all blocks stubbed out. The sums are exact: `tests/freeze/test_cost.py`
compares them with real steps.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn
from torch.autograd.graph import saved_tensors_hooks
from torch.utils._pytree import tree_leaves, tree_map
from torch.utils.checkpoint import checkpoint

from qwen_ui.freeze.cost.live_bytes import LiveBytes, SavedBytes, flop_counter
from qwen_ui.model.anatomy import Anatomy
from qwen_ui.model.tracing import FakeModel

HeadLoss = Callable[[torch.Tensor, nn.Module, torch.Tensor], torch.Tensor]


@dataclass(frozen=True, slots=True)
class StepShape:
    """Sequences a step, tokens a sequence, and whether some are padding (a mask is made)."""

    batch_size: int
    sequence_length: int
    padded: bool = True

    @property
    def tokens(self) -> int:
        return self.batch_size * self.sequence_length


@dataclass(frozen=True, slots=True)
class Piece:
    """FLOPs and bytes of a part of the model, in one step.

    Attributes:
        flops_forward: of its forward pass.
        flops_backward: of its backward pass, recomputation under checkpointing included.
        saved: bytes that it alone keeps for the backward pass.
        shared: (which, bytes) of kept tensors that other blocks may keep as well (the mask, the
            rotary tables): counted once in a model.
        carried: the part of `saved` that was there before (its input).
        forward_peak: the most bytes alive that its forward pass made.
        backward_peak: the same for its backward pass, what it kept and its gradients included.
        output: bytes of what it hands on.
    """

    flops_forward: int
    flops_backward: int
    saved: int
    shared: frozenset[tuple[int, int]]
    carried: int
    forward_peak: int
    backward_peak: int
    output: int


@dataclass(frozen=True, slots=True)
class BlockState:
    """What decides the cost of a block in one step, its shape aside."""

    trains: frozenset[str]
    input_needs_gradient: bool
    checkpointed: bool

    @property
    def needs_backward(self) -> bool:
        return bool(self.trains) or self.input_needs_gradient


class PieceTracer:
    """Traces the pieces of one model for steps of one shape, and keeps what it traced."""

    def __init__(
        self, anatomy: Anatomy, fake: FakeModel, lock: threading.RLock, shape: StepShape
    ) -> None:
        self._anatomy, self._fake, self._lock = anatomy, fake, lock
        self._shape = shape
        self._blocks = [fake.module.get_submodule(block.name) for block in anatomy.blocks]
        self._like: list[object] = [_signature(block) for block in self._blocks]
        self._parameters = {p.untyped_storage()._cdata for p in fake.module.parameters()}
        self._pieces: dict[tuple[object, BlockState], Piece] = {}
        self._rests: dict[tuple[frozenset[str], bool, HeadLoss | None], Piece] = {}
        with lock:
            self._calls = self._record_calls()
        # Blocks that are handed different masks or tables are not alike.
        self._like = [
            (like, _given_storages(args, kwargs))
            for like, (args, kwargs, _) in zip(self._like, self._calls, strict=True)
        ]

    @property
    def itemsize(self) -> int:
        """Bytes an element of the hidden state."""
        return _hidden(*self._calls[0][:2]).dtype.itemsize

    @property
    def hidden_bytes_per_token(self) -> int:
        """Bytes of the hidden state between two blocks, a token."""
        hidden = _hidden(*self._calls[0][:2])
        return hidden.numel() * hidden.dtype.itemsize // self._shape.tokens

    def block(self, index: int, state: BlockState) -> Piece:
        """The piece of block `index` in this state."""
        key = (self._like[index], state)
        with self._lock:
            if key not in self._pieces:
                self._pieces[key] = self._trace_block(index, state)
            return self._pieces[key]

    def rest(
        self, trains: frozenset[str], blocks_need_gradient: bool, head_loss: HeadLoss | None = None
    ) -> Piece:
        """Embedding, final norm, head and loss, where these names outside the blocks train.

        Args:
            head_loss: computes head and loss; the model's own way where None.
        """
        key = (trains, blocks_need_gradient, head_loss)
        with self._lock:
            if key not in self._rests:
                self._rests[key] = self._trace_rest(*key)
            return self._rests[key]

    def _inputs(self) -> dict[str, Any]:
        inputs = self._fake.inputs(self._shape.batch_size, self._shape.sequence_length)
        return {**inputs, "labels": inputs["input_ids"]}

    @contextmanager
    def _running(self) -> Iterator[None]:
        with self._fake.attention(padded=self._shape.padded), self._fake.running():
            yield

    def _record_calls(self) -> list[tuple[Any, ...]]:
        """(args, kwargs, output) of every block, running one of each likeness."""
        calls: dict[int, tuple[Any, ...]] = {}
        outputs: dict[object, Any] = {}

        def stand_in(index: int, block: nn.Module) -> Callable[..., Any]:
            real = block.forward

            def forward(*args: Any, **kwargs: Any) -> Any:
                like = self._like[index]
                if like not in outputs:
                    outputs[like] = real(*args, **kwargs)
                calls[index] = (args, kwargs, outputs[like])
                return outputs[like]

            return forward

        with self._stubs(stand_in), self._running(), torch.no_grad():
            self._fake.module(**self._inputs())
        return [calls[index] for index in range(len(self._blocks))]

    @contextmanager
    def _stubs(self, make: Callable[[int, nn.Module], Callable[..., Any]]) -> Iterator[None]:
        """Replace what the blocks do, not the blocks: the model reads their attributes."""
        for index, block in enumerate(self._blocks):
            block.forward = make(index, block)
        try:
            yield
        finally:
            for block in self._blocks:
                del block.forward

    def _trace_block(self, index: int, state: BlockState) -> Piece:
        block = self._blocks[index]
        args, kwargs, _ = self._calls[index]
        for name, parameter in block.named_parameters():
            parameter.requires_grad_(name in state.trains)
            parameter.grad = None
        with self._running():
            args, kwargs = tree_map(_detached, (args, kwargs))
            hidden = _hidden(args, kwargs)
            hidden.requires_grad_(state.input_needs_gradient)

            def run() -> Any:
                if state.checkpointed:
                    settings: Any = {"use_reentrant": False, "preserve_rng_state": False}
                    return checkpoint(block, *args, **settings, **kwargs)
                return block(*args, **kwargs)

            meter = _Meter(self._parameters)
            with meter.forward():
                output = _first_tensor(run())
            if state.needs_backward:
                meter.backward(output, torch.ones_like(output))
        for parameter in block.parameters():
            parameter.grad = None
        if state.checkpointed:
            # Held by the function that runs the block again, not by autograd's hooks.
            meter.sizes[_key(hidden)] = hidden.untyped_storage().nbytes()
        return meter.piece(hidden, _given_storages(args, kwargs), output)

    def _trace_rest(
        self, trains: frozenset[str], blocks_need_gradient: bool, head_loss: HeadLoss | None
    ) -> Piece:
        module, last = self._fake.module, len(self._blocks) - 1
        for name, parameter in module.named_parameters():
            parameter.requires_grad_(name in trains)
            parameter.grad = None

        def stand_in(index: int, block: nn.Module) -> Callable[..., Any]:
            def forward(*args: Any, **kwargs: Any) -> Any:
                hidden = _hidden(args, kwargs)
                if index == last and blocks_need_gradient and not hidden.requires_grad:
                    hidden = hidden.detach().requires_grad_()
                return _like_output(self._calls[index][2], hidden)

            return forward

        meter = _Meter(self._parameters)
        with self._stubs(stand_in), self._running():
            inputs = self._inputs()
            with meter.forward():
                loss = self._loss(inputs, head_loss)
            if loss.requires_grad:
                meter.backward(loss, None)
        for parameter in module.parameters():
            parameter.grad = None
        return meter.piece(None, frozenset(), loss)

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


class _Meter:
    """One forward and one backward pass under all counters."""

    def __init__(self, parameters: set[int]) -> None:
        self._saved = SavedBytes(parameters)
        self._live = LiveBytes()
        self._flops = [0, 0]
        self._peaks = [0, 0]
        self.sizes: dict[int, int] = {}

    @contextmanager
    def forward(self) -> Iterator[None]:
        counter = flop_counter()
        with ExitStack() as stack:
            stack.enter_context(counter)
            stack.enter_context(self._live)
            stack.enter_context(saved_tensors_hooks(self._saved.pack, lambda tensor: tensor))
            yield
        self._flops[0], self._peaks[0] = counter.get_total_flops(), self._live.peak
        self.sizes = {key: saved.nbytes() for key, saved in self._saved.storages.items()}
        # Held no longer, so that the backward pass can free them as it goes.
        self._saved.storages.clear()

    def backward(self, output: torch.Tensor, gradient: torch.Tensor | None) -> None:
        counter = flop_counter()
        self._live.restart_peak()
        with counter, self._live:
            torch.autograd.backward(output, gradient)
        self._flops[1], self._peaks[1] = counter.get_total_flops(), self._live.peak

    def piece(
        self, hidden: torch.Tensor | None, given: frozenset[int], output: torch.Tensor
    ) -> Piece:
        sizes = self.sizes
        return Piece(
            flops_forward=self._flops[0],
            flops_backward=self._flops[1],
            saved=sum(size for k, size in sizes.items() if k not in given),
            shared=frozenset((k, size) for k, size in sizes.items() if k in given),
            carried=0 if hidden is None else sizes.get(_key(hidden), 0),
            forward_peak=self._peaks[0],
            backward_peak=self._peaks[1],
            output=output.untyped_storage().nbytes(),
        )


def _signature(block: nn.Module) -> object:
    """Blocks with the same one cost the same: same classes, same shapes, in the same places."""
    classes = tuple((name, type(module).__name__) for name, module in block.named_modules())
    tensors = tuple((n, tuple(p.shape), p.dtype) for n, p in block.named_parameters())
    return classes, tensors


def _detached(value: Any) -> Any:
    return value.detach() if torch.is_tensor(value) else value


def _hidden(args: Any, kwargs: dict[str, Any]) -> torch.Tensor:
    return args[0] if args else kwargs["hidden_states"]


def _key(tensor: torch.Tensor) -> int:
    return tensor.untyped_storage()._cdata


def _first_tensor(value: Any) -> torch.Tensor:
    return next(leaf for leaf in tree_leaves(value) if torch.is_tensor(leaf))


def _like_output(output: Any, hidden: torch.Tensor) -> Any:
    return (hidden, *output[1:]) if isinstance(output, tuple) else hidden


def _given_storages(args: Any, kwargs: dict[str, Any]) -> frozenset[int]:
    """Storages of all arguments but the hidden state: masks and tables that blocks share."""
    hidden = _key(_hidden(args, kwargs))
    leaves = [leaf for leaf in tree_leaves((args, kwargs)) if torch.is_tensor(leaf)]
    return frozenset(_key(leaf) for leaf in leaves) - {hidden}
