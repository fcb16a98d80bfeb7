"""How data flows through a block: which parts read the residual stream, which read another part.

Found by a fake step through the block. For every tensor that the block itself computes (outside its
parts) we know what it was made from: the stream, or the output of parts. A part reads another where
it is given a tensor made from that part's output. A sum with the stream is the stream again, and
what was added is a residual branch. A part that reads the stream, and whose output is what later
sums start from (the norms of BART), is part of the stream itself. Nothing is assumed from names, so
parallel attention, norms after a part and blocks without a norm before the MLP come out as they
are.
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
        reads: the parts whose output it is given; empty where it reads the residual stream.
        added: whether its output is added to the stream.
        in_stream: whether its output is the stream from there on.
        first: the modules inside, by their paths from here, that are given what the part is given
            (`q_proj`, `k_proj` and `v_proj`, not `o_proj`); the others work on what these made.
    """

    name: str
    reads: tuple[str, ...]
    added: bool = False
    in_stream: bool = False
    first: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Dataflow:
    """The parts of a block in the order in which they run.

    Attributes:
        parts: in order; in the order of definition where `traced` is false.
        traced: whether a step could be run without weights.
    """

    parts: tuple[Part, ...]
    traced: bool

    @property
    def branches(self) -> tuple[tuple[Part, ...], ...]:
        """Connected parts: each branch leaves the stream once and comes back to it."""
        found: list[list[Part]] = []
        for part in self.parts:
            home = next((b for b in found if any(p.name in part.reads for p in b)), None)
            if home is None:
                found.append([part])
            else:
                home.append(part)
        return tuple(tuple(branch) for branch in found)


class _BlockDone(Exception):
    """Raised when the block has run: the rest of the model need not."""


def trace_block(anatomy: Anatomy, index: int) -> Dataflow:
    """The dataflow of one block.

    Raises:
        ModelError: the model cannot be built again.
    """
    mode = FakeTensorMode()
    model = build_skeleton(anatomy.configuration, dtype=torch.bfloat16, mode=mode)
    model.eval()  # dropout would return another tensor
    block = model.get_submodule(anatomy.blocks[index].name)
    recorder = _Recorder(block)
    try:
        with mode, torch.no_grad(), recorder:
            model(**step_inputs(model), use_cache=False)
    except _BlockDone:
        return Dataflow(recorder.traced_parts(), traced=bool(recorder.parts))
    except Exception:
        # Models that need images, or kernels that know no fake tensors: the names still hold.
        _log.info(
            "no fake step of %s; its block is drawn without arrows",
            anatomy.model_type,
            exc_info=True,
        )
    return Dataflow(tuple(Part(name, ()) for name, _ in _parts_of(block)), traced=False)


def _parts_of(block: nn.Module, prefix: str = "") -> Iterator[tuple[str, nn.Module]]:
    """The modules right below a block; of a list, which is never called itself, the members."""
    for name, child in block.named_children():
        if isinstance(child, nn.ModuleList):
            yield from _parts_of(child, f"{prefix}{name}.")
        elif not isinstance(child, nn.Dropout):  # in evaluation it returns its input
            yield prefix + name, child


_STREAM = ""  # the source of what is the stream itself
_Sources = frozenset[str]


