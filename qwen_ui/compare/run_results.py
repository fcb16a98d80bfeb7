"""What the runs of a comparison have come to so far."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import Any

from qwen_ui.compare.comparison import Comparison, Entry
from qwen_ui.runs import (
    HeldOut,
    KeptText,
    RateSearch,
    rate_search_of,
    read_held_out,
    read_kept_text,
    reading,
    run_folder,
    run_summary,
)

_START = (
    "trainable_parameters",
    "total_parameters",
    "learning_rate",
    "learning_rate_source",
    "evaluation_fingerprint",
    "keep_fingerprint",
)
_SAMPLE = ("step", "prompt", "text")


def results(comparison: Comparison) -> list[dict[str, Any]]:
    """A record of every run that was started: `run_summary`, and what compares it with the others.

    Beside the summary: `plan`, `seed`, the parameter counts and learning rate of its start,
    `samples`, `elapsed` (seconds of training), `rate_seconds` (of finding the plan's rate),
    `delta_bytes`, and `held_out`, which is equal where runs are judged by the same samples. Asked
    again, it reads only what is new.
    """
    found = []
    sought = {plan: search.seconds for plan, search in searches_of(comparison)}
    for entry in comparison.entries:
        if entry.run is None:
            continue
        folder = run_folder(entry.run)
        record = run_summary(folder)
        file = Path(record["delta"]) if record["delta"] else None
        record |= {"plan": entry.label, "seed": entry.seed, **_compared(folder)}
        record["rate_seconds"] = sought.get(entry.label, 0.0)
        record["delta_bytes"] = file.stat().st_size if file is not None else None
        record["held_out"] = record.pop("evaluation_fingerprint") or _held_out_formerly(entry)
        found.append(record)
    return found


def searches_of(comparison: Comparison) -> list[tuple[str, RateSearch]]:
    """(plan, search) of every plan whose rate is found, or was, once that has been started."""
    return [
        (entry.label, rate_search_of(run_folder(entry.run)))
        for entry in comparison.searches
        if entry.run is not None
    ]


def notes_of(comparison: Comparison) -> list[str]:
    """What the runs said that a person should read, each once, with the plans that it is about."""
    plans: dict[str, dict[str, None]] = {}
    for entry in (*comparison.searches, *comparison.entries):
        if entry.run is None:
            continue
        for note in run_summary(run_folder(entry.run))["notes"]:
            plans.setdefault(note, {})[entry.label] = None
    everyone = len(comparison.labels)
    return [
        note if len(about) == everyone else f"{', '.join(about)}: {note}"
        for note, about in plans.items()
    ]


def _held_out_formerly(entry: Entry) -> str:
    """By which samples a run of a former version is judged, which recorded no fingerprint.

    Those of its evaluation data, or the end of a document; of other data each seed drew its own.
    """
    data = entry.spec.data
    if data.eval_data is not None or data.source.endswith(".txt"):
        return f"former: {data.eval_data or data.source}"
    return f"former: {data.source}, drawn by seed {entry.seed}"


def _compared(folder: Path) -> dict[str, Any]:
    with reading(folder) as reader:
        fold = reader.fold
        return {
            **{key: fold.start.get(key) for key in _START},
            "samples": [{key: event.get(key) for key in _SAMPLE} for event in fold.samples],
            "elapsed": fold.last("elapsed") or 0.0,
        }


def held_out_of(run: str) -> HeldOut | None:
    """Losses of the single held-out samples of a completed run; None where it left none."""
    return _read_held_out(run_folder(run))


def kept_text_of(run: str) -> KeptText | None:
    """What a completed run lost of the single samples of the text to keep; None where unknown."""
    return _read_kept_text(run_folder(run))


@lru_cache(maxsize=256)
def _read_kept_text(folder: Path) -> KeptText | None:
    return read_kept_text(folder)


@lru_cache(maxsize=256)
def _read_held_out(folder: Path) -> HeldOut | None:
    # Asked for runs that are over alone: the file does not change any more.
    return read_held_out(folder)
