"""A model, or the name of one -> its anatomy.

torch and transformers are imported where a model is built: a preset whose anatomy is shipped
(`qwen_ui.model.bundled`) opens without them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from qwen_ui.model.anatomy import Anatomy
from qwen_ui.model.bundled import bundled_anatomy
from qwen_ui.model.names import DEFAULT_MODEL

if TYPE_CHECKING:
    from torch import nn

    from qwen_ui.model.libraries import PreTrainedConfig


def open_model(source: str | PreTrainedConfig | nn.Module = DEFAULT_MODEL) -> Anatomy:
    """The anatomy of a model, from its configuration alone.

    Args:
        source: a preset name, a folder with a `config.json`, a `config.json` file, a hub id, a
            transformers configuration, or a torch module (whose data is not read).

    Raises:
        ModelError: there is no such model, or its configuration cannot be read or built.
    """
    if isinstance(source, str) and (bundled := bundled_anatomy(source.strip())) is not None:
        return bundled
    return build_anatomy(source)


def build_anatomy(source: str | PreTrainedConfig | nn.Module) -> Anatomy:
    """As `open_model`, always by building the weightless module."""
    from torch import nn  # noqa: PLC0415  seconds

    from qwen_ui.model.catalog import find_model  # noqa: PLC0415
    from qwen_ui.model.reading import read_anatomy  # noqa: PLC0415
    from qwen_ui.model.skeleton import build_skeleton  # noqa: PLC0415
    from qwen_ui.model.weights.tying import (  # noqa: PLC0415
        untied_configuration,
        untied_note,
        untied_pair,
    )

    if isinstance(source, nn.Module):
        return read_anatomy(source, source=type(source).__name__)
    if not isinstance(source, str):
        configuration: Any = source
        return read_anatomy(
            build_skeleton(configuration),
            source=configuration.model_type,
            configuration=configuration,
        )
    found = find_model(source)
    anatomy = read_anatomy(
        build_skeleton(found.configuration),
        source=found.name,
        configuration=found.configuration,
        weights_folder=found.weights_folder,
    )
    pair = untied_pair(anatomy)
    if not pair:
        return anatomy
    configuration = untied_configuration(found.configuration)
    return read_anatomy(
        build_skeleton(configuration),
        source=found.name,
        configuration=configuration,
        weights_folder=found.weights_folder,
        notes=(untied_note(pair),),
    )
