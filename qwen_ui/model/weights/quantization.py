"""Quantized weights, which cannot be trained."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from qwen_ui.errors import ModelError

if TYPE_CHECKING:
    from qwen_ui.model.anatomy import Anatomy
    from qwen_ui.model.weights.headers import StoredWeights

# Names that packed tensors have, by who packs them.
_PACKED = {
    "qweight": "gptq or awq",
    "absmax": "bitsandbytes",
    "SCB": "bitsandbytes",
    "weight_packed": "compressed-tensors",
    "weight_scale_inv": "fp8",
    "weight_scale": "fp8",
    "_blocks": "mxfp4",
}
_PACKED_DTYPES = ("uint8", "int8", "int32", "float8_e4m3fn", "float8_e5m2", "float8_e8m0fnu")


def quantization_of(anatomy: Anatomy, weights: StoredWeights | None = None) -> str:
    """How weights are quantized ("gptq"), by the configuration, else by the files' names.

    "" where they are not. Old GPTQ releases say it in a file of their own, so names tell as well.
    """
    settings = _settings(anatomy.config)
    if settings:
        return str(settings.get("quant_method") or "some method")
    if weights is None:
        return ""
    for tensor in weights.tensors.values():
        if tensor.dtype in _PACKED_DTYPES:
            for ending, method in _PACKED.items():
                if any(name.endswith(ending) for name in weights.tensors):
                    return method
            if tensor.dtype.startswith("float8"):
                return "fp8"
    return ""


def _settings(config: dict[str, Any]) -> dict[str, Any]:
    """The configuration's own words; a wrapper may keep them in a part."""
    for values in (config, *(v for v in config.values() if isinstance(v, dict))):
        found = values.get("quantization_config") or values.get("compression_config")
        if isinstance(found, dict) and found:
            return found
    return {}


def refuse_quantized(anatomy: Anatomy, weights: StoredWeights | None = None) -> None:
    """Refuse weights that cannot be trained.

    Raises:
        ModelError: they are quantized.
    """
    method = quantization_of(anatomy, weights)
    if method:
        raise ModelError(
            f"The weights of '{anatomy.source}' are quantized ({method}) and cannot be trained. "
            "Choose the model's bfloat16 or float32 release."
        )
