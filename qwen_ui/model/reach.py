"""Which parameters of a multimodal model text reaches. Imports no torch for one of text alone."""

from __future__ import annotations

from qwen_ui.model.anatomy import Anatomy


def unreached(anatomy: Anatomy) -> frozenset[str]:
    """First names of the parameters that no text gives a gradient: image towers, projectors.

    Traced once for each anatomy whose configuration is made of parts; a model of text alone has
    none and is not run.
    """
    parts = [v for v in anatomy.config.values() if isinstance(v, dict) and "model_type" in v]
    if not parts:
        return frozenset()
    from qwen_ui.model.reach_tracing import unreached_by_text  # noqa: PLC0415  imports torch

    return unreached_by_text(anatomy)
