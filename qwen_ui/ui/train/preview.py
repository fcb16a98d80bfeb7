"""What the data are for the model: how much there is, and every token as it is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from qwen_ui.errors import UserError
from qwen_ui.model import length_note, refuse_length
from qwen_ui.ui.page import data_measure, data_preview, paragraph, render, trained_model

if TYPE_CHECKING:
    from qwen_ui.data import Measure, Preview
    from qwen_ui.ui.page import Session

MOST_TOKENS = 400
SHOWN_SAMPLES = 3  # of `data.preview`, one page
NO_FILE = "Upload a file to see its tokens here."


@dataclass(frozen=True, slots=True)
class Shown:
    """The preview of some data.

    Attributes:
        verdict: HTML: how much there is and what is cut off; "" while there is nothing to judge.
        tokens: HTML: some sequences, or why there are none.
        first: the place of the first of them, from 0.
        more: whether others follow.
    """

    verdict: str
    tokens: str
    first: int = 0
    more: bool = False


def shown_data(
    session: Session,
    model: str,
    data: str | None,
    length: float | None,
    packing: bool,
    columns: str | None = None,
    *,
    first: int = 0,
    batch: float | None = None,
    steps: float | None = None,
) -> Shown:
    """Sequences of this data for this model from a place on, and what there is in all.

    Args:
        batch, steps: sequences per step, and steps of the run: how much of the data it sees.
    """
    if not data or not model:
        return Shown("", paragraph(NO_FILE, "qt-note"))
    try:
        anatomy, tokens = session.anatomy(trained_model(session, model)), int(length or 128)
        refuse_length(anatomy, tokens)
        found = data_preview(anatomy, data, tokens, packing=packing, columns=columns, first=first)
        measure = data_measure(anatomy, data, tokens, packing=packing, columns=columns)
    except UserError as error:
        return Shown("", paragraph(str(error), "qt-note qt-bad"))
    note = length_note(anatomy, tokens)
    told = (paragraph(note, "qt-note") if note else "") + drawn(found)
    return Shown(verdict_html(measure, tokens, batch, steps), told, found.first, found.more)


def verdict_html(
    measure: Measure, length: int, batch: float | None = None, steps: float | None = None
) -> str:
    """How much there is, what a sequence length cuts off, and how often a run sees it."""
    seen = (batch or 0) * (steps or 0)
    return render(
        "train/verdict.html",
        measure=measure,
        length=length,
        epochs=seen / measure.sequences if measure.whole and seen else None,
        per_epoch=-(-measure.sequences // int(batch)) if batch and batch >= 1 else None,
    )


def drawn(found: Preview) -> str:
    """The sequences, one under the other."""
    return render(
        "train/preview.html",
        sequences=found.sequences,
        first=found.first,
        notes=found.notes,
        most=MOST_TOKENS,
    )
