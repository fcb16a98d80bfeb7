r"""Unsloth's `get_peft_model` arguments, on one model.

Two rules (Unsloth 015bdef, `unsloth/models/llama.py` and `unsloth/models/vision.py`; unsloth_zoo
ce232d6, `unsloth_zoo/peft_utils.py`, `get_peft_regex`):

- `FastLanguageModel` and a type that it has a class of its own for: a list of targets, seven by
  default; `embed_tokens` among them is trained whole, as a copy; only the head and the embedding
  may be in `modules_to_save`; `finetune_last_n_layers` are `layers_to_transform`.
- all else: the linear layers whose name has a part of the model (vision, language), then a kind of
  layer (attention, MLP), then the layer's own name, or that are the attention or MLP of
  `model.layers.N`. The arguments `finetune_...` say which parts and kinds. A list that none of them
  narrows is PEFT's own list.
"""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import replace

from qwen_ui.freeze.tools.adapter import ALL_LINEAR, Adapter, adapter_from
from qwen_ui.freeze.tools.findings import Problem, Reading
from qwen_ui.freeze.tools.parts import parts_of
from qwen_ui.freeze.tools.peft import read_adapter
from qwen_ui.freeze.tools.values import Values, flag, whole_number
from qwen_ui.model import Anatomy, match_names

DEFAULT_TARGETS = ("q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj")
# `unsloth/models/loader.py`: types that `FastLanguageModel` does not hand on to `FastModel`.
OWN_CLASSES = frozenset({"llama", "mistral", "gemma", "gemma2", "qwen2", "qwen3", "qwen3_moe"})
_VISION = ("vision", "image", "visual", "patch")
_LANGUAGE = ("language", "text")
_ATTENTION = ("self_attn", "attention", "attn", "mixer")
_MLP = ("mlp", "feed_forward", "ffn", "dense", "mixer")
_EXPERTS = {
    "gate_proj": "gate_up_proj",
    "up_proj": "gate_up_proj",
    "gate_up_proj": "gate_up_proj",
    "down_proj": "down_proj",
}
_SOUND = "finetune_audio_layers"
_PARTS = (
    "finetune_vision_layers",
    "finetune_language_layers",
    "finetune_attention_modules",
    "finetune_mlp_modules",
)


def read_unsloth(values: Values, anatomy: Anatomy, called: str = "FastLanguageModel") -> Reading:
    """What `get_peft_model` of one of Unsloth's classes would do with these arguments.

    Args:
        called: the class: `FastLanguageModel`, `FastModel` or `FastVisionModel`.

    Raises:
        PlanError: an argument is of another type.
    """
    own = called == "FastLanguageModel"
    given = dict(values)
    given.setdefault("r", 16)
    if own and "target_modules" not in given:
        given["target_modules"] = list(DEFAULT_TARGETS)
    last = whole_number(values, "finetune_last_n_layers", 0)
    if "finetune_last_n_layers" in values and given.get("layers_to_transform") is None:
        count = anatomy.block_count
        given["layers_to_transform"] = list(range(count - max(1, min(last, count)), count))
    pattern = ""
    told: list[Problem] = []
    if not (own and anatomy.model_type in OWN_CLASSES):
        pattern, told = _narrowed(given, anatomy, vision=not own)
    if pattern:
        given["target_modules"] = pattern
        given.pop("layers_pattern", None)
        if given.pop("layers_to_transform", None) is not None:
            told.append(
                Problem(
                    "error",
                    "PEFT refuses layers beside a regular expression, which Unsloth makes of these "
                    "targets. Give target_modules as a list, and no finetune_ argument.",
                )
            )
    adapter = adapter_from(given)
    asked: str | tuple[str, ...] | None = adapter.target
    if own and anatomy.model_type in OWN_CLASSES:
        adapter, told = _own_rule(adapter)
    elif pattern and isinstance(values.get("target_modules"), list) and _has_mlp_and_text(values):
        asked = tuple(str(item) for item in values["target_modules"])
    return read_adapter("unsloth", _with_experts(adapter, asked, anatomy), anatomy, told)


def _has_mlp_and_text(values: Values) -> bool:
    return all(flag(values, part, True) for part in (_PARTS[1], _PARTS[3]))


