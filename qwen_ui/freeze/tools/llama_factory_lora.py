"""LLaMA-Factory's settings of an adapter.

The rule (LLaMA-Factory ff6d4d1, `llamafactory/model/adapter.py`, `_setup_lora_tuning`): PEFT's; the
target `all` is the last part of the name of every linear layer that is not in the head
(`model_utils/misc.py`, `find_all_linear_modules`); a vocabulary that grows trains embedding and
head as copies.
"""

from __future__ import annotations

from qwen_ui.errors import PlanError
from qwen_ui.freeze.tools.adapter import Adapter
from qwen_ui.freeze.tools.findings import Problem, Reading
from qwen_ui.freeze.tools.parts import parts_of
from qwen_ui.freeze.tools.peft import read_adapter
from qwen_ui.freeze.tools.values import Values, flag, some, text_list, whole_number
from qwen_ui.model import Anatomy

_NAMES = {"target_modules": "lora_target", "modules_to_save": "additional_target"}


def read_lora(values: Values, anatomy: Anatomy, method: str) -> Reading:
    """What PEFT would do with LLaMA-Factory's settings of an adapter.

    Args:
        method: its `finetuning_type`, `lora` or `oft`.

    Raises:
        PlanError: a setting is of another type, or lint cannot follow it.
    """
    key = "lora_target" if method == "lora" else "oft_target"
    targets = text_list(values, key, split=",") or ("all",)
    problems = []
    if targets == ("all",):
        targets = linear_leaves(anatomy)
        problems.append(
            Problem("note", f"{key} is all: LLaMA-Factory targets {', '.join(targets)}.")
        )
    if flag(values, "use_llama_pro"):
        raise PlanError("use_llama_pro trains blocks that were added to the model.")
    if values.get("adapter_name_or_path") and not flag(values, "create_new_adapter"):
        problems.append(
            Problem(
                "warning",
                "LLaMA-Factory goes on with the adapter of adapter_name_or_path, whose own "
                "adapter_config.json says what it is on: the targets here are not looked at. Lint "
                "that file, or set create_new_adapter.",
            )
        )
    if flag(values, "use_unsloth"):
        problems.append(
            Problem(
                "warning",
                "use_unsloth hands these targets to Unsloth, whose rule may differ: lint the call "
                "of get_peft_model as well.",
            )
        )
    more, told = _resized(values, anatomy)
    problems += told
    adapter = Adapter(
        target=targets,
        save=(*text_list(values, "additional_target", split=","), *more),
        rank=whole_number(values, "lora_rank", 8),
        method=method.upper(),
        dropout=some(values, "lora_dropout"),
        dora=flag(values, "use_dora"),
        names={**_NAMES, "target_modules": key},
    )
    return read_adapter("llama-factory", adapter, anatomy, problems)


def _resized(values: Values, anatomy: Anatomy) -> tuple[tuple[str, ...], list[Problem]]:
    """What trains as a copy besides, because the vocabulary grows: embedding and head."""
    grows = flag(values, "resize_vocab") or any(
        values.get(key) for key in ("add_tokens", "add_special_tokens", "new_special_tokens_config")
    )
    if not grows or values.get("additional_target") is not None:
        return (), []
    ends = parts_of(anatomy).token_ends
    told = (
        f"The vocabulary is resized and additional_target is not set: LLaMA-Factory trains copies "
        f"of {' and '.join(ends)} as well."
    )
    return ends, [Problem("note", told)]


def linear_leaves(anatomy: Anatomy) -> tuple[str, ...]:
    """`find_all_linear_modules`: last parts of the names of linear layers outside the head."""
    head = {"chatglm": "output_layer", "internlm2": "output"}.get(anatomy.model_type, "lm_head")
    return tuple(
        dict.fromkeys(
            part.name.rpartition(".")[2]
            for part in parts_of(anatomy).listed
            if "Linear" in part.class_name
            and "Embedding" not in part.class_name
            and not any(skipped in part.name for skipped in ("lm_head", head))
        )
    )
