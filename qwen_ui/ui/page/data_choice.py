"""The choice of training data that Train and Compare share: shipped texts, or a person's file."""

from __future__ import annotations

import hashlib
import shutil
from pathlib import Path

import gradio as gr
from gradio.utils import get_upload_folder

from qwen_ui.data import DATA_SUFFIXES
from qwen_ui.errors import DataError
from qwen_ui.paths import ASSETS
from qwen_ui.runs import setting_label
from qwen_ui.visits import current_visit, own_folder

KJV, CHAT, OWN = "King James Bible, plain text", "King James Bible, as chats", "My own file"
SHIPPED = {KJV: "kjv-train.txt", CHAT: "kjv-chat.jsonl"}
HELD_OUT = {KJV: "kjv-eval.txt"}


def own_file(label: str, elem_id: str) -> gr.File:
    """Takes a data file; shown where "My own file" is chosen."""
    return gr.File(
        label=label,
        file_types=list(DATA_SUFFIXES),
        visible=False,
        elem_id=elem_id,
        elem_classes="q-upload",
        height=116,
    )


def own_columns(elem_id: str) -> gr.Textbox:
    """Takes a mapping of columns by hand; shown with the file."""
    return gr.Textbox(
        "",
        label=f"{setting_label('columns')} (default: by their names)",
        placeholder="prompt=question,completion=answer",
        max_length=2000,
        visible=False,
        elem_id=elem_id,
    )


def shown_with_own(choice: str) -> tuple[gr.File, gr.Textbox]:
    """The file and its columns, in sight where own data are chosen."""
    return gr.File(visible=choice == OWN), gr.Textbox(visible=choice == OWN)


def data_files(
    choice: str, upload: str | None, eval_upload: str | None = None
) -> tuple[str, str | None]:
    """(training file, evaluation file or None) of the form, own files where they were uploaded to.

    Raises:
        DataError: an own file was chosen and none is there.
    """
    if choice in SHIPPED:
        held_out = HELD_OUT.get(choice)
        data = ASSETS / "data"
        return str(data / SHIPPED[choice]), str(data / held_out) if held_out else None
    if not upload:
        raise DataError("No file was chosen. Upload one, or choose one of the bundled datasets.")
    return upload, eval_upload or None


def kept_files(
    choice: str, upload: str | None, eval_upload: str | None = None
) -> tuple[str, str | None]:
    """`data_files` that stay: own files are copied beside the runs.

    Raises:
        DataError: an own file was chosen and none is there.
    """
    data, held_out = data_files(choice, upload, eval_upload)
    if choice in SHIPPED:
        return data, held_out
    return keep_upload(data), keep_upload(held_out) if held_out else None


def data_names() -> tuple[str, ...]:
    """The bundled data by the names that programs use."""
    return tuple(SHIPPED.values())


def data_named(name: str) -> str:
    """The file of bundled data, of a kept upload, or of one that was just uploaded.

    Raises:
        DataError: it is none of these; a request may name no other file.
    """
    if name in SHIPPED.values():
        return str(ASSETS / "data" / name)
    uploaded = Path(get_upload_folder()).resolve()
    just_uploaded = Path(name).resolve().is_relative_to(uploaded) and current_visit() is None
    if is_known_data(name) or just_uploaded:
        return name
    raise DataError(
        f"There are no data '{name[:200]}'. Name one of {', '.join(data_names())}, or upload a "
        "file to the dashboard and give the path that it answers."
    )


def is_known_data(file: str) -> bool:
    """Whether it is a shipped file or a kept upload: a request may name no other."""
    path = Path(file)
    shipped = {ASSETS / "data" / name for name in (*SHIPPED.values(), *HELD_OUT.values())}
    kept = path.parent.parent == uploads_folder()
    return path in shipped or (".." not in path.parts and kept)


def uploads_folder() -> Path:
    """Where own files are kept."""
    return own_folder("uploads")


def keep_upload(upload: str) -> str:
    """Copy an uploaded file beside the runs: gradio clears its own copies away.

    It is stored in a folder named by the hash of its content, so that the same file is kept once
    and has its own name in every message.
    """
    source = Path(upload)
    with source.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()[:16]
    folder = uploads_folder() / digest
    folder.mkdir(parents=True, exist_ok=True)
    kept = folder / source.name
    if not kept.exists():
        shutil.copyfile(source, kept)
    return str(kept)
