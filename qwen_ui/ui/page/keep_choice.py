"""The choice of a text to keep that Train and Compare share: shipped, a person's file, or none."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import gradio as gr

from qwen_ui.errors import DataError, UserError
from qwen_ui.files import read_json
from qwen_ui.model import NANO
from qwen_ui.paths import ASSETS
from qwen_ui.runs import setting_label
from qwen_ui.ui.page.data_choice import OWN, keep_upload, own_file
from qwen_ui.ui.page.event_options import QUIET
from qwen_ui.ui.page.stand_in import trained_model

if TYPE_CHECKING:
    from qwen_ui.ui.page.header import Header
    from qwen_ui.ui.page.session import Session

AUSTEN, GENERAL, NONE = "Jane Austen, plain text", "General questions, as chats", "None"
SHIPPED_TO_KEEP = {AUSTEN: "austen-keep.txt", GENERAL: "general-chat.jsonl"}
ABOUT = "The run shows what the model forgets of it."


def keep_fields(prefix: str) -> tuple[gr.Dropdown, gr.File]:
    """Takes a text to keep; the file is shown where "My own file" is chosen."""
    choice = gr.Dropdown(
        [AUSTEN, GENERAL, OWN, NONE],
        value=AUSTEN,
        label=setting_label("keep"),
        info=ABOUT,
        elem_id=f"{prefix}-keep",
    )
    return choice, own_file("Text to keep", f"{prefix}-keep-upload")


def kept_text_file(choice: str, upload: str | None) -> str | None:
    """The file of this choice, one's own copied beside the runs; None for none.

    Raises:
        DataError: an own file was chosen and none is there.
    """
    if choice in SHIPPED_TO_KEEP:
        return str(ASSETS / "data" / SHIPPED_TO_KEEP[choice])
    if choice != OWN:
        return None
    if not upload:
        raise DataError("No text to keep was chosen. Upload one, or choose another or none.")
    return keep_upload(upload)


def suited(session: Session, source: str) -> str:
    """The shipped text that the model of the header, or what trains for it, does well on."""
    try:
        model = trained_model(session, source) if source else NANO
        folder = session.anatomy(model).weights_folder
    except UserError:
        return AUSTEN
    if model == NANO or folder is None or not _has_template(folder):
        return AUSTEN
    return GENERAL


def _has_template(folder: Path) -> bool:
    if (folder / "chat_template.jinja").is_file():
        return True
    return bool(read_json(folder / "tokenizer_config.json").get("chat_template"))


def wire_keep(header: Header, session: Session, data: Any, choice: Any, upload: Any) -> None:
    """Shipped data go with a shipped text, own data with none until one is chosen."""

    def on_model(source: str, chosen: str) -> str:
        return chosen if chosen in {OWN, NONE} else suited(session, source)

    def on_data(source: str, data: str, chosen: str) -> str:
        if chosen == OWN:
            return chosen
        return NONE if data == OWN else suited(session, source)

    header.model.change(on_model, [header.model, choice], choice, **QUIET)
    data.change(on_data, [header.model, data, choice], choice, **QUIET)
    choice.change(lambda chosen: gr.File(visible=chosen == OWN), choice, upload, **QUIET)
