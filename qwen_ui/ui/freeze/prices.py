"""The price panel's figures: this plan beside training everything, and the batch that fits."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import psutil

from qwen_ui.engine import as_worker, auto_dtype
from qwen_ui.errors import SettingsError
from qwen_ui.formats import percent, short_bytes, short_flops
from qwen_ui.freeze import StepSettings, full_cost, preset, resolve
from qwen_ui.freeze.cost import price, streamed_sentence
from qwen_ui.model import length_note
from qwen_ui.workers import find_devices, fits_on_cards, largest_batch

if TYPE_CHECKING:
    from qwen_ui.freeze import Cost, Selection
    from qwen_ui.model import Anatomy

GIGABYTE = 10**9
_ROWS = (
    ("flops_forward", "forward pass", short_flops),
    ("flops_step", "whole step", short_flops),
    ("activation_bytes", "saved activations", short_bytes),
    ("gradient_bytes", "gradients", short_bytes),
    ("optimizer_bytes", "optimizer state", short_bytes),
    ("master_bytes", "float32 master weights", short_bytes),
    ("origin_bytes", "initial copies of the trained weights", short_bytes),
    ("weight_bytes", "weights", short_bytes),
    ("peak_bytes", "peak memory", short_bytes),
)


@dataclass(frozen=True, slots=True)
class Memory:
    """Memory found on this machine: `bytes`, and `where` (the device's name or "main memory")."""

    bytes: int
    where: str


def settings_of(asked: dict[str, Any], anatomy: Anatomy) -> StepSettings:
    """The settings that a person typed, for this model.

    Raises:
        SettingsError: a number that is none, or one out of its range.
    """
    settings = StepSettings(
        batch_size=_whole(asked, "batch_size", "batch size"),
        sequence_length=_whole(asked, "sequence_length", "sequence length"),
        optimizer=str(asked.get("optimizer", "adamw")),
        checkpointing=bool(asked.get("checkpointing")),
        keep_prefix=bool(asked.get("keep_prefix")),
        masters=bool(asked.get("masters", True)),
    )
    return worker_settings(settings, anatomy) if asked.get("worker") else settings


def worker_settings(settings: StepSettings, anatomy: Anatomy) -> StepSettings:
    """The same step as the Train tab would run it on this machine."""
    on_gpu = find_devices().kind != "cpu"
    dtype = auto_dtype(anatomy, on_gpu=on_gpu)
    return as_worker(settings, dtype=dtype, keep_prefix=True, on_gpu=on_gpu)


def ways_record(selection: Selection, settings: StepSettings) -> dict[str, Any]:
    """Step and peak in every way of running it, beside training everything in the plain way.

    And what reading the frozen blocks once leaves in memory, in a sentence; "" where none is below.
    """
    full = full_cost(selection.anatomy, replace(settings, checkpointing=False, engine=None))
    plain = replace(settings, keep_prefix=False, checkpointing=False, engine=None)
    kept = replace(plain, keep_prefix=True)
    ways = {
        "plain": plain,
        "prefix cached": kept,
        "checkpointing": replace(plain, checkpointing=True),
        "both": replace(kept, checkpointing=True),
    }
    if selection.prefix_blocks:
        ways["prefix read once"] = replace(kept, stream_prefix=True)
    priced = {label: price(selection.anatomy, selection, way) for label, way in ways.items()}
    streamed = priced.get("prefix read once")
    return {
        "ways": [_way(label, cost, full) for label, cost in priced.items()],
        "streamed": streamed_sentence(streamed) if streamed else "",
    }


def _way(label: str, cost: Cost, full: Cost) -> dict[str, Any]:
    return {
        "label": label,
        "step": short_flops(cost.flops_step),
        "step_ratio": cost.flops_step / full.flops_step,
        "peak": short_bytes(cost.peak_bytes),
        "peak_ratio": cost.peak_bytes / full.peak_bytes,
    }


def price_record(selection: Selection, settings: StepSettings) -> dict[str, Any]:
    """Rows of the table, each with both figures as text and their ratio (None where all are 0)."""
    plan = price(selection.anatomy, selection, settings)
    full = full_cost(selection.anatomy, settings)
    note = length_note(selection.anatomy, settings.sequence_length)
    return {
        "rows": [
            _row(plan, full, name, label, text)
            for name, label, text in _ROWS
            if name != "origin_bytes" or settings.engine is not None
        ],
        "sentence": f"{_sentence(plan, full)} {note}".rstrip(),
        "prefix": plan.prefix_blocks,
    }


def fit_record(selection: Selection, settings: StepSettings, memory: int) -> dict[str, int]:
    """The largest batch of this plan, and of training everything, that fits into so many bytes."""
    everything = resolve(preset("full"), selection.anatomy)
    return {
        "plan": largest_batch(selection, settings, memory),
        "full": largest_batch(everything, settings, memory),
    }


def cards_record(selection: Selection, settings: StepSettings) -> dict[str, Any]:
    """A row per card: its memory, whether the step fits, the largest batch, what would help."""
    rows = [
        {
            "card": fit.card.name,
            "usable": short_bytes(fit.card.bytes),
            "need": short_bytes(fit.need),
            "fits": fit.fits,
            "batch": fit.batch,
            "remedy": fit.remedy,
        }
        for fit in fits_on_cards(selection, settings)
    ]
    return {"cards": rows}


def found_memory() -> Memory:
    """Memory of the GPU that a run would be given now, else of the machine."""
    if (devices := find_devices()).gpus:
        return Memory(devices.emptiest.total_bytes, devices.emptiest.label)
    return Memory(int(psutil.virtual_memory().total), "main memory")


def memory_of(text: str) -> Memory:
    """Gigabytes that a person typed; what was found where nothing was.

    Raises:
        SettingsError: no positive number.
    """
    if not text.strip():
        return found_memory()
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0 < value < 1e6:
        raise SettingsError(f"'{text[:40]}' is not a valid amount of memory. Give gigabytes.")
    return Memory(int(value * GIGABYTE), "typed")


def _whole(asked: dict[str, Any], key: str, words: str) -> int:
    text = str(asked.get(key, "")).strip()
    if not text.isdecimal() or len(text) > 9:
        raise SettingsError(f"'{text[:40]}' is not a valid {words}. Give a whole number.")
    return int(text)


def _row(plan: Cost, full: Cost, name: str, label: str, text: Any) -> dict[str, Any]:
    part, whole = getattr(plan, name), getattr(full, name)
    return {
        "name": name,
        "label": label,
        "plan": text(part),
        "full": text(whole),
        "exact": f"{part:,} of {whole:,}",
        "ratio": part / whole if whole else None,
    }


def _sentence(plan: Cost, full: Cost) -> str:
    flops = plan.flops_step / full.flops_step
    peak = plan.peak_bytes / full.peak_bytes
    return (
        f"A step takes {percent(flops)} of the computation and {percent(peak)} of the memory of "
        "training everything."
    )
