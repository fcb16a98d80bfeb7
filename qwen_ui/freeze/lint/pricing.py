"""What a step of a linted selection costs, by our own plan for the same tensors."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from qwen_ui.freeze.lint.linting import Lint


def lint_price(lint: Lint, batch_size: int, sequence_length: int) -> dict[str, Any] | None:
    """The price of one step that trains these tensors whole, as `cost` gives it; None for nothing.

    Adapters take less: their gradients and optimizer state are those of `adapter_parameters`.

    Raises:
        SettingsError: a size that no step has.
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
