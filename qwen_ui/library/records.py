"""Models and selections as JSON: what commands print and what programs are answered."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from qwen_ui.errors import ModelError
from qwen_ui.freeze import Selection
from qwen_ui.model import Anatomy
from qwen_ui.model.weights import check_weights, quantization_of, unread_weights, weights_of


def inspect_record(anatomy: Anatomy) -> dict[str, Any]:
    """What `inspect` prints as JSON; counts are elements, `bytes` bytes."""
    return {
        "model": anatomy.source,
        "model_type": anatomy.model_type,
        "total_parameters": anatomy.total_parameters,
        "block_count": anatomy.block_count,
        "blocks": [
            {"index": b.index, "name": b.name, "class": b.class_name, "parameters": b.parameters}
            for b in anatomy.blocks
        ],
        "kinds": [
            {
                "kind": k.kind,
                "role": str(k.role),
                "shape": list(k.shape),
                "parameters": k.parameters,
                "blocks": list(k.blocks),
            }
            for k in anatomy.kinds
        ],
        "tied": [list(group) for group in anatomy.tied],
        "modules": len(anatomy.modules),
        "tensors": len(anatomy.parameters),
        "dtype": anatomy.dtype,
        "quantization": quantization_of(anatomy) or None,
        "notes": list(anatomy.notes),
        "bytes": anatomy.bytes,
        "weights": weights_record(anatomy),
    }


def weights_record(anatomy: Anatomy) -> dict[str, Any] | None:
    """Whether the model's weight files fit, judged by their headers; None where it has none."""
    if anatomy.weights_folder is None:
        said = unread_weights(anatomy)
        return {"fits": False, "summary": said} if said else None
    try:
        stored = weights_of(anatomy)
    except ModelError as error:
        return {"fits": False, "summary": str(error)}
    found = check_weights(anatomy, stored)
    return {
        "fits": found.fits,
        "summary": found.sentence,
        "files": len(stored.files),
        "bytes_read": stored.bytes_read,
        **asdict(found),
    }


def freeze_record(selection: Selection) -> dict[str, Any]:
    """What `freeze` prints as JSON."""
    return {
        "model": selection.anatomy.source,
        "total_parameters": selection.total_parameters,
        "trainable_parameters": selection.trainable_parameters,
        "trainable_fraction": selection.trainable_fraction,
        "trainable_names": sorted(selection.names),
        "blocks": [
            {"index": index, "total_parameters": total, "trainable_parameters": trained}
            for index, total, trained in selection.block_counts
        ],
        "prefix_blocks": selection.prefix_blocks,
        "summary": selection.summary,
        "warnings": list(selection.warnings),
        "plan": selection.plan.to_dict(),
    }
