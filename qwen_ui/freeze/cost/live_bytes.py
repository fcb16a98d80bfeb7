"""Counters of FLOPs, saved activations, live and peak bytes, while a computation runs.

They work on fake tensors as on real ones. FLOPs are those of
`torch.utils.flop_counter.FlopCounterMode` (two per multiply-add; matrix products, convolutions and
attention). Bytes are counted by storage, so that views and tensors saved twice count once.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import nn
from torch.multiprocessing.reductions import StorageWeakRef
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves
from torch.utils.flop_counter import FlopCounterMode


class LiveBytes(TorchDispatchMode):
    """Bytes of the storages that operations allocate, until they are freed.

    Attributes:
        levels: bytes allocated at once, at the start (or at `restart`) and after each operation
            that allocates.
        operations: their names, in the same order without the start.
    """

    def __init__(self) -> None:
        super().__init__()
        self.levels = [0]
        self.operations: list[str] = []
        self._alive: dict[int, tuple[StorageWeakRef, int]] = {}

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        given = {storage_key(leaf) for leaf in tree_leaves((args, kwargs)) if torch.is_tensor(leaf)}
        out = func(*args, **(kwargs or {}))
        made = [leaf for leaf in tree_leaves(out) if torch.is_tensor(leaf)]
        made = [leaf for leaf in made if storage_key(leaf) not in given]
        if made:
            self._sweep()
            for leaf in made:
                storage = leaf.untyped_storage()
                self._alive[storage_key(leaf)] = StorageWeakRef(storage), storage.nbytes()
            self.levels.append(sum(size for _, size in self._alive.values()))
            self.operations.append(str(func))
        return out

    def _sweep(self) -> None:
        """Forget freed storages: nothing is called when one goes, so the references are asked."""
        self._alive = {k: (ref, n) for k, (ref, n) in self._alive.items() if not ref.expired()}

    @property
    def live(self) -> int:
        """Bytes alive now."""
        self._sweep()
        return sum(size for _, size in self._alive.values())

    @property
    def peak(self) -> int:
        """The most bytes allocated at once."""
        return max(self.levels)

    def restart(self) -> None:
        """Begin again to take down levels and operations."""
        self.levels, self.operations = [self.live], []


def storage_key(tensor: torch.Tensor) -> int:
    """Identifies the storage of a tensor, while it exists."""
    return tensor.untyped_storage()._cdata


def resident_storages(module: nn.Module) -> set[int]:
    """Storages of a module's parameters and buffers: they exist whether autograd saves them or not.

    OpenAI's GPT and GPT-Neo multiply by a mask that they hold as a buffer.
    """
    tensors = [*module.parameters(), *module.buffers()]
    return {storage_key(tensor) for tensor in tensors}


class SavedBytes:
    """Storages that autograd keeps for the backward pass, but those of the module itself."""

    def __init__(self, module: nn.Module) -> None:
        self._resident = resident_storages(module)
        # The storages are held so that no other gets the address of one that was freed.
        self.storages: dict[int, torch.UntypedStorage] = {}

    def pack(self, tensor: torch.Tensor) -> torch.Tensor:
        storage = tensor.untyped_storage()
        if storage._cdata not in self._resident:
            self.storages[storage._cdata] = storage
        return tensor

    @property
    def total(self) -> int:
        return sum(storage.nbytes() for storage in self.storages.values())


def flop_counter() -> FlopCounterMode:
    """torch's counter without output, for grouped products (experts) and in-place products too."""
    known = {torch.ops.aten._grouped_mm: _grouped_mm, torch.ops.aten.addmm_: _addmm}
    return FlopCounterMode(display=False, custom_mapping=known)


def _grouped_mm(a: Sequence[int], b: Sequence[int], *_: Any, **__: Any) -> int:
    """Rows are spread over the experts, so their number is that of the product without groups.

    Forward and input gradient: (rows, inner) x (experts, inner, outer). Weight gradient:
    (inner, rows) x (rows, outer).
    """
    return 2 * a[-2] * a[-1] * b[-1]


def _addmm(total: Sequence[int], a: Sequence[int], b: Sequence[int], *_: Any, **__: Any) -> int:
    """(rows, columns) += (rows, inner) x (inner, columns)."""
    return 2 * a[0] * a[1] * b[1]
