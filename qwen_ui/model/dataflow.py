"""How the parts of a block are wired: which reads the residual stream, which reads which part.

Found by a fake step through the block. Every tensor that the block itself handles (outside its
parts) is known by what it was made from: the stream, or the output of parts. A part that is handed
what another put out is wired to it; a sum with the stream is the way back to it; a part that reads
the stream and whose output is what later sums start from (the norms of BART) stands in the stream.
Nothing is assumed from names, so parallel attention, norms behind a part and blocks without a norm
before the MLP come out as they are.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import nn
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.utils._python_dispatch import TorchDispatchMode

from qwen_ui.model.anatomy import Anatomy
from qwen_ui.model.skeleton import build_skeleton, step_inputs

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Part:
    """A module right below a block.

    Attributes:
        name: inside the block (`self_attn`).
        reads: the parts whose output it is handed; empty where it reads the residual stream.
        added: whether what it puts out is added to the stream.
        in_stream: whether what it puts out is the stream from there on.
    """

    name: str
    reads: tuple[str, ...]
    added: bool = False
    in_stream: bool = False


@dataclass(frozen=True, slots=True)
class Wiring:
    """The parts of a block in the order in which they run.

    Attributes:
        parts: in order; in the order of definition where `traced` is false.
        traced: whether a step could be run without weights.
    """

    parts: tuple[Part, ...]
    traced: bool

    @property
    def branches(self) -> tuple[tuple[Part, ...], ...]:
        """Parts that hang together: each branch leaves the stream once and comes back to it."""
        found: list[list[Part]] = []
        for part in self.parts:
            home = next((b for b in found if any(p.name in part.reads for p in b)), None)
            if home is None:
                found.append([part])
            else:
                home.append(part)
        return tuple(tuple(branch) for branch in found)


class _Enough(Exception):
    """Raised when the block has run: what comes behind it is of no interest."""


def trace_block(anatomy: Anatomy, index: int) -> Wiring:
    """The wiring of one block.

    Raises:
        ModelError: the model cannot be built again.
    """
    mode = FakeTensorMode()
    model = build_skeleton(anatomy.configuration, dtype=torch.bfloat16, mode=mode)
    model.eval()  # dropout would hand on another tensor
    block = model.get_submodule(anatomy.blocks[index].name)
    recorder = _Recorder(block)
    try:
        with mode, torch.no_grad(), recorder:
            model(**step_inputs(model), use_cache=False)
    except _Enough:
        return Wiring(recorder.wired(), traced=bool(recorder.parts))
    except Exception:
        # Models that need images, or kernels that know no fake tensors: the names still stand.
        _log.info(
            "no fake step of %s; its block is drawn unwired", anatomy.model_type, exc_info=True
        )
    return Wiring(tuple(Part(name, ()) for name, _ in _parts_of(block)), traced=False)


def _parts_of(block: nn.Module, prefix: str = "") -> Iterator[tuple[str, nn.Module]]:
    """The modules right below a block; a list is not called itself, its members are."""
    for name, child in block.named_children():
        if isinstance(child, nn.ModuleList):
            yield from _parts_of(child, f"{prefix}{name}.")
        elif not isinstance(child, nn.Dropout):  # hands on what it is handed
            yield prefix + name, child


_STREAM = ""  # the source of what is the stream itself
_Sources = frozenset[str]


class _Recorder(TorchDispatchMode):
    """Notes what each tensor was made from, while the block runs and none of its parts does."""

    def __init__(self, block: nn.Module) -> None:
        super().__init__()
        self.parts: list[Part] = []
        self.added: set[str] = set()
        self.in_stream: set[str] = set()
        self.watching = False
        self.sources: dict[int, _Sources] = {}
        self.alive: list[torch.Tensor] = []  # an id is unique only while its tensor lives
        block.register_forward_pre_hook(self._enter, with_kwargs=True)
        block.register_forward_hook(self._leave)
        for name, child in _parts_of(block):
            child.register_forward_pre_hook(self._before(name), with_kwargs=True)
            child.register_forward_hook(self._after(name))

    def wired(self) -> tuple[Part, ...]:
        """The parts; who reads a part that stands in the stream reads the stream."""
        return tuple(
            replace(
                part,
                reads=tuple(name for name in part.reads if name not in self.in_stream),
                added=part.name in self.added,
                in_stream=part.name in self.in_stream,
            )
            for part in self.parts
        )

    def _enter(self, _: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        hidden = next(
            (t for t in _tensors((*args, *kwargs.values())) if t.is_floating_point()), None
        )
        if hidden is not None:
            self._know(hidden, frozenset([_STREAM]))
        self.watching = True

    def _leave(self, _: nn.Module, args: Any, output: Any) -> None:
        made = next(iter(_tensors((output,))), None)
        sources = self._of(made) if made is not None else frozenset()
        if sources and _STREAM not in sources:  # the sums are inside a part (BERT)
            self.in_stream |= sources - self.added
        raise _Enough

    def _before(self, name: str) -> Any:
        def hook(_: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
            self.watching = False
            handed = _tensors((*args, *kwargs.values()))
            reads = dict.fromkeys(s for t in handed for s in sorted(self._of(t)) if s != _STREAM)
            reads.pop(name, None)
            if name not in {part.name for part in self.parts}:
                self.parts.append(Part(name, tuple(reads)))

        return hook

    def _after(self, name: str) -> Any:
        def hook(_: nn.Module, args: Any, output: Any) -> None:
            for tensor in _tensors((output,)):
                self._know(tensor, frozenset([name]))
            self.watching = True

        return hook

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        output = func(*args, **(kwargs or {}))
        if self.watching:
            inputs = [found for t in _tensors(args) if (found := self._of(t))]
            made = self._sum(inputs) if "add" in func.__name__ else frozenset().union(*inputs)
            for tensor in _tensors((output,)) if made else ():
                self._know(tensor, made)
        return output

    def _sum(self, inputs: list[_Sources]) -> _Sources:
        """What a sum is: the stream again, where it starts from the stream."""
        everything = frozenset().union(*inputs)
        if len(inputs) < 2:
            return everything
        if _STREAM in everything:
            self.added |= everything - {_STREAM}
            return frozenset([_STREAM])
        for base in inputs:
            others = everything - base
            if others and all(base <= self._behind(other) for other in others):
                self.in_stream |= base
                self.added |= others
                return frozenset([_STREAM])
        return everything

    def _behind(self, name: str) -> _Sources:
        """All parts that a part reads, those that they read included."""
        reads = {part.name: part.reads for part in self.parts}
        found: set[str] = set()
        todo = list(reads.get(name, ()))
        while todo:
            part = todo.pop()
            if part not in found:
                found.add(part)
                todo += reads.get(part, ())
        return frozenset(found)

    def _know(self, tensor: torch.Tensor, sources: _Sources) -> None:
        self.alive.append(tensor)
        self.sources[id(tensor)] = sources

    def _of(self, tensor: torch.Tensor) -> _Sources:
        return self.sources.get(id(tensor), frozenset())


def _tensors(values: Iterable[Any]) -> list[torch.Tensor]:
    found: list[torch.Tensor] = []
    for value in values:
        if isinstance(value, torch.Tensor):
            found.append(value)
        elif isinstance(value, (tuple, list)):
            found += _tensors(value)
    return found
