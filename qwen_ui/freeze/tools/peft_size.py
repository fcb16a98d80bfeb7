"""How many elements the adapters of PEFT's LoRA hold.

A linear layer of n inputs and m outputs gets r (n + m) elements, an embedding of n rows the same; a
tensor that stacks the matrices of E experts gets E times that (`peft/tuners/lora/layer.py`,
peft 0.21.2). DoRA adds m, `lora_bias` adds m.
"""

from __future__ import annotations

import math

from qwen_ui.freeze.tools.peft_rule import PeftRule


def adapter_elements(rule: PeftRule) -> int | None:
    """Elements of all adapters; None where they are not counted here.

    That is for other methods than LoRA, for convolutions, and for a copy of an embedding of which
    rows train as well.
    """
    if rule.adapter.method != "LORA" or rule.whole_and_in_rows:
        return None
    if any(rule.kind(name) == "conv" for name in rule.adapted_modules):
        return None
    names = [*rule.adapted_modules, *rule.adapted_parameters]
    ranks = dict.fromkeys(names, rule.adapter.rank)
    matched = rule.by_pattern(rule.adapter.rank_pattern, names)
    # The first pattern that fits is the one that PEFT takes.
    for pattern, found in reversed(matched.items()):
        ranks |= dict.fromkeys(found, rule.adapter.rank_pattern[pattern])
    return sum(_elements(rule, name, rank) for name, rank in ranks.items())


def _elements(rule: PeftRule, name: str, rank: int) -> int:
    shapes = rule.anatomy.by_name
    if name in shapes and name in rule.adapted_parameters:
        shape = shapes[name].shape
        return math.prod(shape[:-2]) * rank * (shape[-1] + shape[-2])
    shape = shapes[f"{name}.weight"].shape
    # GPT-2's Conv1D holds its weight the other way round.
    outputs = shape[1] if rule.kind(name) in ("conv1d", "embedding") else shape[0]
    extra = int(rule.adapter.dora) + int(rule.adapter.lora_bias)
    return rank * (shape[0] + shape[1]) + extra * outputs
