"""Anatomies of the presets, computed in advance and shipped: the page need not wait for torch.

Importing torch and transformers takes seconds, and a preset's anatomy stays the same while its
configuration and transformers do. `assets/anatomies/NAME.json` holds what `read_anatomy` found,
with a key of both; where the key does not match, the file is not used and the model is built.
`scripts/bundle_anatomies.py` writes the files, and a test builds every preset and compares.
"""

from __future__ import annotations

import hashlib
import json
from importlib.metadata import version
from pathlib import Path
from typing import Any

from qwen_ui.files import parse_json_file
from qwen_ui.model.anatomy import Anatomy
from qwen_ui.model.names import preset_file
from qwen_ui.model.record import anatomy_from_record, anatomy_to_record
from qwen_ui.model.weights.location import preset_weights
from qwen_ui.paths import ASSETS

FOLDER = ASSETS / "anatomies"


def bundled_anatomy(name: str) -> Anatomy | None:
    """The shipped anatomy of a preset; None where there is none, or its key does not match."""
    file = FOLDER / f"{name.lower()}.json"
    if preset_file(name) is None or not file.is_file():
        return None
    record = parse_json_file(file)
    if record.pop("key") != _key(name):
        return None
    weights = preset_weights(name)
    # Text reaches all of every one that is shipped; a test traces them.
    return anatomy_from_record(
        record, name, weights, lambda: _configuration(name), all_reached=True
    )


def write_anatomy(name: str, anatomy: Anatomy) -> Path:
    """Write the anatomy of a preset for `bundled_anatomy`."""
    record = {"key": _key(name), **anatomy_to_record(anatomy)}
    file = FOLDER / f"{name}.json"
    file.write_text(json.dumps(record, separators=(",", ":")) + "\n", encoding="utf-8")
    return file


def _key(name: str) -> str:
    """Hash of all that an anatomy depends on: the configuration and the library's version."""
    file = preset_file(name)
    assert file is not None
    text = file.read_text(encoding="utf-8") + version("transformers")
    return hashlib.sha256(text.encode()).hexdigest()


def _configuration(name: str) -> Any:
    from qwen_ui.model.catalog import find_model  # noqa: PLC0415  imports transformers

    return find_model(name).configuration
