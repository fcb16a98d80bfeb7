"""Rankings kept on disk, under the very model, data and settings that they were made with."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

from qwen_ui.files import parse_json_file, write_json
from qwen_ui.model import open_model
from qwen_ui.model.weights import folder_fingerprint, weights_folder
from qwen_ui.paths import home
from qwen_ui.rank.ranking import BATCH_SIZE, SEQUENCE_LENGTH, SEQUENCES, Ranking

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
    return _file(folder, method).is_file()


def read_ranking(folder: Path, method: str) -> Ranking:
    """The ranking that was saved in this folder."""
    return Ranking.from_record(parse_json_file(_file(folder, method)))


def save_ranking(folder: Path, ranking: Ranking) -> None:
    """Keep a ranking in this folder, under its method's name."""
    folder.mkdir(parents=True, exist_ok=True)
    write_json(_file(folder, ranking.method), ranking.record())


def _file(folder: Path, method: str) -> Path:
    return folder / f"{method}.json"
