"""What a step of a linted selection costs, by our own plan for the same tensors."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from qwen_ui.formats import percent, short_bytes, short_flops
from qwen_ui.freeze.lint.linting import Lint


def lint_price(lint: Lint, batch_size: int, sequence_length: int) -> dict[str, Any] | None:
    """The price of one step that trains these tensors whole, as `cost` gives it; None for nothing.

    Adapters take less: their gradients and optimizer state are those of `adapter_parameters`.

    Raises:
        SettingsError: a size that no step has.
        ModelError: a step of this model cannot be traced.
    """
    from qwen_ui.freeze.cost import StepSettings, full_cost, price  # noqa: PLC0415  loads torch

    settings = StepSettings(batch_size=batch_size, sequence_length=sequence_length)
    if not lint.names:
        return None
    selection = lint.selection
    return {
        "batch_size": batch_size,
        "sequence_length": sequence_length,
        **asdict(price(selection.anatomy, selection, settings)),
        "full": asdict(full_cost(selection.anatomy, settings)),
    }


def lint_price_text(lint: Lint, price: dict[str, Any]) -> str:
    """A price of `lint_price` in a sentence, and in another one what adapters change about it."""
    full = price["full"]
    said = [
        f"A step of {price['batch_size']} x {price['sequence_length']} tokens of that plan: "
        f"{short_flops(price['flops_step'])} and {short_bytes(price['peak_bytes'])}, "
        f"{percent(price['flops_step'] / full['flops_step'])} and "
        f"{percent(price['peak_bytes'] / full['peak_bytes'])} of training everything."
    ]
    if lint.adapter_parameters:
        said.append(
            f"Adapters take less: gradients and optimizer state of {lint.adapter_parameters:,} "
            "parameters in their place."
        )
    return " ".join(said)
