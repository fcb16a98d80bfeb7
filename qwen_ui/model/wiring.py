"""How the parts of a block are wired: which reads the residual stream, which reads which part.

Found by a fake step through the block: a part that is handed the very tensor that another put out
is wired to it; every other part reads the stream. What no other part reads goes back to the stream.
Nothing is assumed from names, so parallel attention, norms behind a part and blocks without a norm
before the MLP come out as they are.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn
from torch._subclasses.fake_tensor import FakeTensorMode

from qwen_ui.model.anatomy import Anatomy
from qwen_ui.model.skeleton import build_skeleton


@dataclass(frozen=True, slots=True)
class Part:
    """A module right below a block.

    Attributes:
        name: inside the block (`self_attn`).
        reads: the parts whose output it is handed; empty where it reads the residual stream.
    """

    name: str
    reads: tuple[str, ...]


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
    block = model.get_submodule(anatomy.blocks[index].name)
    recorder = _Recorder(block)
    try:
        with mode, torch.no_grad():
            tokens = torch.zeros((1, 8), dtype=torch.long)
            model(input_ids=tokens, attention_mask=torch.ones_like(tokens), use_cache=False)
    except _Enough:
        return Wiring(tuple(recorder.parts), traced=True)
    except Exception:
        # Models that need images, or kernels that know no fake tensors: the names still stand.
        return Wiring(tuple(Part(name, ()) for name, _ in block.named_children()), traced=False)
    return Wiring(tuple(recorder.parts), traced=bool(recorder.parts))


class _Recorder:
    """Hooks on a block's children that note who is handed whose output."""

    def __init__(self, block: nn.Module) -> None:
        self.parts: list[Part] = []
        self.made_by: dict[int, str] = {}
        self.alive: list[torch.Tensor] = []  # an id is unique only while its tensor lives
        for name, child in block.named_children():
            child.register_forward_pre_hook(self._before(name), with_kwargs=True)
            child.register_forward_hook(self._after(name))
        block.register_forward_hook(self._stop)

    def _before(self, name: str) -> Any:
        def hook(_: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
            handed = _tensors((*args, *kwargs.values()))
            reads = dict.fromkeys(self.made_by[id(t)] for t in handed if id(t) in self.made_by)
            reads.pop(name, None)
            if name not in {part.name for part in self.parts}:
                self.parts.append(Part(name, tuple(reads)))

        return hook

    def _after(self, name: str) -> Any:
        def hook(_: nn.Module, args: Any, output: Any) -> None:
            for tensor in _tensors((output,)):
                self.alive.append(tensor)
                self.made_by[id(tensor)] = name

        return hook

    def _stop(self, *_: Any) -> None:
        raise _Enough


def _tensors(values: Iterable[Any]) -> list[torch.Tensor]:
    found: list[torch.Tensor] = []
    for value in values:
        if isinstance(value, torch.Tensor):
            found.append(value)
        elif isinstance(value, (tuple, list)):
            found += _tensors(value)
    return found
