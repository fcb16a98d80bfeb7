"""The preview of the data as HTML: every token as it is, those that carry loss marked."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qwen_ui.errors import UserError
from qwen_ui.model import length_note, refuse_length
from qwen_ui.ui.page import data_preview, paragraph, render, trained_model

if TYPE_CHECKING:
    from qwen_ui.data import Preview
    from qwen_ui.ui.page import Session

MOST_TOKENS = 400
NO_FILE = "Upload a file to see its tokens here."


def preview_html(
    session: Session,
    model: str,
    data: str | None,
    length: float | None,
    packing: bool,
    columns: str | None = None,
) -> str:
    """The first sequences of this data for this model, or the sentence on why there are none."""
    if not data or not model:
        return paragraph(NO_FILE, "qt-note")
    try:
        anatomy, tokens = session.anatomy(trained_model(session, model)), int(length or 128)
        refuse_length(anatomy, tokens)
        found = data_preview(anatomy, data, tokens, packing=packing, columns=columns)
    except UserError as error:
        return paragraph(str(error), "qt-note qt-bad")
    note = length_note(anatomy, tokens)
    return (paragraph(note, "qt-note") if note else "") + drawn(found)


def drawn(found: Preview) -> str:
    """The sequences, one under the other."""
    return render(
        "train/preview.html",
        sequences=found.sequences,
        total=sum(len(sequence.tokens) for sequence in found.sequences),
        carrying=sum(sequence.loss_tokens for sequence in found.sequences),
        notes=found.notes,
        most=MOST_TOKENS,
    )
