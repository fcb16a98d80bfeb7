"""What a run lost of the text that it was to keep, sample by sample.

Forgetting is the rise of the loss on that text; KL(base || tuned) per token follows it, and tells
of changes that the loss does not see. Errors are over samples, as in `held_out`. Shapes: S samples.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from qwen_ui.files import read_json, write_json
from qwen_ui.runs.fields import Checks, is_count, is_number, list_of
from qwen_ui.runs.held_out import standard_error

KEPT_TEXT_NAME = "keep.json"
KEPT_TEXT_FIELDS: Checks = {
    "tokens": list_of(is_count),
    "before": list_of(is_number),
    "after": list_of(is_number),
    "kl": list_of(is_number),
}


@dataclass(frozen=True, slots=True)
class KeptText:
    """What was measured of each sample of a text to keep, of the base and of the tuned model.

    Attributes:
        tokens: tokens of each sample that carry loss (S).
        before, after: sum of each sample's losses, of the base and of the tuned model (nats, S).
        kl: sum of each sample's KL(base || tuned) over those tokens (nats, S).
    """

    tokens: tuple[int, ...]
    before: tuple[float, ...]
    after: tuple[float, ...]
    kl: tuple[float, ...]

    @property
    def loss_before(self) -> float:
        """Mean loss of the base (nats per token)."""
        return math.fsum(self.before) / sum(self.tokens)

    @property
    def loss(self) -> float:
        """Mean loss of the tuned model (nats per token)."""
        return math.fsum(self.after) / sum(self.tokens)

    @property
    def loss_error(self) -> float:
        """Standard error of `loss`; infinite for one sample."""
        return standard_error(self.after, self.tokens)

    @property
    def forgetting(self) -> float:
        """Nats per token by which the mean loss rose."""
        return self.loss - self.loss_before

    @property
    def forgetting_error(self) -> float:
        """Standard error of it, each sample compared with itself; infinite for one sample."""
        risen = [a - b for a, b in zip(self.after, self.before, strict=True)]
        return standard_error(risen, self.tokens)

    @property
    def divergence(self) -> float:
        """Mean KL(base || tuned) (nats per token)."""
        return math.fsum(self.kl) / sum(self.tokens)

    @property
    def divergence_error(self) -> float:
        """Standard error of `divergence`; infinite for one sample."""
        return standard_error(self.kl, self.tokens)

    def eval_fields(self) -> dict[str, float | None]:
        """What an event `eval` records of it."""
        return {
            "keep_loss": self.loss,
            "keep_standard_error": _finite(self.loss_error),
            "keep_error": _finite(self.forgetting_error),
            "kl": self.divergence,
            "kl_error": _finite(self.divergence_error),
        }

    def end_fields(self) -> dict[str, float | None]:
        """What an event `end` records of it."""
        return {
            "keep_loss_before": self.loss_before,
            "keep_loss_after": self.loss,
            "keep_error": _finite(self.forgetting_error),
            "kl": self.divergence,
            "kl_error": _finite(self.divergence_error),
        }


def write_kept_text(folder: Path, kept: KeptText) -> None:
    """Leave it in a run's folder."""
    write_json(folder / KEPT_TEXT_NAME, asdict(kept))


def read_kept_text(folder: Path) -> KeptText | None:
    """What a run left; None where it left nothing, or something else."""
    return kept_text_of_record(read_json(folder / KEPT_TEXT_NAME))


def kept_text_of_record(record: Mapping[str, Any]) -> KeptText | None:
    """What a file's record holds; None where it holds something else."""
    for name, check in KEPT_TEXT_FIELDS.items():
        if not check(record.get(name)):
            return None
    kept = KeptText(*(tuple(record[name]) for name in KEPT_TEXT_FIELDS))
    if not sum(kept.tokens) or len({len(values) for values in asdict(kept).values()}) > 1:
        return None
    return kept


def _finite(value: float) -> float | None:
    """As JSON, which has no infinity: one sample has no error."""
    return value if math.isfinite(value) else None
