"""Whether the data that a form names can be used, before anything is launched on them."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from qwen_ui.data import check_data, preview_data
from qwen_ui.errors import ModelError, UserError
from qwen_ui.ui.page.data_choice import OWN
from qwen_ui.ui.page.stand_in import trained_model
from qwen_ui.ui.page.templates import paragraph

if TYPE_CHECKING:
    from qwen_ui.ui.page.session import Session

LENGTH = 128


@dataclass(frozen=True, slots=True)
class DataCheck:
    """What a form says under its data file.

    Attributes:
        usable: whether a run can be launched on it.
        text: HTML: what was taken for what, or what is wrong; "" for nothing to say.
    """

    usable: bool
    text: str


def check_choice(
    session: Session,
    source: str,
    choice: str,
    upload: str | None,
    columns: str | None,
    *,
    eval_upload: str | None = None,
    length: float | None = None,
    packing: bool = False,
) -> DataCheck:
    """Check own data for a model; shipped data are right.

    Args:
        source: the model of the header, "" while there is none.
        columns: the mapping by hand, as for `load_examples`.
        length: tokens per sequence.
    """
    if choice != OWN:
        return DataCheck(True, "")
    if not upload:
        return DataCheck(False, paragraph("Upload a file first.", "q-data-note"))
    columns = (columns or "").strip() or None
    try:
        notes = _notes(upload, Path(upload).stat().st_mtime_ns, columns)
        if eval_upload:
            check_data(eval_upload, columns, required=False)
        tokenizer = _tokenizer_of(session, source)
        if tokenizer is not None:
            preview_data(upload, tokenizer, int(length or LENGTH), packing=packing, columns=columns)
    except UserError as error:
        return DataCheck(False, paragraph(str(error), "q-data-note q-bad"))
    except FileNotFoundError:
        return DataCheck(
            False, paragraph("The file is gone. Upload it again.", "q-data-note q-bad")
        )
    return DataCheck(True, paragraph(" ".join(notes), "q-data-note") if notes else "")


@lru_cache(maxsize=4)
def cached_tokenizer(folder: str) -> Any:
    """The tokenizer of a model's folder."""
    from qwen_ui.model.weights import load_tokenizer  # noqa: PLC0415  loads torch

    return load_tokenizer(Path(folder))


@lru_cache(maxsize=16)
def _notes(upload: str, changed: int, columns: str | None) -> tuple[str, ...]:
    """`check_data` of a file as it was last changed; read once however often a form asks."""
    return check_data(upload, columns)


def _tokenizer_of(session: Session, source: str) -> Any:
    """The tokenizer of the model that would train; None where none can, which the form says."""
    if not source:
        return None
    try:
        return cached_tokenizer(str(session.anatomy(trained_model(session, source)).weights_folder))
    except ModelError:
        return None
