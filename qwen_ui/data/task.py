"""Reading a person's data as tasks of a process with limits (`qwen_ui.limited`)."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any

from qwen_ui.data.measuring import measure_data, mistakes_in
from qwen_ui.data.preview import preview_data
from qwen_ui.data.reading import check_data
from qwen_ui.model.weights import load_tokenizer


def checked(source: str, columns: str | None, required: bool) -> list[str]:
    """The notes of `check_data`."""
    return list(check_data(source, columns, required=required))


def measured(tokenizer: str, **asked: Any) -> dict[str, Any]:
    """`measure_data` with the tokenizer of this folder, as a record."""
    return asdict(measure_data(tokenizer=load_tokenizer(Path(tokenizer)), **asked))


def mistaken(source: str, columns: str | None) -> list[Any]:
    """`mistakes_in`."""
    return list(mistakes_in(source, columns))


def previewed(tokenizer: str, **asked: Any) -> dict[str, Any]:
    """`preview_data` with the tokenizer of this folder, as a record."""
    return asdict(preview_data(tokenizer=load_tokenizer(Path(tokenizer)), **asked))
