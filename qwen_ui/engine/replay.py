"""Work on a GPU that is recorded once for each shape of its inputs and replayed from then on.

A short step on a fast GPU is bound by the process that launches every kernel by itself (18
microseconds each on the machine of docs/gpu.md, 1,000 in a step); a CUDA graph is one launch.
Whatever cannot be recorded goes on as before, and says so.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

import torch

from qwen_ui.formats import rounded

# Times that a shape is seen before it is recorded: shapes that come once repay nothing.
BEFORE_RECORDING = 2
# Calls to come from which recording repays its 0.2 seconds, and from which the other way repays the
# seconds in which its kernels are compiled (docs/gpu.md).
REPAID, OTHER_REPAID = 40, 500
# Shapes that are recorded; each holds its inputs.
MOST_SHAPES = 8
# Another way is taken for what it saves, not for noise.
FASTER = 0.95

Tensors = dict[str, torch.Tensor]


class Recording(Protocol):
    """Work that was recorded; `replay` does it again on what its input tensors hold now."""

    output: torch.Tensor

    def replay(self) -> None: ...


Record = Callable[[Callable[[], torch.Tensor]], Recording]
# Tensors that say what work did, each with the largest difference, relative, that is rounding.
Evidence = list[tuple[torch.Tensor, float]]


@dataclass
class _Shape:
    """What is known of one shape of inputs."""

    seen: int = 0
    inputs: Tensors | None = None
    recording: Recording | None = None
    unrecorded: bool = False


class Replays:
    """A function of tensors, replayed where that is possible and faster.

    Args:
        work: the function.
        evidence: of its result, by which a replay is compared.
        name: of the work, plural, as the notes say it.
        record: how work is recorded.
        calls: how often it will be called, as far as that is known.
        other: the same function by kernels that cannot be recorded, with their name.

    Attributes:
        notes: what was found, in sentences; whoever tells them empties it.
    """

    def __init__(
        self,
        work: Callable[[Tensors], torch.Tensor],
        evidence: Callable[[torch.Tensor], Evidence],
        name: str,
        record: Record,
        calls: float = math.inf,
        other: tuple[str, Callable[[Tensors], torch.Tensor]] | None = None,
    ) -> None:
        self._work, self._evidence, self._name, self._record = work, evidence, name, record
        self._calls, self._other = calls, other
        self._shapes: dict[tuple[object, ...], _Shape] = {}
        self.possible = True
        self.notes: list[str] = []

    @property
    def recorded(self) -> int:
        """Number of shapes that are replayed."""
        return sum(shape.recording is not None for shape in self._shapes.values())

    def __call__(self, inputs: Tensors) -> torch.Tensor:
        """The function's value; a later call may overwrite it."""
        self._calls -= 1
        if not self.possible:
            return self._work(inputs)
        key = tuple((name, tuple(t.shape), t.dtype) for name, t in inputs.items())
        shape = self._shapes.setdefault(key, _Shape())
        if shape.recording is not None:
            assert shape.inputs is not None
            for name, tensor in inputs.items():
                shape.inputs[name].copy_(tensor)
            shape.recording.replay()
            return shape.recording.output
        if shape.unrecorded:
            assert self._other is not None
            return self._other[1](inputs)
        shape.seen += 1
        early = shape.seen <= BEFORE_RECORDING or self._calls < REPAID
        if early or self.recorded >= MOST_SHAPES:
            return self._work(inputs)
        return self._decided(shape, inputs)

    def _decided(self, shape: _Shape, inputs: Tensors) -> torch.Tensor:
        """Find the fastest way that gives the same for this shape, and keep it."""
        began = _now(inputs)
        expected = self._evidence(self._work(inputs))
        took = _now(inputs) - began
        held = {name: tensor.clone() for name, tensor in inputs.items()}
        recording, best, why = self._try_recording(held, expected, took)
        unrecorded = self._try_other(inputs, expected)
        if unrecorded < FASTER * best:
            assert self._other is not None
            shape.unrecorded, recording = True, None
            self._say(inputs, f"are computed {self._other[0]}", unrecorded, took)
        elif recording is not None:
            shape.inputs, shape.recording = held, recording
            self._say(inputs, "are replayed as a CUDA graph", best, took)
        else:
            self.possible = False
            self._shapes.clear()
            self.notes.append(f"{self._name} are not replayed as CUDA graphs: {why}.")
        if recording is None:
            return self._work(inputs)
        recording.replay()  # the other way may have left its own gradients
        return recording.output

    def _try_recording(
        self, held: Tensors, expected: Evidence, took: float
    ) -> tuple[Recording | None, float, str]:
        """A recording that gives the same and is faster, its seconds; why there is none."""
        try:
            recording = self._record(lambda: self._work(held))
            began = _now(held)
            recording.replay()
            replayed = _now(held) - began
        except torch.OutOfMemoryError:
            raise
        except (RuntimeError, NotImplementedError) as error:
            # The model's own code asks the device for a number, or does what no graph can hold.
            said = (str(error).strip().splitlines() or [type(error).__name__])[0][:160]
            return None, took, f"they cannot be recorded ({said})"
        if difference := _difference(self._evidence(recording.output), expected):
            return None, took, difference
        if replayed >= took:
            milliseconds = f"{replayed * 1e3:.1f} ms beside {took * 1e3:.1f}"
            return None, took, f"a replay is no faster ({milliseconds})"
        return recording, replayed, ""

    def _try_other(self, inputs: Tensors, expected: Evidence) -> float:
        """Seconds of the other way; infinity where there is none or it gives something else."""
        if self._other is None or self._calls < OTHER_REPAID:
            return math.inf
        try:
            self._other[1](inputs)  # its kernels are compiled
            began = _now(inputs)
            output = self._other[1](inputs)
            took = _now(inputs) - began
        except torch.OutOfMemoryError:
            raise
        except Exception as error:
            # A library of another version than was tried here; nobody asked for it.
            self.notes.append(f"{self._other[0]} failed: {type(error).__name__}: {error}"[:200])
            return math.inf
        return math.inf if _difference(self._evidence(output), expected) else took

    def _say(self, inputs: Tensors, how: str, best: float, took: float) -> None:
        self.notes.append(
            f"{self._name} of {_size(inputs)} {how} from here on: {best * 1e3:.1f} ms instead of "
            f"{took * 1e3:.1f}."
        )


