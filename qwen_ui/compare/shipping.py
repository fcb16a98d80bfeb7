"""Whether a sealed run may be shipped: its figures against limits, with 95 % certainty.

A limit holds where the worse end of the figure's 95 % interval keeps it: the lower end of the gain,
the upper end of the forgetting. The interval is Student's over the samples of the text, each
compared with itself; other seeds are what a comparison asks.
"""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import Any

from qwen_ui.compare.paired import t_quantile
from qwen_ui.compare.replaying import Replay
from qwen_ui.compare.seal import ComparisonSeal, Seal
from qwen_ui.compare.sealing import Opened, runs_of
from qwen_ui.errors import SettingsError


@dataclass(frozen=True, slots=True)
class Limits:
    """What a run has to keep (nats per token); None asks for nothing.

    Attributes:
        max_forgetting: the most by which the loss of the text to keep may rise.
        min_gain: the least by which the held-out loss has to fall.
    """

    max_forgetting: float | None = None
    min_gain: float | None = None

    def __post_init__(self) -> None:
        for name, value in asdict(self).items():
            if value is not None and not math.isfinite(value):
                flag = name.replace("_", "-")
                raise SettingsError(f"--{flag} {value} is no limit. Give a number of nats.")


def ship(opened: Opened, limits: Limits, replay: Replay | None = None) -> dict[str, Any]:
    """What `ship --json` prints: `passed`, the `reasons` why not, and the figures.

    Args:
        opened: from `open_seal`.
        replay: of a run, where one was asked for.

    Raises:
        SettingsError: forgetting is limited and a run had no text to keep.
    """
    seal, runs = opened.seal, runs_of(opened.seal)
    of_comparison = isinstance(seal, ComparisonSeal)
    reasons = [
        f"{run.run}: {reason}" if of_comparison else reason
        for run in runs
        for reason in reasons_against(run, limits)
    ]
    if replay is not None:
        reasons += [f"The replay {replay.run} is not the same: {said}" for said in replay.differs]
    record: dict[str, Any] = {"passed": not reasons, "reasons": reasons, "limits": asdict(limits)}
    record |= {"digest": seal.digest, "held_against_folder": opened.here}
    record["sealed_now"] = opened.new
    record["replay"] = None if replay is None else asdict(replay) | {"same": replay.same}
    if isinstance(seal, ComparisonSeal):
        told = {"comparison": seal.comparison, "verdict": seal.verdict}
        return record | told | {"runs": [figures_of(run) for run in runs]}
    return record | figures_of(seal)


def reasons_against(seal: Seal, limits: Limits) -> list[str]:
    """Why a run does not keep the limits, a sentence each.

    Raises:
        SettingsError: forgetting is limited and the run had no text to keep.
    """
    found = []
    if limits.min_gain is not None:
        told, samples = seal.held_out, seal.held_out.samples
        low = interval(told.gain, told.gain_error, samples)[0]
        if not low >= limits.min_gain:
            found.append(
                f"the gain is {told.gain:.4f} nats per token, and the lower end of its 95 % "
                f"interval over {_samples(samples, 'held-out ')} is {_end(low)}, below "
                f"{limits.min_gain:g}."
            )
    if limits.max_forgetting is not None:
        if seal.keep is None:
            raise SettingsError(
                f"The run '{seal.run}' had no text to keep, so nobody knows what it forgets and "
                "--max-forgetting cannot hold. Train it with --keep FILE."
            )
        kept, samples = seal.keep, seal.keep.samples
        high = interval(kept.forgetting, kept.forgetting_error, samples)[1]
        if not high <= limits.max_forgetting:
            found.append(
                f"it forgets {kept.forgetting:.4f} nats per token, and the upper end of the 95 % "
                f"interval over {_samples(samples)} of the text to keep is {_end(high)}, above "
                f"{limits.max_forgetting:g}."
            )
    return found


def interval(value: float, error: float | None, samples: int) -> tuple[float, float]:
    """95 % interval by Student's t; of one sample, which has no error, all numbers."""
    if error is None or samples < 2:
        return -math.inf, math.inf
    half = t_quantile(samples - 1) * error
    return value - half, value + half


def figures_of(seal: Seal) -> dict[str, Any]:
    """A run's figures as JSON."""
    learned, kept = seal.held_out, seal.keep
    found: dict[str, Any] = {
        "run": seal.run,
        "gain": learned.gain,
        "gain_interval": _finite(interval(learned.gain, learned.gain_error, learned.samples)),
        "noise_floor": learned.noise_floor,
    }
    names = ("forgetting", "forgetting_interval", "keep_noise_floor", "kl", "kl_interval")
    found |= dict.fromkeys(names)
    if kept is not None:
        ends = interval(kept.forgetting, kept.forgetting_error, kept.samples)
        of_kl = interval(kept.kl, kept.kl_error, kept.samples)
        values = (kept.forgetting, _finite(ends), kept.noise_floor, kept.kl, _finite(of_kl))
        found |= dict(zip(names, values, strict=True))
    told = seal.price_told
    found["price_told"] = None if told is None else told.model_dump()
    return found | {"price_taken": seal.price_taken.model_dump()}


def _finite(ends: tuple[float, float]) -> list[float] | None:
    return list(ends) if all(map(math.isfinite, ends)) else None


def _samples(count: int, kind: str = "") -> str:
    return f"one {kind}sample" if count == 1 else f"{count:,} {kind}samples"


def _end(value: float) -> str:
    return f"{value:.4f}" if math.isfinite(value) else "not known"