def _own_rule(adapter: Adapter) -> tuple[Adapter, list[Problem]]:
    told = []
    if isinstance(adapter.target, str):
        told.append(
            Problem(
                "error",
                f"FastLanguageModel takes target_modules for a list and would read "
                f"'{adapter.target}' letter by letter. Give a list.",
            )
        )
        return adapter, told
    save = adapter.save
    if "embed_tokens" in adapter.listed_targets:
        save = (*save, "embed_tokens")
        told.append(
            Problem("note", "Unsloth trains embed_tokens whole, as a copy, and not by an adapter.")
        )
    refused = [item for item in save if item not in ("lm_head", "embed_tokens")]
    if refused:
        told.append(
            Problem(
                "error",
                f"Unsloth refuses '{refused[0]}' in modules_to_save: only lm_head and embed_tokens "
                "may be there.",
            )
        )
    targets = tuple(item for item in adapter.listed_targets if item != "embed_tokens")
    return replace(adapter, target=targets, save=tuple(dict.fromkeys(save))), told


def _with_experts(
    adapter: Adapter, asked: str | tuple[str, ...] | None, anatomy: Anatomy
) -> Adapter:
    """`get_moe_target_parameters`: targets of an MLP mean stacked experts, too.

    Args:
        asked: the targets that decide: those that were written, or the expression made of none.
    """
    if adapter.parameters or asked is None:
        return adapter
    listed = _in_expression(asked) if isinstance(asked, str) else asked
    wanted = dict.fromkeys(_EXPERTS[item] for item in listed if item in _EXPERTS)
    found: dict[str, None] = {}
    for end in wanted:
        for holder in ("mlp.experts", "experts"):
            if any(p.name.endswith(f".{holder}.{end}") for p in anatomy.parameters):
                found.setdefault(f"{holder}.{end}")
                break
    return replace(adapter, parameters=tuple(found))


def _in_expression(target: str) -> tuple[str, ...]:
    """`_moe_target_set_from_string`: which layers of an MLP one text means."""
    if target in _EXPERTS:
        return (target,)
    is_expression = re.search(r"[*+?()[\]{}|\\^$]", target) is not None
    if not is_expression or not any(w in target for w in ("mlp", "ffn", "feed_forward", "experts")):
        return ()
    if named := tuple(name for name in _EXPERTS if name in target):
        return named
    any_projection = re.search(r"(?<![qkvo]_)(?<!out_)(?<!in_)proj", target)
    return tuple(_EXPERTS) if any_projection or "mlp|feed_forward|ffn|dense" in target else ()


def _narrowed(values: Values, anatomy: Anatomy, *, vision: bool) -> tuple[str, list[Problem]]:
    """The expression that Unsloth makes of these arguments; empty where it makes none."""
    defaults = dict(zip(_PARTS, (vision, True, True, True), strict=True))
    on = {part: flag(values, part, default) for part, default in defaults.items()}
    target = values.get("target_modules")
    if isinstance(target, str) and target != ALL_LINEAR:
        return "", []
    if target == ALL_LINEAR:
        on, target = dict.fromkeys(on, True), None
    if isinstance(target, list) and all(on.values()) and not flag(values, _SOUND):
        return "", []
    regions = (*(_VISION if on[_PARTS[0]] else ()), *(_LANGUAGE if on[_PARTS[1]] else ()))
    kinds = (*(_ATTENTION if on[_PARTS[2]] else ()), *(_MLP if on[_PARTS[3]] else ()))
    if not regions or not kinds:
        return "", [Problem("error", "Unsloth refuses: every finetune_ argument of a kind is off.")]
    names = parts_of(anatomy).linear_names
    counts = Counter(name.rpartition(".")[2] for name in names)
    leaves = target if isinstance(target, list) else [n for n, c in counts.items() if c > 1]
    told = []
    if anatomy.model_type.startswith(("gemma4", "gemma3n")):
        told.append(
            Problem("warning", "Unsloth adds vision embedders of Gemma by rules that lint lacks.")
        )
    layer = "(?:" + "|".join(re.escape(str(leaf)) for leaf in leaves) + ")"
    kind = "(?:" + "|".join(kinds) + ")"
    pattern = f".*?(?:{'|'.join(regions)}).*?{kind}.*?{layer}"
    if on[_PARTS[1]]:
        pattern = rf"(?:{pattern})|(?:\bmodel\.layers\.\d+\.{kind}\.{layer})"
    if not match_names([pattern], names)[0]:
        pattern = f".*?{kind}.*?{layer}"
    return pattern, told
