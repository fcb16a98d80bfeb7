"""How far to turn a finished run: W0 + s (W - W0) at several s, and which of them to take.

Gain is concave in s while forgetting accelerates, so a run turned down may keep most of what it
learned and lose a fraction of what it forgot (docs/decisions/compare-and-rank.md has figures). A
strength is chosen on one half of the held-out samples and of the text to keep, every second one,
and what it gives is told of the other half: chosen and told on the same ones it would look better
than it is.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from qwen_ui.engine import HIGHEST
from qwen_ui.runs import HeldOut, KeptText

GRID = (0.0, 0.25, 0.5, 0.75, 1.0, 1.25)
# Taken one by one while the best lies at the upper end.
BEYOND = (1.5, 2.0, 3.0, 4.0, 6.0, HIGHEST)


@dataclass(frozen=True, slots=True)
class Point:
    """A run at one strength.

    Attributes:
        strength: s, 0 for the base and 1 for what training left.
        held_out: losses of the held-out samples at s = 0 (`before`) and here (`after`).
        kept: the same of the text to keep, and its divergences; None where there is no such text.
        samples: (prompt, continuation) at this strength.
    """

    strength: float
    held_out: HeldOut
    kept: KeptText | None
    samples: tuple[tuple[str, str], ...] = ()

    @property
    def finite(self) -> bool:
        """Whether every loss is a number: far beyond 1 a model may give none."""
        kept = () if self.kept is None else (*self.kept.after, *self.kept.kl)
        return all(math.isfinite(value) for value in (*self.held_out.after, *kept))

    @property
    def eval_loss(self) -> float:
        """Mean loss of the held-out samples (nats per token)."""
        return math.fsum(self.held_out.after) / sum(self.held_out.tokens)

    def half(self, first: int) -> Point:
        """The same of every second sample, from `first` (0 or 1) on."""
        held_out = HeldOut(
            self.held_out.tokens[first::2],
            self.held_out.before[first::2],
            self.held_out.after[first::2],
        )
        kept = self.kept
        if kept is not None:
            kept = KeptText(
                kept.tokens[first::2],
                kept.before[first::2],
                kept.after[first::2],
                kept.kl[first::2],
            )
        return Point(self.strength, held_out, kept)

    @property
    def halves(self) -> bool:
        """Whether there are two samples of each at least."""
        return len(self.held_out.tokens) > 1 and (self.kept is None or len(self.kept.tokens) > 1)


@dataclass(frozen=True, slots=True)
class Suggestion:
    """The strength to take: chosen on one half of the samples, told of the other.

    Attributes:
        strength: s.
        told: the run at this strength, on the samples that did not choose it.
        trained: the run as trained, on the same samples.
    """

    strength: float
    told: Point
    trained: Point

    @property
    def sentence(self) -> str:
        """What it gives, in words."""
        where = "(nats per token, on the half of the samples that the strength was not chosen on)"
        if self.strength == 1:
            return f"As trained is best of these: the run {_told(self.told)} {where}."
        return (
            f"At strength {self.strength:g} the run {_told(self.told)}; as trained it "
            f"{_told(self.trained)} {where}."
        )


def next_strength(points: Sequence[Point]) -> float | None:
    """The strength to measure next; None where the best does not lie at the upper end.

    Args:
        points: measured so far.
    """
    best, highest = best_of(points, None), max(point.strength for point in points)
    if best is None or best.strength < highest:
        return None
    return next((strength for strength in BEYOND if strength > highest), None)


def suggestion(points: Sequence[Point], most_forgetting: float | None = None) -> Suggestion | None:
    """The strength with the lowest loss, of those that forget little enough.

    Args:
        points: with one of strength 1.
        most_forgetting: nats per token by which the loss of the text to keep may rise; None for any
            number.

    Returns:
        None where no point can be chosen: too few samples, or none that forgets so little.
    """
    trained = next((p for p in points if p.strength == 1 and p.finite and p.halves), None)
    best = best_of(points, most_forgetting)
    if trained is None or best is None:
        return None
    return Suggestion(best.strength, best.half(1), trained.half(1))


def best_of(points: Sequence[Point], most_forgetting: float | None) -> Point | None:
    """The point with the lowest loss on the half that chooses; of equal ones the lowest strength.

    Args:
        points, most_forgetting: as `suggestion` takes them.
    """
    usable = [point for point in points if point.finite and point.halves]
    if most_forgetting is not None:
        usable = [point for point in usable if _forgets(point.half(0)) <= most_forgetting]
    return min(usable, key=lambda p: (p.half(0).eval_loss, p.strength), default=None)


def point_record(point: Point) -> dict[str, Any]:
    """A point as JSON; None stands for what is no number."""
    finite = point.finite
    held_out, kept = point.held_out, point.kept
    record: dict[str, Any] = {
        "strength": point.strength,
        "eval_loss": point.eval_loss if finite else None,
        "gain": held_out.gain if finite else None,
        "gain_error": finite_or_none(held_out.gain_error) if finite else None,
    }
    figures = ("keep_loss", "forgetting", "forgetting_error", "kl")
    record |= dict.fromkeys(figures)
    if finite and kept is not None:
        values = (kept.loss, kept.forgetting, kept.forgetting_error, kept.divergence)
        record |= {name: finite_or_none(value) for name, value in zip(figures, values, strict=True)}
    record["samples"] = [{"prompt": prompt, "text": text} for prompt, text in point.samples]
    return record


def suggestion_record(found: Suggestion | None) -> dict[str, Any]:
    """What `dial` answers of the suggestion: its strength, its figures, and a sentence."""
    if found is None:
        return {"suggested": None, "suggestion": None}
    told, trained = (
        {name: value for name, value in point_record(point).items() if name != "samples"}
        for point in (found.told, found.trained)
    )
    details = {"told": told, "trained": trained, "sentence": found.sentence}
    return {"suggested": found.strength, "suggestion": details}


def _forgets(point: Point) -> float:
    return 0.0 if point.kept is None else point.kept.forgetting


def finite_or_none(value: float) -> float | None:
    """As JSON, which has no infinity: one sample has no error."""
    return value if math.isfinite(value) else None


def _told(point: Point) -> str:
    said = f"gains {_with_error(point.held_out.gain, point.held_out.gain_error)}"
    if point.kept is None:
        return said
    return f"{said} and forgets {_with_error(point.kept.forgetting, point.kept.forgetting_error)}"


def _with_error(value: float, error: float) -> str:
    return f"{value:.3f}" + (f" ± {error:.3f}" if math.isfinite(error) else "")
