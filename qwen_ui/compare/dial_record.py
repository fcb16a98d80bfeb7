"""What is asked of a dial, and where its answer stands."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

# In the run's folder, written anew after every point.
DIAL_NAME = "dial.json"
# Where the run changed its held-out text, token by token.
CHANGES_NAME = "token_changes.json"


@dataclass(frozen=True, slots=True)
class DialRequest:
    """What is asked of a dial.

    Attributes:
        strengths: to measure; None for `dial.GRID`, which goes on where the best lies at its upper
            end.
        keep: text to keep in place of the run's own; None for that one.
        most_forgetting: nats per token that the suggestion may lose of the text to keep.
        by_block: look for a strength of each block as well.
        save: file to write the run at the suggested strength to, as a delta of its own.
    """

    strengths: tuple[float, ...] | None = None
    keep: str | None = None
    most_forgetting: float | None = None
    by_block: bool = False
    save: Path | None = None
