"""PEFT's translation of targets for models whose experts transformers 5 keeps in one tensor.

By peft 0.21.2, `peft/utils/transformers_weight_conversion.py`, `_convert_peft_config_moe`: for a
family whose checkpoints are renamed like Mixtral's or Qwen2-MoE's, a target such as `gate_proj`
means the stacked tensor `gate_up_proj`, and *no module of that name any more*, so that a dense MLP
or a shared expert of the same model gets no adapter by it. Two matrices that are stacked must be
targeted together, and get the rank of both.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

from qwen_ui.freeze.tools.adapter import ALL_LINEAR, Adapter
from qwen_ui.freeze.tools.peft_rule import PeftRule
from qwen_ui.model import Anatomy

# Of a family, the old name of a module -> the end of the stacked tensor's name.
_RENAMED = {
    "mixtral": {
        "gate": "gate.weight",
        "w1": "gate_up_proj",
        "w3": "gate_up_proj",
        "w2": "down_proj",
    },
    "qwen2_moe": {
        "gate": "gate.weight",
        "gate_proj": "gate_up_proj",
        "up_proj": "gate_up_proj",
        "down_proj": "down_proj",
    },
}
_STACKED = "gate_up_proj"


@dataclass(frozen=True, slots=True)
class Translated:
    """What PEFT makes of the targets.

    Attributes:
        adapter: the settings that the rule is applied to.
        meant: of a target as it was written, what stands for it: a target or a target parameter.
        refusal: the sentence on why PEFT stops; empty where it does not.
    """

    adapter: Adapter
    meant: dict[str, tuple[str, ...]]
    refusal: str = ""


def translated(adapter: Adapter, anatomy: Anatomy) -> Translated | None:
    """The translation for this model; None where PEFT makes none, as for what is not LoRA."""
    renamed = _renamed(anatomy)
    if renamed is None or adapter.target is None or adapter.method != "LORA":
        return None
    if isinstance(adapter.target, str):
        targets = _spelled_out(adapter, anatomy, renamed)
        if not targets:
            return None
    else:
        targets = {item: (item,) for item in adapter.target}
    meant: dict[str, tuple[str, ...]] = {}
    modules: list[str] = []
    stacked: set[str] = set()
    tensors = list(adapter.parameters)
    for written, items in targets.items():
        for item in items:
            old = next((o for o in renamed if item == o or item.endswith(f".{o}")), None)
            new = item if old is None else renamed[old]
            meant[written] = (*meant.get(written, ()), new)
            if old is None:
                modules.append(item)
                continue
            tensors.append(new)
            if new == _STACKED:
                stacked.add(old)
    halves = {old for old, new in renamed.items() if new == _STACKED}
    if stacked and stacked != halves:
        missing, present = sorted(halves - stacked), sorted(stacked)
        return Translated(
            adapter,
            meant,
            f"PEFT refuses {present[0]} without {missing[0]}: both are one tensor, {_STACKED}, in "
            f"{anatomy.source}. Target both or neither.",
        )
    ranks = dict(adapter.rank_pattern)
    if stacked:
        ranks[rf".*\.{re.escape(_STACKED)}"] = adapter.rank * len(halves)
    changed = replace(
        adapter,
        target=tuple(dict.fromkeys(modules)),
        parameters=tuple(dict.fromkeys(tensors)),
        rank_pattern=ranks,
    )
    return Translated(changed, meant)


def _renamed(anatomy: Anatomy) -> dict[str, str] | None:
    from qwen_ui.model.libraries import (  # noqa: PLC0415  loads transformers
        CONVERTED_LIKE,
        get_checkpoint_conversion_mapping,
    )

    if get_checkpoint_conversion_mapping(anatomy.model_type) is None:
        return None
    like = "mixtral" if anatomy.model_type == "mixtral" else CONVERTED_LIKE.get(anatomy.model_type)
    return _RENAMED.get(like or "")


def _spelled_out(
    adapter: Adapter, anatomy: Anatomy, renamed: dict[str, str]
) -> dict[str, tuple[str, ...]]:
    """A regular expression, or `all-linear`, as the last parts of the names that it means."""
    written = adapter.target
    assert isinstance(written, str)
    rule = PeftRule(adapter, anatomy)
    if written.lower() == ALL_LINEAR:
        leaves = {name.rpartition(".")[2] for name in rule.all_linear}
        return {written: tuple(sorted(leaves | set(renamed)))}
    tensors = [p.name for p in anatomy.parameters]
    found = {n.rpartition(".")[2] for n in rule.meant_by(written, [*rule.keys, *tensors])}
    for old, new in renamed.items():
        if old in found:
            continue
        holders = {n.rpartition(".")[0] for n in tensors if n.rpartition(".")[2] == new}
        if rule.meant_by(written, [f"{holder}.{old}" for holder in sorted(holders)]):
            found.add(old)
    return {written: tuple(sorted(found))} if found else {}
