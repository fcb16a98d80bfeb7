"""Axolotl's settings of LoRA, alone and beside `unfrozen_parameters`.

The rule (Axolotl 067b021, `axolotl/loaders/adapter.py`): PEFT's, by other names, and with
`lora_target_linear` the last part of the name of every linear layer but the head. Dropout does not
stop it at stacked experts that a target means, as it does PEFT.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from qwen_ui.errors import PlanError
from qwen_ui.freeze.tools.adapter import adapter_from, one_or_list
from qwen_ui.freeze.tools.axolotl_pattern import axolotl_matches
from qwen_ui.freeze.tools.findings import Entry, Problem, Reading, in_tree_order
from qwen_ui.freeze.tools.parts import parts_of
from qwen_ui.freeze.tools.peft import read_adapter
from qwen_ui.freeze.tools.values import Values, flag
from qwen_ui.model import Anatomy

_LORA = {
    "target_modules": "lora_target_modules",
    "target_parameters": "lora_target_parameters",
    "modules_to_save": "lora_modules_to_save",
    "exclude_modules": "lora_exclude_modules",
    "layers_to_transform": "peft_layers_to_transform",
    "layers_pattern": "peft_layers_pattern",
    "rank_pattern": "lora_rank_pattern",
    "alpha_pattern": "lora_alpha_pattern",
    "trainable_token_indices": "peft_trainable_token_indices",
    "ensure_weight_tying": "peft_ensure_weight_tying",
    "layer_replication": "peft_layer_replication",
    "use_dora": "peft_use_dora",
    "r": "lora_r",
    "lora_dropout": "lora_dropout",
}


def read_lora(values: Values, anatomy: Anatomy, format: str) -> Reading:
    """What PEFT would do with Axolotl's settings of an adapter.

    Raises:
        PlanError: a setting is of another type, or lint cannot follow it.
    """
    given = {peft: values[own] for peft, own in _LORA.items() if values.get(own) is not None}
    if flag(values, "lora_target_linear"):
        listed = one_or_list(values, "lora_target_modules") or ()
        listed = (listed,) if isinstance(listed, str) else listed
        given["target_modules"] = list(dict.fromkeys((*listed, *_linear_leaves(anatomy))))
    elif given.get("target_modules") is None:
        given["target_modules"] = []
    if given.pop("layer_replication", None):
        raise PlanError(
            "`peft_layer_replication` repeats blocks before anything is matched, and lint has the "
            "model as it is. Take the setting out, and lint the rest."
        )
    told = []
    if values.get("lora_model_dir"):
        told.append(
            Problem(
                "warning",
                "Axolotl goes on with the adapter of lora_model_dir, whose own adapter_config.json "
                "says what it is on: the targets here are not looked at. Lint that file.",
            )
        )
    adapter = replace(adapter_from(given), names=_LORA)
    if not adapter.parameters:
        adapter = replace(adapter, dropout=False)
    return read_adapter(format, adapter, anatomy, told)


def _linear_leaves(anatomy: Anatomy) -> tuple[str, ...]:
    """`find_all_linear_names`: last parts of the names of linear layers, without the head's."""
    head = {"gpt_neox": "embed_out"}.get(anatomy.model_type, "lm_head")
    leaves = dict.fromkeys(
        part.name.rpartition(".")[2]
        for part in parts_of(anatomy).listed
        if part.kind == "linear"
        or ("Linear" in part.class_name and part.class_name != "LlamaLinearScalingRotaryEmbedding")
    )
    return tuple(leaf for leaf in leaves if leaf != head)


def read_both(values: Values, patterns: Sequence[str], anatomy: Anatomy, format: str) -> Reading:
    """An adapter and patterns: these are matched against the names inside PEFT's wrapper.

    Raises:
        PlanError: as `read_lora`.
    """
    lora = read_lora(values, anatomy, format)
    prefix = "base_model.model."
    wrapped = {
        f"{prefix}{name.rpartition('.')[0]}.base_layer.{name.rpartition('.')[2]}"
        if name in lora.adapted
        else f"{prefix}{name}": name
        for name in (p.name for p in anatomy.parameters)
    }
    adapters = {f"{prefix}{n.rpartition('.')[0]}.lora_A.default.weight": n for n in lora.adapted}
    known = tuple((*wrapped, *adapters))
    entries = []
    for pattern, found in zip(patterns, axolotl_matches(patterns, known), strict=True):
        hit = [known[i] for i in found]
        names = in_tree_order(anatomy, ({**wrapped, **adapters}[name] for name in hit))
        entries.append(Entry("unfrozen_parameters", pattern, names, candidates=known))
    matched = {known[i] for found in axolotl_matches(patterns, known) for i in found}
    told = Problem(
        "warning",
        "With an adapter, Axolotl holds unfrozen_parameters against the names inside PEFT's "
        f"wrapper, which begin with {prefix}, and freezes all else: the adapter itself, too. Use "
        "lora_modules_to_save for what should train beside it.",
    )
    return Reading(
        format,
        (*lora.entries, *entries),
        frozenset(wrapped[name] for name in matched if name in wrapped),
        frozenset(adapters[name] for name in matched if name in adapters),
        lora.adapter_elements
        if set(adapters) <= matched
        else (None if set(adapters) & matched else 0),
        (*lora.problems, told),
    )
