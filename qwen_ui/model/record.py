"""An anatomy as JSON, and back: shipped in a file, or handed from one process to another."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

from qwen_ui.model.anatomy import Anatomy, Block, Module, Parameter, Role


def anatomy_to_record(anatomy: Anatomy) -> dict[str, Any]:
    """What `anatomy_from_record` needs, apart from where it was opened from."""
    return {
        "model_type": anatomy.model_type,
        "dtype": anatomy.dtype,
        "stack": anatomy.stack,
        "config": anatomy.config,
        "parameters": [asdict(parameter) for parameter in anatomy.parameters],
        "modules": [asdict(module) for module in anatomy.modules],
        "blocks": [asdict(block) for block in anatomy.blocks],
        "buffers": list(anatomy.buffers),
        "notes": list(anatomy.notes),
        "encoder_decoder": anatomy.encoder_decoder,
    }


def anatomy_from_record(
    record: dict[str, Any],
    source: str,
    weights_folder: Path | None,
    load_configuration: Callable[[], Any],
    *,
    all_reached: bool = False,
) -> Anatomy:
    """The anatomy of a record.

    Args:
        source: what it was opened from, as the person named it.
        weights_folder: folder with its safetensors files; None where they are not here.
        load_configuration: gives transformers' object when it is asked for.
        all_reached: whether text is known to give every parameter a gradient.
    """
    return Anatomy(
        source=source,
        model_type=record["model_type"],
        dtype=record["dtype"],
        parameters=tuple(_tuples(Parameter, fields) for fields in record["parameters"]),
        modules=tuple(_tuples(Module, fields) for fields in record["modules"]),
        blocks=tuple(Block(**fields) for fields in record["blocks"]),
        stack=record["stack"],
        config=record["config"],
        buffers=tuple(record["buffers"]),
        notes=tuple(record["notes"]),
        weights_folder=weights_folder,
        load_configuration=load_configuration,
        encoder_decoder=record["encoder_decoder"],
        all_reached=all_reached,
    )


def _tuples(kind: type[Any], fields: dict[str, Any]) -> Any:
    """A record of this kind; JSON's lists become tuples and its role a `Role`."""
    values = {k: tuple(v) if isinstance(v, list) else v for k, v in fields.items()}
    return kind(**{**values, "role": Role(fields["role"])})
