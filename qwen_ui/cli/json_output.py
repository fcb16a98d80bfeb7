"""The JSON shapes that the command line prints and the API returns (the table in the README)."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from qwen_ui.errors import ModelError
from qwen_ui.model.weights.fit import check_weights, weights_of

if TYPE_CHECKING:
    from qwen_ui.freeze import Selection
    from qwen_ui.freeze.cost.estimate import Cost
    from qwen_ui.model import Anatomy
    from qwen_ui.report.report import Report


def inspect_record(anatomy: Anatomy) -> dict[str, Any]:
    """What `inspect` says of a model; counts are elements, `bytes` bytes."""
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
        "bytes": anatomy.bytes,
        "weights": weights_record(anatomy),
    }


def weights_record(anatomy: Anatomy) -> dict[str, Any] | None:
    """Whether the weights at hand fit, by their headers; None where there are none."""
    if anatomy.weights_folder is None:
        return None
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
        **{name: list(names) for name, names in asdict(found).items()},
    }


def freeze_record(selection: Selection) -> dict[str, Any]:
    """What `freeze` says of a plan resolved on a model."""
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


def cost_record(selection: Selection, cost: Cost, full: Cost) -> dict[str, Any]:
    """What `cost` says of a step of a plan, and under `full` of training everything."""
    return {"model": selection.anatomy.source, **asdict(cost), "full": asdict(full)}


def report_record(report: Report) -> dict[str, Any]:
    """What `report` says of a model."""
    return {
        "checks": [
            {"name": check.name, "passed": check.passed, "evidence": check.evidence}
            for check in report.checks
        ],
        "markdown": report.markdown,
    }
