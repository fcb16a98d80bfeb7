"""Files of PEFT, Unsloth, torchtune and ms-swift for a selection, or why there is none."""

from __future__ import annotations

import json
import re

from qwen_ui.freeze.export.adapters import peft_settings, torchtune_settings, unsloth_settings
from qwen_ui.freeze.export.scripts import model_for_transformers
from qwen_ui.freeze.selection import Selection
from qwen_ui.freeze.tools.ms_swift import read_ms_swift
from qwen_ui.model import MAX_PATTERN, pattern_for

_ADAPTS = (
    "it adapts matrices, trains whole modules beside them as copies, and of biases all, those of "
    "adapted layers, or none"
)


def peft_text(selection: Selection) -> str:
    """`adapter_config.json`."""
    settings = peft_settings(selection)
    if settings is None:
        return cannot("PEFT's LoRA", _ADAPTS)
    values = {
        "peft_type": "LORA",
        "task_type": "CAUSAL_LM",
        "base_model_name_or_path": model_for_transformers(selection),
        **settings,
    }
    return json.dumps(values, indent=2) + "\n"


def unsloth_text(selection: Selection) -> str:
    """A script with the arguments of `get_peft_model`."""
    settings = unsloth_settings(selection)
    if settings is None:
        return cannot("Unsloth", f"{_ADAPTS}; of copies it takes head and embedding alone")
    arguments = "".join(f"    {key}={value!r},\n" for key, value in settings.items())
    return f"""from unsloth import FastLanguageModel

# Adapters in the place of: {selection.summary}
model, tokenizer = FastLanguageModel.from_pretrained({model_for_transformers(selection)!r})
model = FastLanguageModel.get_peft_model(
    model,
{arguments})
"""


def torchtune_text(selection: Selection) -> str:
    """The `model:` of a LoRA recipe."""
    settings = torchtune_settings(selection)
    if settings is None:
        return cannot(
            "torchtune's LoRA",
            "it adapts whole kinds (q, k, v, output, the three matrices of the MLP, the head) in "
            "every block, and no bias, norm or embedding",
        )
    lines = "".join(f"  {key}: {json.dumps(value)}\n" for key, value in settings.items())
    return (
        f"# Adapters in the place of: {selection.summary}\n"
        f"model:\n  _component_: {_builder(selection)}\n{lines}"
    )


def ms_swift_text(selection: Selection) -> str:
    """The YAML of `swift sft`: all is frozen, and the names train again."""
    names = [parameter.name for parameter in selection.parameters]
    pattern = pattern_for(names)
    by_pattern = len(pattern) <= MAX_PATTERN
    chosen = (
        {"trainable_parameters_regex": pattern} if by_pattern else {"trainable_parameters": names}
    )
    values = {"tuner_type": "full", "freeze_parameters_ratio": 1, **chosen}
    if not names or read_ms_swift(values, selection.anatomy).names != selection.names:
        return cannot("ms-swift", "names are compared as they begin, and some begin alike")
    lines = "".join(f"{key}: {json.dumps(value)}\n" for key, value in values.items())
    model = model_for_transformers(selection)
    return f"# {selection.summary}\nmodel: {json.dumps(model)}\n{lines}"


def cannot(tool: str, why: str) -> str:
    """The comment that stands for an export that there is none of."""
    return (
        f"# {tool} cannot express this plan: {why}.\n"
        "# Freeze the model by the PyTorch export instead.\n"
    )


def _builder(selection: Selection) -> str:
    """torchtune's builder of the model: of those bundled by name, of others to be filled in."""
    found = re.fullmatch(r"qwen2\.5-(\d+)(?:\.(\d+))?b-instruct", selection.anatomy.source)
    if found is None:
        return "torchtune.models.FAMILY.lora_BUILDER  # of your model"
    size = "_".join(part for part in found.groups() if part)
    kind = "" if size in ("0_5", "3") else "_instruct"  # of these sizes it has one builder
    return f"torchtune.models.qwen2_5.lora_qwen2_5_{size}b{kind}"
