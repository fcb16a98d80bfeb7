"""Anything that names or is a model -> its anatomy."""

from __future__ import annotations

from torch import nn
from transformers import PreTrainedConfig

from qwen_ui.model.anatomy import Anatomy, read_anatomy
from qwen_ui.model.catalog import find_model
from qwen_ui.model.presets import DEFAULT_MODEL
from qwen_ui.model.skeleton import build_skeleton


def open_model(source: str | PreTrainedConfig | nn.Module = DEFAULT_MODEL) -> Anatomy:
    """The anatomy of a model, from its configuration alone.

    Args:
        source: a preset name, a folder with a `config.json`, a `config.json` file, a hub id, a
            transformers configuration, or a torch module (whose data is not read).

    Raises:
        ModelError: there is no such model, or its configuration cannot be read or built.
    """
    if isinstance(source, nn.Module):
        return read_anatomy(source, source=type(source).__name__)
    if isinstance(source, PreTrainedConfig):
        return read_anatomy(build_skeleton(source), source=source.model_type, configuration=source)
    found = find_model(source)
    return read_anatomy(
        build_skeleton(found.configuration),
        source=found.name,
        configuration=found.configuration,
        weights_folder=found.weights_folder,
    )
