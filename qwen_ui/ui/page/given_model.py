"""Models that a person gives to the page itself: a configuration pasted or dropped, a header."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from pathlib import Path

from qwen_ui.errors import ModelError
from qwen_ui.files import parse_json, replace_text
from qwen_ui.model import open_model, preset_models
from qwen_ui.visits import own_folder, refuse

MAX_CONFIG = 1024 * 1024
_WORD = re.compile(r"[^A-Za-z0-9._-]+")


def keep_configuration(text: str, file: str) -> str:
    """Keep a pasted or dropped configuration; the folder by which it is opened.

    Args:
        file: the file's own name, "" for pasted text.

    Raises:
        ModelError: it is no configuration, or too large for one.
    """
    refuse("Opening a configuration of your own")
    what = f"'{file[:100]}'" if file else "The pasted text"
    if len(text) > MAX_CONFIG:
        raise ModelError(f"{what} is larger than 1 MiB, which is too large for a configuration.")
    try:
        values = parse_json(text)
    except ValueError as error:
        raise ModelError(f"{what} is not JSON ({error}). Give the whole config.json.") from error
    if not isinstance(values, dict) or not isinstance(values.get("model_type"), str):
        raise ModelError(
            f"{what} names no model_type, so the architecture is unknown. Give a model's "
            "config.json."
        )
    stem = Path(file).stem if file else "pasted"
    named = values["model_type"] if stem in {"config", "pasted"} else stem
    digest = hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:6]
    folder = configurations_folder() / f"{_WORD.sub('-', named)[:40] or 'model'}-{digest}"
    folder.mkdir(parents=True, exist_ok=True)
    replace_text(folder / "config.json", text)
    return str(folder)


def configurations_folder() -> Path:
    """Where pasted and dropped configurations are kept."""
    return own_folder("configurations")


def shown_name(source: str) -> str:
    """What a model is called on the page: a configuration of a person's own by its name alone."""
    path = Path(source)
    return path.name if path.parent == configurations_folder() else source


def model_of_tensors(tensors: Mapping[str, tuple[int, ...]], file: str) -> str:
    """The bundled model whose parameters a safetensors header names.

    Args:
        tensors: shapes by name.
        file: its own name, for messages.

    Raises:
        ModelError: no bundled model has these; weights do not say their architecture.
    """
    for name in preset_models():
        parameters = open_model(name).parameters
        shapes = {alias: tuple(p.shape) for p in parameters for alias in p.names}
        if tensors and all(shapes.get(tensor) == shape for tensor, shape in tensors.items()):
            return name
    raise ModelError(
        f"'{file[:100]}' holds {len(tensors):,} tensors, and weights do not say how they are "
        "connected: no bundled model has these names and shapes. Drop the config.json that lies "
        "beside it, or name its folder."
    )
