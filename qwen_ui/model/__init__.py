"""What a model is: opened without its weights.

Names are imported when they are first asked for, so that naming a preset does not import torch.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from qwen_ui.model.anatomy import Anatomy, Block, Kind, Module, Parameter, Role
    from qwen_ui.model.opening import open_model
    from qwen_ui.model.presets import DEFAULT_MODEL, preset_names

_HOMES = {
    "Anatomy": "anatomy",
    "Block": "anatomy",
    "Kind": "anatomy",
    "Module": "anatomy",
    "Parameter": "anatomy",
    "open_model": "opening",
    "DEFAULT_MODEL": "presets",
    "preset_names": "presets",
    "Role": "anatomy",
}
__all__ = [
    "DEFAULT_MODEL",
    "Anatomy",
    "Block",
    "Kind",
    "Module",
    "Parameter",
    "Role",
    "open_model",
    "preset_names",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
