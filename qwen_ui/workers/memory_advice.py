"""What would have fitted: the smallest change that brings a step's price under the free memory.

`python -m qwen_ui.workers.memory_advice RUN_FOLDER` works it out for a run whose worker was killed
for memory and can no longer say it itself.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

import psutil

from qwen_ui.errors import UserError
from qwen_ui.files import write_json
from qwen_ui.formats import short_bytes
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
# A process needs some hundred MB beside the tensors of a step; see `qwen_ui.freeze.cost.estimate`.
OVERHEAD_BYTES = 6e8
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
    changes: dict[str, int] = field(default_factory=dict)


def memory_advice(
    spec: RunSpec, available: AvailableMemory, peak: Callable[[int, int], float]
) -> Advice:
    """Say what the run needs, what is free, and the largest batch (then length) that fits.

    Args:
        spec: the run that did not fit.
        available: what it could have had.
        peak: (batch size, sequence length) -> bytes of a step at its peak.
    """

    def needs(batch: int, length: int) -> float:
        return peak(batch, length) + OVERHEAD_BYTES

    batch, length = spec.optimization.batch_size, spec.data.sequence_length
    need = needs(batch, length)
    said = (
        f"Batch {batch} of {length} tokens needs {short_bytes(need)}, "
        f"{short_bytes(available.free)} were free"
    )
    if available.others > NOTABLE_BYTES:
        said += f" (other programs held {short_bytes(available.others)})"
    if need <= available.free:
        half = {"batch_size": batch // 2} if batch > 1 else {}
        return Advice(f"{said}: it should fit, so other programs took the rest.", half)
    while batch > 1:
        batch //= 2
        if needs(batch, length) <= available.free:
            fits = f"batch {batch} fits ({short_bytes(needs(batch, length))})."
            return Advice(f"{said}; {fits}", {"batch_size": batch})
    while length > MIN_LENGTH:
        length //= 2
        if needs(1, length) <= available.free:
            fits = f"batch 1 of {length} tokens fits ({short_bytes(needs(1, length))})."
            return Advice(f"{said}; {fits}", {"batch_size": 1, "sequence_length": length})
    return Advice(f"{said}; no batch fits. Train fewer blocks, or a smaller model.")


def advice_for(spec: RunSpec, available: AvailableMemory, *, keep_prefix: bool = False) -> Advice:
    """`memory_advice` with the price of this very run.

    Raises:
        UserError: the model or the plan can no longer be read.
    """
    # Torch is slow to import, and only a run that failed asks for this.
    from qwen_ui.engine import as_worker  # noqa: PLC0415
    from qwen_ui.freeze import FreezePlan, StepSettings, resolve  # noqa: PLC0415
    from qwen_ui.freeze.cost import price  # noqa: PLC0415
    from qwen_ui.model import open_model  # noqa: PLC0415

    anatomy = open_model(spec.model.source)
    selection = resolve(FreezePlan.from_dict(spec.plan), anatomy)
    # `auto` means float32 everywhere but on CUDA; there None leaves the model's own.
    auto = None if available.device == "cuda" else "float32"
    dtype = auto if spec.model.dtype == "auto" else spec.model.dtype

    def peak(batch: int, length: int) -> float:
        plain = StepSettings(
            batch_size=batch,
            sequence_length=length,
            gradient_accumulation_steps=spec.optimization.gradient_accumulation_steps,
        )
        settings = as_worker(plain, dtype=dtype, keep_prefix=keep_prefix)
        return price(anatomy, selection, settings).peak_bytes

    return memory_advice(spec, available, peak)


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
    kept = bool(fold_run(folder).start.get("prefix_blocks"))
    advice = advice_for(read_spec(folder), available, keep_prefix=kept)
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