def _difference(found: Evidence, expected: Evidence) -> str:
    """What differs by more than rounding, "" where nothing does."""
    for (one, most), (other, _) in zip(found, expected, strict=True):
        off = torch.linalg.vector_norm((one.float() - other.float()), dim=-1)
        norm = torch.linalg.vector_norm(other.float(), dim=-1)
        # Row by row: one that is wrong does not hide among thousands.
        share = float((off / norm.clamp_min(1e-20)).max())
        if not share <= most:
            return f"a replay differs by {rounded(share, 2)}"
    return ""


def _size(inputs: Tensors) -> str:
    return " x ".join(map(str, inputs["tokens"].shape))


def _now(inputs: Tensors) -> float:
    if inputs["tokens"].is_cuda:
        torch.cuda.synchronize()
    return time.perf_counter()


class CudaRecorder:
    """Records work as CUDA graphs, which share their memory: they are replayed one at a time."""

    def __init__(self) -> None:
        self._pool: Any = None

    def __call__(self, work: Callable[[], torch.Tensor]) -> Recording:
        if self._pool is None:
            self._pool = torch.cuda.graph_pool_handle()
        side, here = torch.cuda.Stream(), torch.cuda.current_stream()
        side.wait_stream(here)
        with torch.cuda.stream(side):  # what a stream sets up for itself is not to be recorded
            work()
        here.wait_stream(side)
        graph = torch.cuda.CUDAGraph()
        # Another thread may copy kept outputs at the same time; only this one is recorded.
        with torch.cuda.graph(
            graph, pool=self._pool, stream=side, capture_error_mode="thread_local"
        ):
            output = work()
        return _CudaRecording(graph, output)


@dataclass
class _CudaRecording:
    graph: torch.cuda.CUDAGraph
    output: torch.Tensor

    def replay(self) -> None:
        self.graph.replay()
