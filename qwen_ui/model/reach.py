"""Which parameters of a model text reaches. Imports no torch for one that is shipped."""

from __future__ import annotations

from qwen_ui.model.anatomy import Anatomy


def unreached(anatomy: Anatomy) -> frozenset[str]:
    """First names of the parameters that text gives no gradient.

    Image towers and projectors, attention to an encoder that is not there, poolers, and what only
    decides which tokens or experts are taken (an indexer, a router's correction). Traced once for
    each anatomy.
    """
    if anatomy.all_reached:
        return frozenset()
    from qwen_ui.model.reach_tracing import unreached_by_text  # noqa: PLC0415  imports torch

    return unreached_by_text(anatomy)
