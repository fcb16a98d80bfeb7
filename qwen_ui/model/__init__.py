"""What a model is, opened without its weights: names, configuration, anatomy.

Every later room may call it. It reads configuration files and installed libraries, asks the hub for
a configuration where it must, and changes nothing on disk. What weight files hold: `model.weights`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from qwen_ui.lazy import lazy_face

if TYPE_CHECKING:
    from qwen_ui.model.anatomy import Anatomy, Block, Kind, Module, Parameter, Role, is_bias
    from qwen_ui.model.names import DEFAULT_MODEL, NANO, hub_id, preset_models
    from qwen_ui.model.opening import open_model
    from qwen_ui.model.remote_code import allow_remote_code

__all__ = [
    "DEFAULT_MODEL",
    "NANO",
    "Anatomy",
    "Block",
    "Kind",
    "Module",
    "Parameter",
    "Role",
    "allow_remote_code",
    "hub_id",
    "is_bias",
    "open_model",
    "preset_models",
]
__getattr__ = lazy_face(
    __name__,
    {
        "DEFAULT_MODEL": "names",
        "NANO": "names",
        "Anatomy": "anatomy",
        "Block": "anatomy",
        "Kind": "anatomy",
        "Module": "anatomy",
        "Parameter": "anatomy",
        "Role": "anatomy",
        "hub_id": "names",
        "is_bias": "anatomy",
        "open_model": "opening",
        "preset_models": "names",
        "allow_remote_code": "remote_code",
    },
)
