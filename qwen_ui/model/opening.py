"""A model, or the name of one -> its anatomy.

torch and transformers are imported where a model is built: a preset whose anatomy is shipped
(`qwen_ui.model.bundled`) opens without them.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from qwen_ui import visits
from qwen_ui.errors import ModelError
from qwen_ui.limited import WARM, Limits
from qwen_ui.model.anatomy import Anatomy
from qwen_ui.model.bundled import bundled_anatomy
from qwen_ui.model.names import DEFAULT_MODEL, named_model
from qwen_ui.model.record import anatomy_from_record

if TYPE_CHECKING:
    from torch import nn

    from qwen_ui.model.libraries import PreTrainedConfig

# DeepSeek V3 takes 0.4 s and 512 layers of Qwen2 take 2.3 s; the hub may be slow.
OPENING = Limits(seconds=20.0, memory=3 * 1024**3, patience=90.0)


def open_model(source: str | PreTrainedConfig | nn.Module = DEFAULT_MODEL) -> Anatomy:
    """The anatomy of a model, from its configuration alone.

    Args:
        source: a preset name, a folder with a `config.json`, a `config.json` file, a hub id, a
            transformers configuration, or a torch module (whose data is not read).

    Raises:
        ModelError: there is no such model, or its configuration cannot be read or built.
    """
    if isinstance(source, str):
        visits.refuse_model(source)
        if (bundled := bundled_anatomy(named_model(source))) is not None:
            return bundled
    return build_anatomy(source)


def build_anatomy(source: str | PreTrainedConfig | nn.Module) -> Anatomy:
    """As `open_model`, always by building the weightless module."""
    from torch import nn  # noqa: PLC0415  seconds

    from qwen_ui.model.reading import read_anatomy  # noqa: PLC0415
    from qwen_ui.model.skeleton import build_skeleton  # noqa: PLC0415

    if isinstance(source, nn.Module):
        return read_anatomy(source, source=type(source).__name__)
    if not isinstance(source, str):
        configuration: Any = source
        return read_anatomy(
            build_skeleton(configuration),
            source=configuration.model_type,
            configuration=configuration,
        )
    return build_named(source)[0]


def build_named(source: str) -> tuple[Anatomy, bool]:
    """The anatomy of a named model, and whether its files break a tie of its configuration."""
    from qwen_ui.model.catalog import find_model  # noqa: PLC0415
    from qwen_ui.model.reading import read_anatomy  # noqa: PLC0415
    from qwen_ui.model.skeleton import build_skeleton  # noqa: PLC0415
    from qwen_ui.model.weights.tying import (  # noqa: PLC0415
        untied_configuration,
        untied_note,
        untied_pair,
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
        return anatomy, False
    configuration = untied_configuration(found.configuration)
    untied = read_anatomy(
        build_skeleton(configuration),
        source=found.name,
        configuration=configuration,
        weights_folder=found.weights_folder,
        notes=(untied_note(pair),),
    )
    return untied, True


def open_within_limits(source: str) -> Anatomy:
    """As `open_model`, where others are not to wait: another process builds what is not shipped.

    Raises:
        ModelError: as `open_model`; or opening it takes more than `OPENING` allows.
    """
    visits.refuse_model(source)
    name = named_model(source)
    if (bundled := bundled_anatomy(name)) is not None:
        return bundled

    def refusal(why: str) -> ModelError:
        return ModelError(
            f"'{name[:100]}' cannot be opened: {why}. If its configuration is right, inspect it "
            "on the command line, where nothing else waits for it."
        )

    record = WARM.run("qwen_ui.model.opening_task:opened", {"source": name}, OPENING, refusal)
    folder = record["weights_folder"]
    return anatomy_from_record(
        record,
        record["source"],
        None if folder is None else Path(folder),
        lambda: _configuration(name, untied=record["untied"]),
    )


def _configuration(source: str, *, untied: bool) -> Any:
    from qwen_ui.model.catalog import find_model  # noqa: PLC0415  imports transformers
    from qwen_ui.model.weights.tying import untied_configuration  # noqa: PLC0415

    configuration = find_model(source).configuration
    return untied_configuration(configuration) if untied else configuration