class _Recorder(TorchDispatchMode):
    """Records what each tensor was made from, while the block runs and none of its parts does."""

    def __init__(self, block: nn.Module) -> None:
        super().__init__()
        self.parts: list[Part] = []
        self.added: set[str] = set()
        self.in_stream: set[str] = set()
        self.recording = False
        self.sources: dict[int, _Sources] = {}
        self.held: list[torch.Tensor] = []  # an id is unique only while its tensor exists
        self.first: dict[str, set[str]] = {}  # by part
        self.given: set[int] = set()  # memory of what the part that runs was given
        block.register_forward_pre_hook(self._enter, with_kwargs=True)
        block.register_forward_hook(self._leave)
        for name, child in _parts_of(block):
            child.register_forward_pre_hook(self._before(name), with_kwargs=True)
            child.register_forward_hook(self._after(name))
            for path, module in child.named_modules():
                if path:
                    module.register_forward_pre_hook(self._inside(name, path), with_kwargs=True)

    def traced_parts(self) -> tuple[Part, ...]:
        """The parts; what reads a part that is in the stream reads the stream."""
        return tuple(
            replace(
                part,
                reads=tuple(name for name in part.reads if name not in self.in_stream),
                added=part.name in self.added,
                in_stream=part.name in self.in_stream,
                first=frozenset(self.first.get(part.name, ())),
            )
            for part in self.parts
        )

    def _enter(self, _: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        hidden = next(
            (t for t in _tensors((*args, *kwargs.values())) if t.is_floating_point()), None
        )
        if hidden is not None:
            self._set_sources(hidden, frozenset([_STREAM]))
        self.recording = True

    def _leave(self, _: nn.Module, args: Any, output: Any) -> None:
        made = next(iter(_tensors((output,))), None)
        sources = self._sources_of(made) if made is not None else frozenset()
        if sources and _STREAM not in sources:  # the sums are inside a part (BERT)
            self.in_stream |= sources - self.added
        raise _BlockDone

    def _before(self, name: str) -> Any:
        def hook(_: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
            self.recording = False
            given = _tensors((*args, *kwargs.values()))
            self.given = {_memory(t) for t in given[:1]}
            sources = (s for t in given for s in sorted(self._sources_of(t)) if s != _STREAM)
            reads = dict.fromkeys(sources)
            reads.pop(name, None)
            if name not in {part.name for part in self.parts}:
                self.parts.append(Part(name, tuple(reads)))

        return hook

    def _inside(self, part: str, path: str) -> Any:
        def hook(_: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
            if any(_memory(t) in self.given for t in _tensors((*args, *kwargs.values()))):
                self.first.setdefault(part, set()).add(path)

        return hook

    def _after(self, name: str) -> Any:
        def hook(_: nn.Module, args: Any, output: Any) -> None:
            for tensor in _tensors((output,)):
                self._set_sources(tensor, frozenset([name]))
            self.recording = True

        return hook

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        output = func(*args, **(kwargs or {}))
        if self.recording:
            inputs = [found for t in _tensors(args) if (found := self._sources_of(t))]
            made = self._sum(inputs) if "add" in func.__name__ else frozenset().union(*inputs)
            for tensor in _tensors((output,)) if made else ():
                self._set_sources(tensor, made)
        return output

    def _sum(self, inputs: list[_Sources]) -> _Sources:
        """Sources of a sum: the stream again, where it starts from the stream."""
        everything = frozenset().union(*inputs)
        if len(inputs) < 2:
            return everything
        if _STREAM in everything:
            self.added |= everything - {_STREAM}
            return frozenset([_STREAM])
        for base in inputs:
            others = everything - base
            if others and all(base <= self._upstream(other) for other in others):
                self.in_stream |= base
                self.added |= others
                return frozenset([_STREAM])
        return everything

    def _upstream(self, name: str) -> _Sources:
        """All parts that a part reads, directly or through others."""
        reads = {part.name: part.reads for part in self.parts}
        found: set[str] = set()
        todo = list(reads.get(name, ()))
        while todo:
            part = todo.pop()
            if part not in found:
                found.add(part)
                todo += reads.get(part, ())
        return frozenset(found)

    def _set_sources(self, tensor: torch.Tensor, sources: _Sources) -> None:
        self.held.append(tensor)
        self.sources[id(tensor)] = sources

    def _sources_of(self, tensor: torch.Tensor) -> _Sources:
        return self.sources.get(id(tensor), frozenset())


def _memory(tensor: torch.Tensor) -> int:
    """What tells a tensor's memory from others': its views share it."""
    return int(tensor.untyped_storage()._cdata)


def _tensors(values: Iterable[Any]) -> list[torch.Tensor]:
    found: list[torch.Tensor] = []
    for value in values:
        if isinstance(value, torch.Tensor):
            found.append(value)
        elif isinstance(value, (tuple, list)):
            found += _tensors(value)
    return found
