"""Whether the data that a form names can be used, before anything is launched on them."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from qwen_ui.data import (
    check_within_limits,
    measure_within_limits,
    mistakes_within_limits,
    preview_within_limits,
)
from qwen_ui.errors import DataError, ModelError, UserError
from qwen_ui.markup import render
from qwen_ui.model import embedding_rows
from qwen_ui.model.weights import why_no_weights
from qwen_ui.ui.page.data_choice import OWN
from qwen_ui.ui.page.keep_choice import NONE
from qwen_ui.ui.page.kept import Kept
from qwen_ui.ui.page.stand_in import trained_model
from qwen_ui.ui.page.templates import paragraph

if TYPE_CHECKING:
    from qwen_ui.data import Measure, Preview
    from qwen_ui.model import Anatomy
    from qwen_ui.ui.page.session import Session

LENGTH = 128
MOST_PREVIEWS = 64


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
    keep: str = NONE,
    keep_upload: str | None = None,
    length: float | None = None,
    packing: bool = False,
) -> DataCheck:
    """Check own data for a model, and an own text to keep; shipped ones are right.

    Args:
        source: the model of the header, "" while there is none.
        columns: the mapping by hand, as for `load_examples`.
        keep: the choice of a text to keep.
        length: tokens per sequence.
    """
    if keep == OWN and not keep_upload:
        return DataCheck(False, paragraph("Upload a text to keep, or choose none.", "q-data-note"))
    if choice != OWN:
        return _checked_keep(keep_upload) if keep == OWN else DataCheck(True, "")
    if not upload:
        return DataCheck(False, paragraph("Upload a file first.", "q-data-note"))
    columns = (columns or "").strip() or None
    try:
        notes = _notes(upload, columns)
        if eval_upload:
            _notes(eval_upload, columns, required=False)
        if keep == OWN and keep_upload:
            _notes(keep_upload, columns, required=False)
        anatomy = _trained(session, source)
        if anatomy is not None:
            data_preview(anatomy, upload, int(length or LENGTH), packing=packing, columns=columns)
    except UserError as error:
        return DataCheck(False, _said_wrong(upload, columns, error))
    return DataCheck(True, paragraph(" ".join(notes), "q-data-note") if notes else "")


def _said_wrong(upload: str, columns: str | None, error: UserError) -> str:
    """What is wrong with a file: every mistake by its line, or the one that ended the reading."""
    said, count = [str(error)], 1
    if isinstance(error, DataError):
        try:
            found = _mistakes_of.get(
                (*_version(upload), columns), lambda: mistakes_within_limits(upload, columns)
            )
        except UserError:
            found = ([], 0)  # the first error says it
        if found[1] > 1:
            said, count = found
    return render("page/data_mistakes.html", mistakes=said, count=count)


def _checked_keep(upload: str | None) -> DataCheck:
    """An own text to keep beside shipped data, which have no columns by hand."""
    assert upload is not None
    try:
        _notes(upload, None, required=False)
    except UserError as error:
        return DataCheck(False, paragraph(f"Text to keep: {error}", "q-data-note q-bad"))
    return DataCheck(True, "")


def data_preview(
    anatomy: Anatomy,
    data: str,
    length: int,
    *,
    packing: bool = False,
    columns: str | None = None,
    first: int = 0,
) -> Preview:
    """Sequences of a file for a model that has weights, from this place on; kept while neither
    changes.

    Raises:
        UserError: as `preview_within_limits`.
    """
    folder = _folder_of(anatomy)
    key = (*_version(data), str(folder), anatomy.source, length, packing, columns, first)
    return _previews.get(
        key,
        lambda: preview_within_limits(
            data,
            folder,
            length,
            packing=packing,
            columns=columns,
            rows=embedding_rows(anatomy),
            model=anatomy.source,
            first=first,
        ),
    )


def data_measure(
    anatomy: Anatomy,
    data: str,
    length: int,
    *,
    packing: bool = False,
    columns: str | None = None,
) -> Measure:
    """How much a file holds for a model that has weights; kept while neither changes.

    Raises:
        UserError: as `measure_within_limits`.
    """
    folder = _folder_of(anatomy)
    return _measures.get(
        (*_version(data), str(folder), length, packing, columns),
        lambda: measure_within_limits(data, folder, length, packing=packing, columns=columns),
    )


def _folder_of(anatomy: Anatomy) -> Path:
    if anatomy.weights_folder is None:
        raise ModelError(why_no_weights(anatomy))
    return anatomy.weights_folder


_previews: Kept[tuple[Hashable, ...], Preview] = Kept(MOST_PREVIEWS)
_measures: Kept[tuple[Hashable, ...], Measure] = Kept(MOST_PREVIEWS)
_mistakes_of: Kept[tuple[Hashable, ...], tuple[list[str], int]] = Kept(MOST_PREVIEWS)
_notes_of: Kept[tuple[Hashable, ...], tuple[str, ...]] = Kept(MOST_PREVIEWS)


def _version(file: str) -> tuple[str, int, int]:
    """A file as it is now: what was found in it before holds while this does."""
    try:
        about = Path(file).stat()
    except OSError as error:
        raise DataError(f"The file '{Path(file).name}' is gone. Upload it again.") from error
    return file, about.st_size, about.st_mtime_ns


def _notes(file: str, columns: str | None, *, required: bool = True) -> tuple[str, ...]:
    """`check_data` of a file, read once however often a form asks."""
    return _notes_of.get(
        (*_version(file), columns, required),
        lambda: check_within_limits(file, columns, required=required),
    )


def _trained(session: Session, source: str) -> Anatomy | None:
    """The model that would train; None where none can, which the form says."""
    if not source:
        return None
    try:
        found = session.anatomy(trained_model(session, source))
    except ModelError:
        return None
    return found if found.weights_folder is not None else None
