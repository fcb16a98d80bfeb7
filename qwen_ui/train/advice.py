"""What would have fitted: the smallest change that brings a step's price under the free memory."""

from __future__ import annotations

from collections.abc import Callable

from qwen_ui.train.spec import RunSpec

GB = 1e9
# A process needs some hundred MB beside the tensors of a step; see `qwen_ui.freeze.cost`.
OVERHEAD_BYTES = 6e8


def memory_advice(spec: RunSpec, free: float, peak: Callable[[int, int], float]) -> str:
    """Say what the run needs, what is free, and the largest batch (then length) that fits.

    Args:
        spec: the run that did not fit.
        free: bytes.
        peak: (batch size, sequence length) -> bytes of a step at its peak.
    """

    def needs(batch: int, length: int) -> float:
        return peak(batch, length) + OVERHEAD_BYTES

    batch, length = spec.batch_size, spec.sequence_length
    said = (
        f"Batch {batch} of {length} tokens needs {needs(batch, length) / GB:.1f} GB, "
        f"{free / GB:.1f} GB are free"
    )
    while batch > 1:
        batch //= 2
        if needs(batch, length) <= free:
            return f"{said}; batch {batch} fits ({needs(batch, length) / GB:.1f} GB)."
    while length > 16:
        length //= 2
        if needs(1, length) <= free:
            return f"{said}; batch 1 of {length} tokens fits ({needs(1, length) / GB:.1f} GB)."
    return f"{said}; no batch fits. Train fewer blocks, or a smaller model."


def advice_for(spec: RunSpec, free: float) -> str:
    """`memory_advice` with the price of this very run."""
    # Torch is slow to import, and only a run that failed asks for this.
    from qwen_ui.freeze import FreezePlan, estimate_cost, resolve  # noqa: PLC0415
    from qwen_ui.model import open_model  # noqa: PLC0415

    anatomy = open_model(spec.model)
    selection = resolve(FreezePlan.from_dict(spec.plan), anatomy)
    dtype = None if spec.dtype == "auto" else spec.dtype

    def peak(batch: int, length: int) -> float:
        cost = estimate_cost(
            anatomy, selection, batch_size=batch, sequence_length=length, dtype=dtype
        )
        return cost.peak_bytes

    return memory_advice(spec, free, peak)
