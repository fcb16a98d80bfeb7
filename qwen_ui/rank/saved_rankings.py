"""Rankings kept on disk, under the very model, data and settings that they were made with."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field

from qwen_ui.errors import SettingsError
from qwen_ui.files import parse_json, write_json
from qwen_ui.model import open_model
from qwen_ui.model.weights import folder_fingerprint, weights_folder
from qwen_ui.paths import home
from qwen_ui.rank.ranking import BATCH_SIZE, SEQUENCE_LENGTH, SEQUENCES, Ranking
from qwen_ui.rank.scores import Total


class _Block(BaseModel):
    model_config = ConfigDict(strict=True)
    index: int = Field(ge=0, lt=2**31)
    score: float


class _Cell(_Block):
    kind: str


class _Record(BaseModel):
    """A ranking as its file holds it."""

    model_config = ConfigDict(strict=True)
    model: str
    method: str
    sequences: int = Field(ge=0, lt=2**53)
    blocks: list[_Block]
    cells: list[_Cell]
    unranked: list[str]
    total: Total


# Part of every folder's name: rankings of another format are made anew.
FORMAT = 3


def folder_for(model: str, data: str, columns: str | None = None) -> Path:
    """Where rankings of this model on this data, its columns read so, are kept.

    Raises:
        UserError: the model cannot be opened, or its weights are not on this machine.
    """
    file, anatomy = Path(data), open_model(model)
    content = file.read_bytes() if file.is_file() else b""
    parts = (
        FORMAT,
        folder_fingerprint(weights_folder(anatomy)),
        anatomy.configuration.to_json_string(),
        data,
        columns,
        [SEQUENCES, BATCH_SIZE, SEQUENCE_LENGTH],
        hashlib.sha256(content).hexdigest(),
    )
    return home() / "rankings" / hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:32]


def is_saved(folder: Path, method: str) -> bool:
    """Whether the ranking is there, whole; a damaged one counts as none, and is made anew."""
    return _read(folder, method) is not None


def read_ranking(folder: Path, method: str) -> Ranking:
    """The ranking that was saved in this folder.

    Raises:
        SettingsError: there is none, or its file is damaged.
    """
    found = _read(folder, method)
    if found is None:
        raise SettingsError(f"'{_file(folder, method)}' holds no ranking. Rank again.")
    return found


def _read(folder: Path, method: str) -> Ranking | None:
    try:
        record = parse_json(_file(folder, method).read_bytes())
        _Record.model_validate(record)
    except (OSError, ValueError):
        return None
    return Ranking.from_record(record)


def save_ranking(folder: Path, ranking: Ranking) -> None:
    """Keep a ranking in this folder, under its method's name."""
    folder.mkdir(parents=True, exist_ok=True)
    write_json(_file(folder, ranking.method), ranking.record())


def _file(folder: Path, method: str) -> Path:
    return folder / f"{method}.json"
