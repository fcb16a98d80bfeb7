"""The text of a file -> which tool it is for, and its values."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from qwen_ui.errors import PlanError
from qwen_ui.freeze.plan import MAX_IMPORT_BYTES
from qwen_ui.freeze.tools.ms_swift import FULL_SETTINGS
from qwen_ui.limited import LIGHT, Limits

# YAML of a mebibyte takes 0.5 s; Python of one 1 s.
PARSING = Limits(seconds=10.0, memory=1024**3, patience=60.0)
LINT_FORMATS = {
    "peft": "PEFT's adapter_config.json",
    "llama-factory": "LLaMA-Factory's YAML",
    "ms-swift": "ms-swift's arguments",
    "unsloth": "Unsloth's get_peft_model",
    "axolotl": "Axolotl's YAML",
    "spectrum": "Spectrum's YAML",
    "torchtune": "a torchtune recipe",
    "trl": "TRL's options, or a script for Trainer",
    "plan": "a plan of Qwen UI",
    "names": "a list of names",
    "regex": "regular expressions",
    "script": "a script that Qwen UI exported",
}
_SWIFT = {
    *FULL_SETTINGS,
    "tuner_type",
    "train_type",
    "sft_type",
    "lisa_activated_layers",
    "target_regex",
}
_FACTORY = {
    "finetuning_type",
    "lora_target",
    "freeze_trainable_layers",
    "freeze_trainable_modules",
    "freeze_extra_modules",
}
_AXOLOTL = {"lora_target_linear", "lora_modules_to_save", "lisa_n_layers", "base_model", "adapter"}
_COMMANDS = {
    "swift": "ms-swift",
    "megatron": "ms-swift",
    "llamafactory-cli": "llama-factory",
    "axolotl": "axolotl",
    "tune": "torchtune",
    "trl": "trl",
}
_MERGEKIT = {"merge_method", "slices", "base_model_merge", "tokenizer_source"}
_TRL = {"use_peft", "lora_task_type", "lora_target_parameters"}
_PEFT = {
    "peft_type",
    "target_modules",
    "target_parameters",
    "modules_to_save",
    "base_model_name_or_path",
}


@dataclass(frozen=True, slots=True)
class Found:
    """A text that was recognised.

    Attributes:
        format: one of `LINT_FORMATS`.
        values: settings by the tool's names.
        items: lines, where it is a list.
        called: the class that a script calls.
        notes: sentences on what was not read.
    """

    format: str
    values: dict[str, Any] = field(default_factory=dict)
    items: tuple[str, ...] = ()
    called: str = ""
    notes: tuple[str, ...] = ()


def recognise(text: str, name: str = "") -> Found:
    """What the text is.

    Args:
        name: of its file; may be empty.

    Raises:
        PlanError: it is too large, damaged, or nothing that selects parameters.
    """
    if len(text) > MAX_IMPORT_BYTES:
        raise PlanError("The text is larger than 16 MiB, which is too large for a selection.")
    if not text.strip():
        raise PlanError("There is nothing to read. Paste a selection, or choose its file.")

    def refusal(why: str) -> PlanError:
        return PlanError(f"The text cannot be read: {why}. Give the part that selects, alone.")

    asked = {"text": text, "name": name[:200]}
    parsed = LIGHT.run("qwen_ui.freeze.lint.parse_task:parse", asked, PARSING, refusal)
    if "wrong" in parsed:
        raise PlanError(f"The text cannot be read: {parsed['wrong']}.")
    if "items" in parsed:
        return _of_list(parsed["items"])
    if "script" in parsed:
        return _of_script(parsed["script"])
    if "command" in parsed:
        return Found(_COMMANDS[parsed["command"].split()[0]], parsed["values"])
    return Found(_format_of(parsed["values"]), parsed["values"])


def _format_of(values: dict[str, Any]) -> str:
    keys = set(values)
    model = values.get("model")
    if "rules" in keys and "schema" in keys:
        return "plan"
    if "peft_type" in keys:
        return "peft"
    if "merge_method" in keys or "slices" in keys or ("models" in keys and keys & _MERGEKIT):
        raise PlanError(
            "This is a recipe of mergekit. It says how checkpoints are merged and selects nothing "
            "to train; lint reads what selects parameters."
        )
    if isinstance(model, dict) and "_component_" in model:
        return "torchtune"
    if "unfrozen_parameters" in keys:
        return "spectrum" if keys == {"unfrozen_parameters"} else "axolotl"
    for format, own in (
        ("llama-factory", _FACTORY),
        ("ms-swift", _SWIFT),
        ("trl", _TRL),
        ("axolotl", _AXOLOTL),
        ("peft", _PEFT),
    ):
        if keys & own:
            return format
    if keys & {"lora_target_modules", "lora_r"}:
        return "axolotl" if "lora_r" in keys else "trl"
    raise PlanError(
        "The text is of no known format: none of its keys "
        f"({', '.join(sorted(keys)[:6]) or 'there are none'}) selects parameters. Known are "
        f"{', '.join(LINT_FORMATS.values())}."
    )


def _of_list(items: list[str]) -> Found:
    if not items:
        raise PlanError("There is nothing to read: the text holds comments alone.")
    if any("\\." in item for item in items):
        return Found("regex", items=tuple(items))
    if any(set(item) & set("^$*+[](){}|") for item in items):
        return Found("spectrum", {"unfrozen_parameters": items})
    return Found("names", items=tuple(items))


def _of_script(script: dict[str, Any]) -> Found:
    if script["trainable"] is not None:
        return Found("script", items=tuple(script["trainable"]))
    calls = script["calls"]
    lines = ", ".join(str(line) for line in script["requires_grad"][:5])
    if len(calls) > 1:
        raise PlanError(
            f"The script configures adapters in lines {', '.join(str(c['line']) for c in calls)}. "
            "Lint reads one: paste the call that counts."
        )
    if not calls:
        if script["wrapped"]:
            raise PlanError(
                f"Line {script['wrapped'][0]} puts an adapter on the model, and what configures it "
                "is not in the text as a call. Paste that call, or lint the adapter_config.json "
                "that the run saved."
            )
        if lines:
            raise PlanError(
                f"The script sets requires_grad (line {lines}). What such lines train depends on "
                "what runs before them, and lint executes nothing. Choose the same here and take "
                "an export instead."
            )
        if not script["trainers"]:
            raise PlanError(
                "The script configures no adapter (LoraConfig, get_peft_model) and no trainer."
            )
        return Found("trl")
    (call,) = calls
    unread = call["unread"]
    for key in (
        "target_modules",
        "modules_to_save",
        "exclude_modules",
        "layers_to_transform",
        "layers_pattern",
        "target_parameters",
        "bias",
        "**",
    ):
        if key in unread:
            raise PlanError(
                f"Line {call['line']} computes {key} ({unread[key]}), and lint executes nothing. "
                "Write the list itself, or lint the adapter_config.json that the run saved."
            )
    notes = [f"Line {call['line']}: {key} is computed and was not read." for key in unread]
    if lines:
        notes.append(f"Lines that set requires_grad were not read ({lines}).")
    if call["name"] == "get_peft_model":
        return Found("unsloth", call["values"], called=call["owner"], notes=tuple(notes))
    kind = call["name"].removesuffix("Config").upper()
    return Found(
        "trl", {"peft_type": kind, **call["values"]}, called="LoraConfig", notes=tuple(notes)
    )
