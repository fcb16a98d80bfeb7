"""What would have fitted: the smallest change that brings a step's price under the free memory.

`python -m qwen_ui.workers.memory_advice RUN_FOLDER` works it out for a run whose worker was killed
for memory and can no longer say it itself.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import psutil

from qwen_ui.errors import UserError
from qwen_ui.files import write_json
from qwen_ui.formats import short_bytes
from qwen_ui.freeze.cost import OVERHEAD_BYTES, Way
from qwen_ui.runs import (
    OF_MEMORY,
    RunSpec,
    fold_run,
    free_memory,
    read_spec,
    recorded_launch,
    run_lock,
    status_of,
    write_status,
)

ADVICE = "advice.json"
# What other programs hold is worth a word from here on.
NOTABLE_BYTES = 1e9
MIN_LENGTH = 16


@dataclass(frozen=True, slots=True)
class AvailableMemory:
    """Memory that a run could have had.

    Attributes:
        device: cpu or cuda.
        free: bytes, with what the run itself held.
        others: bytes that other programs held.
    """

    device: str
    free: float
    others: float = 0.0


@dataclass(frozen=True, slots=True)
class Advice:
    """What to change.

    Attributes:
        text: one sentence, with figures.
        changes: settings of the run that would fit, {} where none would.
    """

    text: str
    changes: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Saving:
    """A setting of the worker that trades something for memory.

    Attributes:
        changes: the setting, by its flat name.
        words: what it does, as the advice says it.
    """

    changes: dict[str, Any]
    words: str


# In the order in which they are offered: what costs least first.
RECOMPUTE = Saving({"gradient_checkpointing": True}, "gradient checkpointing")
EIGHT_BIT = Saving({"optimizer": "adamw_8bit"}, "an 8-bit AdamW")
OFFLOAD = Saving({"optimizer_offload": True}, "the optimizer's state in main memory")
STREAM = Saving({"prefix": "stream"}, "frozen blocks read once and never held")


def memory_advice(
    spec: RunSpec,
    available: AvailableMemory,
    peak: Callable[[RunSpec], float],
    savings: Sequence[Saving] = (),
) -> Advice:
    """Say what the run needs, what is free, and the smallest change that fits.

    Smaller batches are tried first, then each of the savings with all before it, then shorter
    sequences.

    Args:
        spec: the run that did not fit.
        available: what it could have had.
        peak: bytes of a step of a run at its peak.
        savings: that this run can use and does not.
    """

    def needs(changes: dict[str, Any]) -> float:
        return peak(spec.changed(**changes)) + OVERHEAD_BYTES

    batch, length = spec.optimization.batch_size, spec.data.sequence_length
    need = needs({})
    said = (
        f"Batch {batch} of {length} tokens needs {short_bytes(need)}, "
        f"{short_bytes(available.free)} were free"
    )
    if available.others > NOTABLE_BYTES:
        said += f" (other programs held {short_bytes(available.others)})"
    if need <= available.free:
        half = {"batch_size": batch // 2} if batch > 1 else {}
        return Advice(f"{said}: it should fit, so other programs took the rest.", half)
    for changes, words in _ways(batch, length, savings):
        took = needs(changes)
        if took <= available.free:
            return Advice(f"{said}; {words} fits ({short_bytes(took)}).", changes)
    return Advice(f"{said}; no batch fits. Train fewer blocks, or a smaller model.")


def _ways(
    batch: int, length: int, savings: Sequence[Saving]
) -> Iterator[tuple[dict[str, Any], str]]:
    """Changes to try in their order, and what each makes of the run."""
    changes: dict[str, Any] = {}
    words = ""
    for number, saving in enumerate((None, *savings)):
        if saving is not None:
            changes = {**changes, **saving.changes}
            words += f"{' with' if number == 1 else ' and'} {saving.words}"
        for size in _halves(batch):
            smaller = {} if size == batch else {"batch_size": size}
            if changes or smaller:
                yield {**smaller, **changes}, f"batch {size}{words}"
    while length > MIN_LENGTH:
        length //= 2
        shorter = {"batch_size": 1, "sequence_length": length}
        yield {**shorter, **changes}, f"batch 1 of {length} tokens{words}"


def _halves(number: int) -> list[int]:
    """The number, its half, and so on to 1."""
    found = [number]
    while found[-1] > 1:
        found.append(found[-1] // 2)
    return found


def savings_of(spec: RunSpec, device: str, *, streams: bool = True) -> list[Saving]:
    """What this run can do to hold less, and does not do yet.

    Args:
        streams: whether it reads its frozen blocks once already, or has none.
    """
    found = []
    if not streams and not spec.resources.sharded:
        found.append(STREAM)
    if not spec.resources.gradient_checkpointing:
        found.append(RECOMPUTE)
    plain = spec.optimization.optimizer == "adamw" and not spec.resources.sharded
    if plain and not spec.resources.optimizer_offload:
        # On a CPU main memory is what is short. The two exclude each other.
        found.append(OFFLOAD if device == "cuda" else EIGHT_BIT)
    return found


def advice_for(spec: RunSpec, available: AvailableMemory, *, way: Way = "off") -> Advice:
    """`memory_advice` with the price of this very run.

    Args:
        way: what became of the frozen blocks below.

    Raises:
        UserError: the model or the plan can no longer be read.
    """
    # Torch is slow to import, and only a run that failed asks for this.
    from qwen_ui.engine import step_of  # noqa: PLC0415
    from qwen_ui.freeze import FreezePlan, resolve  # noqa: PLC0415
    from qwen_ui.freeze.cost import price  # noqa: PLC0415
    from qwen_ui.model import open_model  # noqa: PLC0415

    anatomy = open_model(spec.model.source)
    selection = resolve(FreezePlan.from_dict(spec.plan), anatomy)

    def peak(run: RunSpec) -> float:
        streamed: Way = "stream" if run.resources.prefix == "stream" else way
        step = step_of(run, anatomy, available.device, streamed)
        return price(anatomy, selection, step).peak_bytes

    streams = way == "stream" or not selection.prefix_blocks
    savings = savings_of(spec, available.device, streams=streams)
    return memory_advice(spec, available, peak, savings)


def available_memory() -> AvailableMemory:
    """What this process could have had, on the device that it used."""
    torch = sys.modules.get("torch")
    if torch is not None and torch.cuda.is_initialized():
        free, total = torch.cuda.mem_get_info()
        mine = torch.cuda.memory_reserved()
        return AvailableMemory("cuda", free + mine, total - free - mine)
    mine = psutil.Process().memory_info().rss
    memory = psutil.virtual_memory()
    return AvailableMemory(
        "cpu", free_memory() + mine, max(0, memory.total - memory.available - mine)
    )


def write_advice(folder: Path, available: AvailableMemory) -> Advice:
    """Work the advice out and keep it in the run's folder.

    Raises:
        UserError: the model or the plan can no longer be read.
    """
    start = fold_run(folder).start
    kept: Way = "keep" if start.get("prefix_blocks") else "off"
    way: Way = "stream" if start.get("prefix") == "streamed" else kept
    advice = advice_for(read_spec(folder), available, way=way)
    write_json(folder / ADVICE, asdict(advice))
    return advice


def with_advice(reason: str, advice: Advice) -> str:
    """A memory reason with its general advice replaced by this one."""
    kind = next((said for said in OF_MEMORY if reason.startswith(said)), reason)
    return f"{kind.split('. ')[0]}. {advice.text}"


def main(folder: Path) -> None:
    """Explain a run that the system killed for memory; others are left as they are."""
    status = status_of(folder)
    if not status.reason.startswith(OF_MEMORY):
        return
    launched = recorded_launch(folder)
    total = psutil.virtual_memory().total
    free = float((launched and launched.memory_free) or free_memory())
    advice = write_advice(folder, AvailableMemory("cpu", free, max(0.0, total - free)))
    with run_lock(folder) as held:
        if held and status_of(folder) == status and os.access(folder, os.W_OK):
            write_status(folder, replace(status, reason=with_advice(status.reason, advice)))


if __name__ == "__main__":
    try:
        main(Path(sys.argv[1]))
    except UserError as error:
        sys.exit(str(error))
