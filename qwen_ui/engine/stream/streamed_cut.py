"""A model whose frozen blocks have weights only while they run, one block at a time.

The model's own forward makes masks, positions and rotary angles for a single block as it does for
all: pass-through blocks stand in for the others, and the one before hands out what was stored. The
file is longer than others because a cut of the model must be put back by whoever made it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any

import torch
from torch import nn

from qwen_ui.engine.prefix_cut import CutError, PassThrough, block_list
from qwen_ui.engine.stream.passengers import Carried, Influence, Passenger
from qwen_ui.model import Anatomy
from qwen_ui.model.weights import PiecewiseModel


class _Absent(PassThrough):
    """Stands in for a block without weights, for good; open only while something else runs."""

    def __init__(self, block: nn.Module) -> None:
        super().__init__(block)
        self.open = False

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        assert self.open, "a frozen block runs whose weights are not in memory"
        return super().forward(*args, **kwargs)


class StreamedCut:
    """The `Cut` of a model whose first `depth` blocks are never in memory together.

    All other weights are read here, once.

    Args:
        pieces: the model, of which nothing is read yet.
        anatomy: of the model.
        depth: number of blocks of the prefix, at least 1.

    Attributes:
        blocks: all blocks, in their order; those of the prefix without weights.
        holds_prefix: False.
        runs_whole: whether forward passes run the frozen blocks now (within `whole`).
        block_bytes: bytes of each block of the prefix in memory.
    """

    def __init__(self, pieces: PiecewiseModel, anatomy: Anatomy, depth: int) -> None:
        self.depth, self.holds_prefix = depth, False
        self._pieces, self._body = pieces, pieces.model.base_model
        self._list = block_list(pieces.model, anatomy)
        self.blocks = list(self._list)
        self._names = [pieces.inside(f"{anatomy.stack}.{index}") for index in range(depth)]
        below = {name for names in self._names for name in names}
        pieces.load(name for name in pieces.names if name not in below)
        self.block_bytes = [pieces.bytes(names) for names in self._names]
        self._stand_ins = [_Absent(block) for block in self.blocks]
        self.runs_whole = False
        self._known: dict[tuple[Any, ...], list[torch.Tensor]] = {}
        self._influences: dict[tuple[Any, ...], torch.Tensor | None] = {}
        for index in range(depth):
            self._list._modules[str(index)] = self._stand_ins[index]

    def stream(self, passengers: Sequence[Passenger]) -> None:
        """Read the frozen blocks one after the other, and take all passengers through each."""
        for index in range(self.depth):
            aboard = [passenger for passenger in passengers if passenger.wants(index)]
            if not aboard:
                continue
            if index + 1 < self.depth:
                self._pieces.read_ahead(self._names[index + 1])
            with self._in_place([index]), self._pieces.here(self._names[index]):
                for passenger in aboard:
                    passenger.advance(index, self)

    def run_block(
        self, index: int, inputs: dict[str, Any], hidden_BTH: torch.Tensor | None
    ) -> torch.Tensor:
        """What a block of the prefix, whose weights are here, gives for a batch (B, T, H).

        Args:
            inputs: arguments of the model's forward.
            hidden_BTH: the output of the block before; None for the first one, which is given what
                the model's own forward gives it.

        Raises:
            CutError: a block does not run exactly once, or gives no vector for each token.
        """
        caught: list[torch.Tensor] = []

        def catch(_block: nn.Module, _given: Any, output: Any) -> None:
            length = len(output) if isinstance(output, tuple | list) else 0
            for stand_in in self._stand_ins[index:]:
                stand_in.length = length
            caught.append(output[0] if length else output)

        others = [number for number in range(len(self.blocks)) if number != index]
        handle = self.blocks[index].register_forward_hook(catch)
        try:
            with self._passing(others, index - 1, hidden_BTH):
                self._body(**inputs)
        finally:
            handle.remove()
        if len(caught) != 1:
            raise CutError(f"block {index} runs {len(caught)} times in a forward pass")
        for number in others:
            if (calls := self._stand_ins[number].calls) != 1:
                raise CutError(f"block {number} runs {calls} times in a forward pass")
        output, tokens_BT = caught[0], inputs["input_ids"]
        if output.dim() != 3 or output.shape[:2] != tokens_BT.shape:
            shape = " x ".join(map(str, output.shape))
            raise CutError(f"blocks hand on {shape} values for {tuple(tokens_BT.shape)} tokens")
        return output

    def run_prefix(self, inputs: dict[str, Any]) -> torch.Tensor:
        """The output of the last frozen block (B, T, H), without a graph.

        Reads all frozen blocks, unless these inputs were foreseen.

        Raises:
            CutError: as `run_block`.
        """
        training = self._body.training
        known = self._known.get(_key(inputs, training))
        if known:
            # In training each run is a new one: whether they are equal is what is asked.
            return known.pop() if training else known[0]
        carried = Carried(inputs, training=training)
        self.stream([carried])
        return carried.output

    def influence(self, inputs: dict[str, Any], states: slice) -> torch.Tensor | None:
        """Whether any frozen block lets these positions look at each token (B, T).

        Reads all frozen blocks, unless this was foreseen. None where one cannot be asked.
        """
        key = (_key(inputs, False), states.start, states.stop)
        if key not in self._influences:
            asked = Influence(inputs, states)
            self.stream([asked])
            return asked.depends_BT
        return self._influences[key]

    def foresee(
        self, runs: Iterable[tuple[dict[str, Any], bool]], influences: Iterable[Influence]
    ) -> None:
        """Answer what will be asked about a few tokens, reading the frozen blocks once for all.

        Args:
            runs: arguments of the model's forward, and whether it is in training mode.
            influences: asked for by `influence`.
        """
        carried = [Carried(inputs, training=training) for inputs, training in runs]
        asked = list(influences)
        self.stream([*carried, *asked])
        for one in (one for one in carried if one.error is None):
            self._known.setdefault(_key(one.inputs, one.training), []).append(one.output)
        for other in asked:
            key = (_key(other.inputs, False), other.states.start, other.states.stop)
            self._influences[key] = other.depends_BT

    def forget(self) -> None:
        """Let go of what was foreseen."""
        self._known.clear()
        self._influences.clear()

    @property
    def embedding(self) -> nn.Module:
        """The model's input embedding."""
        found: nn.Module = self._pieces.model.get_input_embeddings()
        return found

    @contextmanager
    def all_here(self) -> Iterator[None]:
        """Inside, all blocks are in memory and in their places."""
        with ExitStack() as here:
            here.enter_context(self._in_place(range(self.depth)))
            for names in self._names:
                here.enter_context(self._pieces.here(names))
            yield

    @contextmanager
    def suffix_only(self, prefix_BTH: torch.Tensor) -> Iterator[None]:
        """Inside, the model's forward begins after the prefix, from this output of the prefix."""
        with self._passing(range(self.depth), self.depth - 1, prefix_BTH):
            yield

    @contextmanager
    def whole(self) -> Iterator[None]:
        """Inside, the model's forward runs every block, reading each frozen one when it comes.

        Exact whatever the blocks hand to each other, and slow: every forward pass reads them all.
        """
        here = ExitStack()

        def read(index: int) -> None:
            self.blocks[index].train(self._body.training)
            here.enter_context(self._pieces.here(self._names[index]))

        handles = []
        for index in range(self.depth):
            block = self.blocks[index]
            handles += [
                block.register_forward_pre_hook(lambda *_, i=index: read(i)),
                block.register_forward_hook(lambda *_: here.close()),
            ]
        try:
            self.runs_whole = True
            with self._in_place(range(self.depth)):
                yield
        finally:
            self.runs_whole = False
            here.close()
            for handle in handles:
                handle.remove()

    @contextmanager
    def training(self, training: bool) -> Iterator[None]:
        """Inside, the model is in training mode, or in evaluation mode."""
        before = self._body.training
        self._body.train(training)
        try:
            yield
        finally:
            self._body.train(before)

    @contextmanager
    def _passing(
        self, indexes: Iterable[int], giver: int, hidden_BTH: torch.Tensor | None
    ) -> Iterator[None]:
        """Inside, stand-ins are in these places, and one of them hands out this tensor."""
        standing = list(indexes)
        modules = self._list._modules
        before = {index: modules[str(index)] for index in standing}
        for index in standing:
            self._stand_ins[index].open, self._stand_ins[index].calls = True, 0
            modules[str(index)] = self._stand_ins[index]
        if giver >= 0:
            self._stand_ins[giver].output = hidden_BTH
        try:
            yield
        finally:
            for index in standing:
                self._stand_ins[index].open, self._stand_ins[index].output = False, None
                modules[str(index)] = before[index]

    @contextmanager
    def _in_place(self, indexes: Iterable[int]) -> Iterator[None]:
        """Inside, these blocks of the prefix are in their places, in the mode of the model."""
        modules = self._list._modules
        for index in indexes:
            self.blocks[index].train(self._body.training)
            modules[str(index)] = self.blocks[index]
        try:
            yield
        finally:
            for index in indexes:
                modules[str(index)] = self._stand_ins[index]


def _key(inputs: dict[str, Any], training: bool) -> tuple[Any, ...]:
    """What a forward pass is known by: its mode, and its arguments' names and values."""
    values = (
        (name, tuple(value.shape), value.cpu().numpy().tobytes())
        if torch.is_tensor(value)
        else (name, value)
        for name, value in sorted(inputs.items())
    )
    return (training, *values)
