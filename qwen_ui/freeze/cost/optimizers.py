"""Bytes of state that an optimizer keeps for what trains."""

from __future__ import annotations

from dataclasses import dataclass

from qwen_ui.errors import SettingsError


@dataclass(frozen=True, slots=True)
class Optimizer:
    """Attributes: bytes of state per element that trains, whatever the model's dtype."""

    bytes_per_element: float


# AdamW keeps two moments (Loshchilov & Hutter, arXiv 1711.05101), here in float32. The 8-bit one
# keeps both in a byte each and one float32 scale for every block of 256 (Dettmers et al., arXiv
# 2110.02861). SGD keeps nothing without momentum, and one float32 buffer with it.
_OPTIMIZERS = {
    "adamw": Optimizer(8.0),
    "adamw_8bit": Optimizer(2.0 + 2 * 4 / 256),
    "sgd": Optimizer(0.0),
    "sgd_momentum": Optimizer(4.0),
}


def optimizer_names() -> tuple[str, ...]:
    """Names of the optimizers whose state is known."""
    return tuple(_OPTIMIZERS)


def optimizer_bytes(name: str, elements: int) -> int:
    """Bytes of this optimizer's state for this many elements.

    Raises:
        SettingsError: no such optimizer.
    """
    if name not in _OPTIMIZERS:
        raise SettingsError(f"There is no optimizer '{name}'. There are {', '.join(_OPTIMIZERS)}.")
    return round(_OPTIMIZERS[name].bytes_per_element * elements)
