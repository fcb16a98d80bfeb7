"""What a run of the learning-rate finder tried, and what it found."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from qwen_ui.runs.current_status import status_of
from qwen_ui.runs.fields import is_count, is_number
from qwen_ui.runs.reader import reading


@dataclass(frozen=True, slots=True)
class RateSearch:
    """A run of the learning-rate finder, as far as it is.

    Attributes:
        run: its name.
        status, reason: as of any run.
        over: whether it will try no more.
        rate: what it found; None where it is not over, or no rate lowered the loss.
        trials: (rate, evaluation loss after its steps) of each short run, by rate; the loss is None
            where it diverged.
        steps: of each of them.
        before: evaluation loss of the untouched model; None where it is not known yet.
        seconds: of all of their steps and evaluations.
    """

    run: str
    status: str
    reason: str
    over: bool
    rate: float | None
    trials: tuple[tuple[float, float | None], ...]
    steps: int
    before: float | None
    seconds: float

    @property
    def source(self) -> str:
        """Where the rate comes from, in words."""
        return f"found: {len(self.trials)} runs of {self.steps} steps, {self.seconds:.0f} s"


def rate_search_of(folder: Path) -> RateSearch:
    """What the finder whose run this is has come to."""
    status = status_of(folder)
    with reading(folder) as reader:
        fold = reader.fold
        trials = [t for t in fold.trials if is_number(t.get("rate")) and t["rate"] > 0]
        last = trials[-1] if trials else {}
        rate: float | None = fold.end.get("learning_rate")
        return RateSearch(
            run=folder.name,
            status=status.status,
            reason=status.reason,
            over=status.over,
            rate=rate if status.status == "completed" and is_number(rate) else None,
            trials=tuple(sorted((float(t["rate"]), t.get("loss")) for t in trials)),
            steps=last["steps"] if is_count(last.get("steps")) else 0,
            before=fold.evals[0].get("loss") if fold.evals else None,
            seconds=float(last.get("elapsed") or 0.0),
        )
