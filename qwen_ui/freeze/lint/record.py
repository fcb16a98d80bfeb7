"""A lint as JSON, and as one sentence."""

from __future__ import annotations

from typing import Any

from qwen_ui.formats import percent
from qwen_ui.freeze.lint.linting import Lint
from qwen_ui.freeze.lint.recognising import LINT_FORMATS
from qwen_ui.freeze.tools.findings import in_tree_order


def lint_record(lint: Lint) -> dict[str, Any]:
    """What `lint` prints as JSON; counts are elements."""
    return {
        "model": lint.anatomy.source,
        "format": lint.format,
        "title": LINT_FORMATS[lint.format],
        "clean": not lint.errors,
        "summary": lint_summary(lint),
        "entries": [
            {
                "setting": entry.setting,
                "entry": entry.entry,
                "matches": len(entry.names),
                "names": list(entry.names),
                "freezes": entry.freezes,
                "problem": entry.problem,
            }
            for entry in lint.entries
        ],
        "trainable_names": sorted(lint.names),
        "adapted_names": list(in_tree_order(lint.anatomy, lint.adapted)),
        "trainable_parameters": lint.trainable_parameters,
        "adapter_parameters": lint.adapter_parameters,
        "total_parameters": lint.anatomy.total_parameters,
        "plan": lint.plan.to_dict(),
        "problems": [{"severity": p.severity, "message": p.message} for p in lint.problems],
    }


def lint_summary(lint: Lint) -> str:
    """What trains, in one sentence."""
    if not lint.names:
        return f"Nothing trains in {lint.anatomy.source}."
    size = lint.trainable_parameters
    count = "a number of parameters that is not known" if size is None else f"{size:,} parameters"
    everything = f"{len(lint.anatomy.parameters):,} tensors of {lint.anatomy.source}"
    if lint.adapted:
        whole = len(lint.names) - len(lint.adapted)
        return (
            f"Of {everything}, {len(lint.adapted):,} get an adapter and {whole:,} train whole: "
            f"{count} in all."
        )
    share = percent((size or 0) / max(lint.anatomy.total_parameters, 1))
    return f"Of {everything}, {len(lint.names):,} train: {count}, {share}."
