"""TRL's command line options as YAML: LoRA where `use_peft` says so, else everything.

trl 1.16, `trl/trainer/model_config.py` and `trl/trainer/utils.py` (`get_peft_config`). A list of
one target becomes one text, which PEFT takes for a regular expression of a whole name.
"""

from __future__ import annotations

from dataclasses import replace

from qwen_ui.freeze.tools.adapter import ALL_LINEAR, adapter_from
from qwen_ui.freeze.tools.findings import Problem, Reading
from qwen_ui.freeze.tools.peft import read_adapter
from qwen_ui.freeze.tools.values import Values, flag, text_list
from qwen_ui.model import Anatomy

_LORA = {
    "r": "lora_r",
    "target_modules": "lora_target_modules",
    "target_parameters": "lora_target_parameters",
    "modules_to_save": "lora_modules_to_save",
    "lora_dropout": "lora_dropout",
    "use_dora": "use_dora",
}


def read_trl(values: Values, anatomy: Anatomy) -> Reading:
    """What a trainer of TRL would train with these options.

    Raises:
        PlanError: an option is of another type.
    """
    if not flag(values, "use_peft"):
        told = [Problem("note", "use_peft is not set: TRL trains every tensor.")]
        if any(values.get(own) for own in _LORA.values() if own.startswith("lora_")):
            told.append(
                Problem("error", "TRL does not look at the lora_ options without use_peft: true.")
            )
        whole = frozenset(p.name for p in anatomy.parameters)
        return Reading("trl", (), whole, problems=tuple(told))
    given = {peft: values[own] for peft, own in _LORA.items() if values.get(own) is not None}
    given.setdefault("r", 16)
    given.setdefault("lora_dropout", 0.05)
    told = []
    targets = text_list(values, "lora_target_modules")
    if len(targets) == 1:
        given["target_modules"] = targets[0]
        if targets[0] != ALL_LINEAR:
            told.append(Problem("note", "TRL hands a list of one target to PEFT as one text."))
    elif targets:
        given["target_modules"] = list(targets)
    adapter = replace(adapter_from(given), names=_LORA)
    return read_adapter("trl", adapter, anatomy, told)
