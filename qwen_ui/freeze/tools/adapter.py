"""Settings of a LoRA adapter, by PEFT's names: what every tool that builds on PEFT hands to it."""

from __future__ import annotations

from dataclasses import dataclass, field

from qwen_ui.errors import PlanError
from qwen_ui.freeze.tools.values import (
    Values,
    flag,
    numbers_by_pattern,
    patterns_of,
    some,
    text,
    text_list,
    whole_number,
    whole_numbers,
)

ALL_LINEAR = "all-linear"


@dataclass(frozen=True, kw_only=True)
class Adapter:
    """PEFT's `LoraConfig` (peft 0.21), as far as it selects.

    Attributes:
        method: PEFT's name for the kind of adapter.
        target: `target_modules`: ends of module names, or one text: a regular expression for a
            whole name, or `all-linear`; None where PEFT is to take its default for the model.
        exclude: `exclude_modules`: ends of names, or a regular expression for a whole name.
        save: `modules_to_save`: ends of the names of modules that train whole, as a copy.
        parameters: `target_parameters`: ends of the names of tensors.
        layers: `layers_to_transform`; None for all.
        layers_pattern: names of the list of layers, as regular expressions; empty for any.
        rank: of the two matrices; `rank_pattern` gives modules another one.
        alpha_pattern: patterns of modules with another scale.
        bias: `none`, `all`, or `lora_only` for those of adapted modules, whatever the method.
        dropout: before the adapters.
        dora: whether every adapter has a vector of magnitudes, too.
        lora_bias: whether the second matrix has a bias.
        transposed: `fan_in_fan_out`: whether weights are stored inputs first, as in GPT-2's Conv1D.
        tokens: `trainable_token_indices`: of modules, how many rows train; "" for the embedding.
        tied: `ensure_weight_tying`.
        names: the tool's own names for these settings, where they differ from PEFT's.
    """

    method: str = "LORA"
    target: str | tuple[str, ...] | None
    exclude: str | tuple[str, ...] = ()
    save: tuple[str, ...] = ()
    parameters: tuple[str, ...] = ()
    layers: tuple[int, ...] | None = None
    layers_pattern: tuple[str, ...] = ()
    rank: int = 8
    rank_pattern: dict[str, int] = field(default_factory=dict)
    alpha_pattern: tuple[str, ...] = ()
    bias: str = "none"
    dropout: bool = False
    dora: bool = False
    lora_bias: bool = False
    transposed: bool = False
    tokens: dict[str, int] = field(default_factory=dict)
    tied: bool = False
    names: dict[str, str] = field(default_factory=dict)

    def called(self, setting: str) -> str:
        """What the tool calls one of PEFT's settings."""
        return self.names.get(setting, setting)

    @property
    def listed_targets(self) -> tuple[str, ...]:
        """The ends of names among the targets; none where one text is a pattern."""
        return self.target if isinstance(self.target, tuple) else ()


def adapter_from(values: Values, method: str = "LORA") -> Adapter:
    """The adapter of PEFT's own settings, of `adapter_config.json` or of `LoraConfig(...)`.

    Args:
        method: PEFT's name for the kind of adapter.

    Raises:
        PlanError: a setting is of another type, or PEFT refuses it.
    """
    target = one_or_list(values, "target_modules")
    layers = whole_numbers(values, "layers_to_transform")
    pattern = text_list(values, "layers_pattern")
    if isinstance(target, str) and (layers is not None or pattern):
        raise PlanError(
            "PEFT refuses `layers_to_transform` and `layers_pattern` where `target_modules` is one "
            "text. Write the modules as a list, or the layers into the expression."
        )
    if pattern and layers is None:
        raise PlanError("PEFT refuses `layers_pattern` without `layers_to_transform`.")
    bias = text(values, "bias", "none")
    if bias not in ("none", "all") and not bias.endswith("_only"):
        raise PlanError(f"`bias` is '{bias[:40]}'; PEFT knows none, all and lora_only.")
    exclude = one_or_list(values, "exclude_modules")
    return Adapter(
        method=method,
        target=target,
        exclude=() if exclude is None else exclude,
        save=text_list(values, "modules_to_save"),
        parameters=text_list(values, "target_parameters"),
        layers=layers or None,
        layers_pattern=pattern,
        rank=whole_number(values, "r", 8),
        rank_pattern=numbers_by_pattern(values, "rank_pattern"),
        alpha_pattern=patterns_of(values, "alpha_pattern"),
        bias="lora_only" if bias.endswith("_only") else bias,
        dropout=some(values, "lora_dropout"),
        dora=flag(values, "use_dora"),
        lora_bias=flag(values, "lora_bias"),
        transposed=flag(values, "fan_in_fan_out"),
        tokens=_tokens(values),
        tied=flag(values, "ensure_weight_tying"),
    )


def one_or_list(values: Values, key: str) -> str | tuple[str, ...] | None:
    """One text as it is, a list as a tuple, nothing as None.

    Raises:
        PlanError: it is something else.
    """
    found = values.get(key)
    if found is None or isinstance(found, str):
        return found
    return text_list(values, key)


def _tokens(values: Values) -> dict[str, int]:
    found = values.get("trainable_token_indices")
    if not found:
        return {}
    by_module = found if isinstance(found, dict) else {"": found}
    return {str(name): len(whole_numbers(by_module, name) or ()) for name in by_module}
