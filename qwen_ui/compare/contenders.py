"""What takes part in a comparison: plans, by the names that a person gives them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from qwen_ui.errors import PlanError, SettingsError
from qwen_ui.freeze import MAX_PLAN_BYTES, FreezePlan, preset, preset_plans

LORA, LORA_RANK = "lora", 8


@dataclass(frozen=True, slots=True)
class Contender:
    """A plan to compare, trained directly or, as a reference, by LoRA on its linear modules.

    Attributes:
        lora_rank: rank of the adapters; 0 trains the plan's parameters themselves.
    """

    plan: FreezePlan
    lora_rank: int = 0

    @property
    def name(self) -> str:
        """The label of its runs."""
        return f"{self.plan.name} by LoRA" if self.lora_rank else self.plan.name


def parse_plans(text: str, layers: str | None = None) -> list[FreezePlan | Contender]:
    """Parse plans: `attention,bitfit` (presets, presets on layers as `mlp@last:2`, plan files).

    `lora` is LoRA on what the preset `attention` selects.

    Raises:
        PlanError: a name that is neither a preset nor a file.
    """
    return [_parse_plan(word.strip(), layers) for word in text.split(",") if word.strip()]


def _parse_plan(word: str, layers: str | None) -> FreezePlan | Contender:
    name, at, expression = word.partition("@")
    if at:  # commas separate plans here, so the terms of a layer expression are joined by +
        layers = expression.replace("+", ",")
    if name == LORA:
        return lora_reference(layers)
    if name in preset_plans():
        return preset(name, layers)
    file = Path(word)
    if not file.is_file() or file.stat().st_size > MAX_PLAN_BYTES:
        raise PlanError(
            f"'{word}' is neither a preset ({', '.join(preset_plans())}), nor {LORA}, nor a plan "
            "file. Check its spelling."
        )
    plan = FreezePlan.from_json(file.read_text(encoding="utf-8-sig", errors="replace"))
    return plan if plan.name else plan.model_copy(update={"name": file.stem})


def lora_reference(layers: str | None = None) -> Contender:
    """LoRA on the attention projections of these blocks, with `peft`'s default rank."""
    return Contender(preset("attention", layers), LORA_RANK)


def parse_rates(text: str | None) -> list[float | None]:
    """Parse learning rates: `1e-3,1e-2`; an empty place is None, an empty text gives no rates.

    Raises:
        SettingsError: a word that is no number.
    """
    try:
        return [float(w) if w.strip() else None for w in text.split(",")] if text else []
    except ValueError as error:
        raise SettingsError(
            f"'{text}' is not a list of learning rates. Give one per plan, such as 1e-3,1e-2."
        ) from error
