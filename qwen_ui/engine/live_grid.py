"""The live grid: how far single steps move each cell of blocks x kinds, and its gradient's norm.

A picture is taken of a few steps of a run. The weights that train are copied before such a step,
`HELD_BYTES` at a time; where more trains, a picture is taken over as many consecutive steps as that
needs. Two limits hold however fast the steps are and however long the run: pictures take at most
`SHARE` of the time, and their events at most `MOST_BYTES` of the log. What is frozen is in no
picture: it moves by exactly 0.
"""

from __future__ import annotations

import math
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch.distributed.tensor import DTensor

from qwen_ui.engine.lora import adapted_weights
from qwen_ui.engine.optimizer import MasterAdamW
from qwen_ui.formats import index_ranges
from qwen_ui.freeze import Selection
from qwen_ui.model import Anatomy, group_label

PICTURES = 40  # of a run, at most
SHARE = 0.01  # of the time since training began
MOST_BYTES = 512 * 1024  # of a run's log
CELL_BYTES, ROW_BYTES = 40, 100  # of a cell in the log, and of the rest of an event, at most
HELD_BYTES = 256 * 1024**2

Cell = tuple[str, int | None]


class LiveGrid:
    """Takes the pictures of one run.

    Args:
        optimizer: of the run, before its first step.
        selection: what trains; says which cell a tensor belongs to.
        model: with adapters on it, where those train.
        steps: of the run.
        active: whether this process records events.
    """

    def __init__(
        self,
        optimizer: MasterAdamW,
        selection: Selection,
        model: torch.nn.Module,
        steps: int,
        *,
        active: bool = True,
    ) -> None:
        self._optimizer = optimizer
        self._cells = _cells(optimizer, selection, model)
        self._parts = _parts(optimizer.masters)
        pictures = min(PICTURES, MOST_BYTES // _size(set(self._cells.values())))
        # A shard of a tensor says nothing of the whole.
        sharded = any(isinstance(master, DTensor) for master in optimizer.masters.values())
        self._every = 0
        if active and pictures and not sharded:
            self._every = max(math.ceil(steps / pictures), len(self._parts))
        self._kinds: list[list[Any]] | None = _kinds(selection.anatomy)
        self._sums: dict[Cell, list[float]] = {}
        self._part = 0
        self._done: dict[str, Any] | None = None
        self._spent, self._began = 0.0, time.perf_counter()

    @contextmanager
    def watching(self, step: int) -> Iterator[None]:
        """Around the optimizer's step with this number, when the gradients are there."""
        if not self._is_due(step):
            yield
            return
        begin = time.perf_counter()
        before = self._before()
        self._spent += time.perf_counter() - begin
        yield
        begin = time.perf_counter()
        self._after(step, *before)
        self._spent += time.perf_counter() - begin

    def take(self) -> dict[str, Any] | None:
        """The picture that was completed since this was last asked, as an event's fields.

        `rows` are [label of the kind, [[block, ratio, gradient norm], ...]] of what trains; the
        block is null outside the blocks. The ratio is the norm of what the step changed over the
        norm of what was there, and both are of all tensors of a cell together. The first picture
        has the grid's `kinds`, too: [label, role, blocks that have it ("0-27")], those outside the
        blocks with "".
        """
        done, self._done = self._done, None
        return done

    def _is_due(self, step: int) -> bool:
        if not self._every:
            return False
        if self._part:
            return True  # of a picture that is begun
        due = step == 1 or step % self._every == 0
        return due and self._spent <= SHARE * (time.perf_counter() - self._began)

    @torch.no_grad()
    def _before(self) -> tuple[list[str], list[torch.Tensor], list[torch.Tensor]]:
        """Names of this part, copies of their weights, norms of their gradients."""
        gradients = self._optimizer.gradients()
        # A tensor that is used in no batch has no gradient, and is not stepped.
        part = {name: gradients[name] for name in self._parts[self._part]}
        names = [name for name, gradient in part.items() if gradient is not None]
        copies = [_few(self._optimizer.masters[name]).clone() for name in names]
        found = [gradient for gradient in part.values() if gradient is not None]
        norms = list(torch._foreach_norm(found, 2, dtype=torch.float32)) if found else []
        return names, copies, norms

    @torch.no_grad()
    def _after(
        self, step: int, names: list[str], copies: list[torch.Tensor], norms: list[torch.Tensor]
    ) -> None:
        if names:
            was = torch._foreach_norm(copies, 2)
            torch._foreach_sub_(copies, [_few(self._optimizer.masters[name]) for name in names])
            moved = torch._foreach_norm(copies, 2)
            # Asked once: a GPU answers each question only after all that it was told before.
            device = copies[0].device
            columns = [[norm.to(device) for norm in norms], list(moved), list(was)]
            numbers = torch.stack([torch.stack(column) for column in columns])
            for name, values in zip(names, numbers.T.tolist(), strict=True):
                sums = self._sums.setdefault(self._cells[name], [0.0, 0.0, 0.0])
                for place, value in enumerate(values):
                    sums[place] += value * value
        self._part += 1
        if self._part == len(self._parts):
            self._done = {"step": step, "rows": _rows(self._sums)}
            if self._kinds is not None:
                self._done["kinds"], self._kinds = self._kinds, None
            self._sums, self._part = {}, 0


def _cells(optimizer: MasterAdamW, selection: Selection, model: torch.nn.Module) -> dict[str, Cell]:
    """The cell of each trained tensor; adapters are in their weight's."""
    by_name = selection.anatomy.by_name
    places = adapted_weights(model) if any(n not in by_name for n in optimizer.masters) else {}
    found: dict[str, Cell] = {}
    for name in optimizer.masters:
        parameter = by_name[name if name in by_name else places[name.partition(".lora_")[0]]]
        found[name] = group_label(parameter), parameter.block
    return found


def _kinds(anatomy: Anatomy) -> list[list[Any]]:
    """The columns of the grid, in tree order, and the blocks that have each."""
    blocks: dict[tuple[str, str], list[int]] = {}
    for parameter in anatomy.parameters:
        held = blocks.setdefault((group_label(parameter), str(parameter.role)), [])
        if parameter.block is not None:
            held.append(parameter.block)
    return [[*place, index_ranges(sorted(set(held)))] for place, held in blocks.items()]


def _size(cells: set[Cell]) -> int:
    """Bytes of a picture in the log, at most."""
    labels = {label for label, _ in cells}
    return ROW_BYTES + sum(len(label) + 10 for label in labels) + CELL_BYTES * len(cells)


def _parts(masters: dict[str, torch.nn.Parameter]) -> list[list[str]]:
    """Names in groups whose copies fit into `HELD_BYTES`."""
    parts, size = [list[str]()], 0
    for name, master in masters.items():
        needed = min(4 * master.numel(), HELD_BYTES)
        if parts[-1] and size + needed > HELD_BYTES:
            parts.append([])
            size = 0
        parts[-1].append(name)
        size += needed
    return parts


def _few(tensor: torch.Tensor) -> torch.Tensor:
    """The tensor; of one beyond `HELD_BYTES` evenly spaced elements, from which its ratio is
    estimated."""
    flat = tensor.detach().flatten()
    return flat[:: max(1, math.ceil(4 * flat.numel() / HELD_BYTES))]


def _rows(sums: dict[Cell, list[float]]) -> list[list[Any]]:
    rows: dict[str, list[list[Any]]] = {}
    for (label, block), (gradient, moved, was) in sums.items():
        ratio = math.sqrt(moved / was) if was else None
        rows.setdefault(label, []).append([block, _short(ratio), _short(math.sqrt(gradient))])
    return [[label, cells] for label, cells in rows.items()]


def _short(value: float | None) -> float | None:
    """Six digits are enough for a shade, and half of what JSON would write."""
    return None if value is None or not math.isfinite(value) else float(f"{value:.6g}")
