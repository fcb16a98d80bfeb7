"""Where tensors outside the blocks are used: before the first block, between, or after the last.

The order of names does not show it. OPT lists its final norm before its blocks; Gemma 3n lists
projections after its blocks that are used before and between them. So one fake forward pass is run
and the order of the calls is recorded. What is not called as a module is taken to come first: that
may cost speed, but is never wrong.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

import torch

from qwen_ui.model import Anatomy, fake_model, once_per_anatomy

_log = logging.getLogger(__name__)


@once_per_anatomy
def entry_blocks(anatomy: Anatomy) -> dict[str, int]:
    """Name of a tensor outside the blocks -> the first block whose input may depend on it.

    `block_count` for what is used only after the last block. A tensor that is missing here comes
    first. Computed once per anatomy.
    """
    if anatomy.configuration is None:
        return {}
    try:
        calls = _calls(anatomy)
    except Exception:
        # Model classes may raise anything in a fake forward pass; then all tensors come first.
        _log.warning("no fake forward of %s; prefix taken as 0", anatomy.model_type, exc_info=True)
        return {}
    return _read(anatomy, calls)


def _calls(anatomy: Anatomy) -> list[str]:
    """Names of the blocks and of the modules that hold tensors outside them, as entered."""
    fake = fake_model(anatomy)
    blocks = {block.name for block in anatomy.blocks}
    owners = {p.rpartition(".")[0] for q in anatomy.parameters if q.block is None for p in q.names}
    modules = dict(fake.module.named_modules(remove_duplicate=False))
    calls: list[str] = []
    handles = [
        modules[name].register_forward_pre_hook(_recorder(name, calls))
        for name in blocks | owners
        if name in modules
    ]
    with fake.running(), torch.no_grad():
        fake.module(**fake.inputs(1, 8))
    for handle in handles:
        handle.remove()
    return calls


def _recorder(name: str, calls: list[str]) -> Callable[[torch.nn.Module, Any], None]:
    def record(module: torch.nn.Module, arguments: Any) -> None:
        calls.append(name)

    return record


def _read(anatomy: Anatomy, calls: list[str]) -> dict[str, int]:
    order = {block.name: block.index for block in anatomy.blocks}
    if [order[c] for c in calls if c in order] != list(range(anatomy.block_count)):
        # A stack that loops, or runs in another order, has no prefix.
        return {}
    entered = 0
    first: dict[str, int] = {}
    for call in calls:
        if call in order:
            entered = order[call] + 1
        else:
            first.setdefault(call, entered)
    entries = {}
    for parameter in anatomy.parameters:
        at = [first[o] for n in parameter.names if (o := n.rpartition(".")[0]) in first]
        if parameter.block is None and at:
            entries[parameter.name] = min(at)
    return entries
