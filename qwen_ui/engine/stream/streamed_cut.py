"""A model whose frozen blocks have weights only while they run, one block at a time.

The model's own forward makes masks, positions and rotary angles for a single block as it does for
all: pass-through blocks stand in for the others, and the one before hands out what was stored. The
file is longer than others because a cut of the model must be put back by whoever made it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any

import torch
from torch import nn

from qwen_ui.engine.prefix_cut import CutError, block_list
from qwen_ui.engine.stream.foreseen import Foreseen, Reference
from qwen_ui.engine.stream.passengers import Carried, Influence, Passenger
from qwen_ui.engine.stream.read_ahead import ReadAhead
from qwen_ui.engine.stream.seats import AbsentBlock, AbsentEmbedding, Seat, seats_of
from qwen_ui.model import Anatomy
from qwen_ui.model.weights import PiecewiseModel


class StreamedCut:
    """The `Cut` of a model whose first `depth` blocks are never in memory together.

    All other weights are read here, once.

    Args:
        pieces: the model, of which nothing is read yet.
        anatomy: of the model.
        depth: number of blocks of the prefix, at least 1.
        entry: names of the input embedding's tensors, where it is here only while the first block
            is; none where it stays.
        threaded: whether a thread reads the next block while one runs; see `ReadAhead`.

    Attributes:
        blocks: all blocks, in their order; those of the prefix without weights.
        embedding: the model's input embedding.
        holds_prefix: False.
        runs_whole: whether forward passes run the frozen blocks now.
        block_bytes: bytes of each block of the prefix in memory; of the first one with the
            embedding that comes and goes with it.
    """

    def __init__(
        self,
        pieces: PiecewiseModel,
        anatomy: Anatomy,
        depth: int,
        entry: tuple[str, ...] = (),
        *,
        threaded: bool = False,
    ) -> None:
        self.depth, self.holds_prefix = depth, False
        self._pieces, self._body = pieces, pieces.model.base_model
        modules = block_list(pieces.model, anatomy)
        self.blocks = list(modules)
        self.embedding: nn.Module = pieces.model.get_input_embeddings()
        self._names = [pieces.inside(f"{anatomy.stack}.{index}") for index in range(depth)]
        self._entry = entry
        self._names[0] += entry
        below = {name for names in self._names for name in names}
        pieces.load(name for name in pieces.names if name not in below)
        self.block_bytes = [pieces.bytes(names) for names in self._names]
        self._reader = ReadAhead(pieces, self._names, threaded=threaded)
        self._stand_ins = [AbsentBlock(block) for block in self.blocks]
        places: Any = modules._modules
        self._seats = [
            [Seat(places, str(index), block, self._stand_ins[index])]
            for index, block in enumerate(self.blocks)
        ]
        if entry:
            absent = AbsentEmbedding(self.embedding)
            self._seats[0] += seats_of(pieces.model, self.embedding, absent)
        self.runs_whole = self._riding = False
        self._foreseen = Foreseen()
        for seat in self._seats_of(range(depth)):
            seat.put(seat.stand_in)

    def hold_embedding(self) -> bool:
        """Keep the input embedding in memory from here on; whether it was not there."""
        if not self._entry:
            return False
        for seat in self._seats[0][1:]:
            seat.put(seat.module)
        del self._seats[0][1:]
        self._pieces.load(self._entry)
        held = set(self._entry)
        self._entry = ()
        self._names[0] = tuple(name for name in self._names[0] if name not in held)
        self.block_bytes[0] = self._pieces.bytes(self._names[0])
        return True

    def stream(self, passengers: Sequence[Passenger], first: int = 0) -> None:
        """Read the frozen blocks one after the other, and take all passengers through each.

        Args:
            first: the block to begin with.
        """
        try:
            for index in range(first, self.depth):
                if any(passenger.wants(index) for passenger in passengers):
                    with self._in_place([index]), self._reader.here(index):
                        self._take_through(index, passengers)
        finally:
            self._reader.stop()

    def _take_through(self, index: int, passengers: Iterable[Passenger]) -> None:
        for passenger in passengers:
            if passenger.wants(index):
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
        known = self._foreseen.output(inputs, training=training)
        if known is not None:
            return known
        carried = Carried(inputs, training=training)
        self.stream([carried])
        return carried.output

    def influence(self, inputs: dict[str, Any], states: slice) -> torch.Tensor | None:
        """Whether any frozen block lets these positions look at each token (B, T).

        Reads all frozen blocks, unless this was foreseen. None where one cannot be asked.
        """
        asked = self._foreseen.influence(inputs, states)
        if asked is None:
            asked = Influence(inputs, states)
            self.stream([asked])
        return asked.depends_BT

    def reference(
        self, inputs: dict[str, Any], run: Callable[[], torch.Tensor]
    ) -> tuple[torch.Tensor, Counter[int]]:
        """What `run` gives where the model's forward runs every block by itself.

        Exact whatever the blocks hand to each other, and slow: it reads all frozen blocks, each
        when it comes, unless it was foreseen.

        Returns:
            That, and how often each block ran.
        """
        found = self._foreseen.reference(inputs)
        if found is None:
            found, _ = self._run_whole(inputs, run, ())
        return found.result

    def foresee(
        self,
        runs: Iterable[tuple[dict[str, Any], bool]],
        influences: Sequence[Influence],
        whole: tuple[dict[str, Any], Callable[[], torch.Tensor]],
    ) -> None:
        """Answer what will be asked about a few tokens, reading the frozen blocks once for all.

        Args:
            runs: arguments of the model's forward, and whether it is in training mode.
            influences: asked for by `influence`.
            whole: asked for by `reference`.
        """
        carried = [Carried(inputs, training=training) for inputs, training in runs]
        passengers: list[Passenger] = [*carried, *influences]
        found, through = self._run_whole(*whole, passengers)
        self.stream(passengers, through)
        self._foreseen.add(carried, influences, found)

    def forget(self) -> None:
        """Let go of what was foreseen."""
        self._foreseen = Foreseen()

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

    def _run_whole(
        self,
        inputs: dict[str, Any],
        run: Callable[[], torch.Tensor],
        passengers: Sequence[Passenger],
    ) -> tuple[Reference, int]:
        """Run the model with each frozen block read when it comes; these go through it first.

        Returns:
            What came out, or what was raised; the number of blocks that they are through.
        """
        here, runs, through = ExitStack(), Counter[int](), 0

        def enter(index: int) -> None:
            nonlocal through
            if self._riding:
                return
            self.blocks[index].train(self._body.training)
            here.enter_context(self._reader.here(index))
            if index == through and runs[index] == 0:
                self._riding = True
                try:
                    self._take_through(index, passengers)
                finally:
                    self._riding = False
                through += 1

        def leave(index: int) -> None:
            if not self._riding:
                runs[index] += 1
                here.close()

        def look_up(*_: Any) -> None:
            if not self._riding:
                here.enter_context(self._pieces.here(self._names[0]))

        handles = [self.embedding.register_forward_pre_hook(look_up)] if self._entry else []
        for index, block in enumerate(self.blocks):
            if index < self.depth:
                handles.append(block.register_forward_pre_hook(lambda *_, i=index: enter(i)))
            handles.append(block.register_forward_hook(lambda *_, i=index: leave(i)))
        self.runs_whole = True
        try:
            with self._in_place(range(self.depth)):
                return Reference(inputs, run(), runs), through
        except (MemoryError, torch.OutOfMemoryError):
            raise
        except Exception as error:
            # The model's own code may raise anything; told to whoever asks for its states.
            return Reference(inputs, error, runs), through
        finally:
            self.runs_whole = False
            here.close()
            self._reader.stop()
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

    def _seats_of(self, indexes: Iterable[int]) -> list[Seat]:
        return [seat for index in indexes for seat in self._seats[index]]

    @contextmanager
    def _passing(
        self, indexes: Iterable[int], giver: int, hidden_BTH: torch.Tensor | None
    ) -> Iterator[None]:
        """Inside, stand-ins are in these places, and one of them hands out this tensor."""
        standing = list(indexes)
        for index in standing:
            self._stand_ins[index].open, self._stand_ins[index].calls = True, 0
        seats = self._seats_of(standing)
        before = [seat.put(seat.stand_in) for seat in seats]
        if giver >= 0:
            self._stand_ins[giver].output = hidden_BTH
        try:
            yield
        finally:
            for index in standing:
                self._stand_ins[index].open, self._stand_ins[index].output = False, None
            for seat, module in zip(seats, before, strict=True):
                seat.put(module)

    @contextmanager
    def _in_place(self, indexes: Iterable[int]) -> Iterator[None]:
        """Inside, these blocks of the prefix are in their places, in the mode of the model."""
        seats = self._seats_of(indexes)
        for seat in seats:
            seat.module.train(self._body.training)
            seat.put(seat.module)
        try:
            yield
        finally:
            for seat in seats:
                seat.put(seat.stand_in)
