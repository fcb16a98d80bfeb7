"""The preview of the data as HTML: every token as it is, those that carry loss marked."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from qwen_ui.data import preview_data
from qwen_ui.errors import UserError
from qwen_ui.model import refuse_length
from qwen_ui.ui.page import paragraph, render, trained_model

if TYPE_CHECKING:
    from qwen_ui.data import Preview
    from qwen_ui.ui.page import Session

MOST_TOKENS = 400
NO_FILE = "Upload a file to see its tokens here."


def preview_html(
    session: Session, model: str, data: str | None, length: float | None, packing: bool
) -> str:
    """The first sequences of this data for this model, or the sentence on why there are none."""
    if not data or not model:
        return paragraph(NO_FILE, "qt-note")
    try:
        anatomy = session.anatomy(trained_model(session, model))
        refuse_length(anatomy, int(length or 128))
        folder = anatomy.weights_folder
        found = preview_data(data, _tokenizer(str(folder)), int(length or 128), packing=packing)
    except UserError as error:
        return paragraph(str(error), "qt-note qt-bad")
    return drawn(found)


def drawn(found: Preview) -> str:
    """The sequences, one under the other."""
    return render(
        "train/preview.html",
        sequences=found.sequences,
        total=sum(len(sequence.tokens) for sequence in found.sequences),
        carrying=sum(sequence.loss_tokens for sequence in found.sequences),
        cut=found.cut,
        most=MOST_TOKENS,
    )


@lru_cache(maxsize=4)
def _tokenizer(folder: str) -> Any:
    from qwen_ui.model.weights import load_tokenizer  # noqa: PLC0415  loads torch

    return load_tokenizer(Path(folder))
