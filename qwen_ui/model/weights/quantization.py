"""Quantized weights: some are read as plain numbers, the others cannot be trained."""

from __future__ import annotations

import importlib.util
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
# What becomes plain numbers while it is read (`dequantizing`), by the configuration's word for it.
DEQUANTIZED = ("fp8", "mxfp4", "bitsandbytes")
_PACKED_DTYPES = ("uint8", "int8", "int32", "float8_e4m3fn", "float8_e5m2", "float8_e8m0fnu")


def quantization_of(anatomy: Anatomy, weights: StoredWeights | None = None) -> str:
    """How weights are quantized ("gptq"), by the configuration, else by the files' names.

    "" where they are not. Old GPTQ releases say it in a file of their own, so names tell as well.
    """
    if settings := quantization_settings(anatomy.config):
        return method_of(settings) or "some method"
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


def quantization_settings(config: dict[str, Any]) -> dict[str, Any]:
    """The configuration's own words; a wrapper may keep them in a part."""
    for values in (config, *(v for v in config.values() if isinstance(v, dict))):
        found = values.get("quantization_config") or values.get("compression_config")
        if isinstance(found, dict) and found:
            return found
    return {}


def method_of(settings: dict[str, Any]) -> str:
    """The configuration's word for how weights are quantized; "" where it has none."""
    if method := settings.get("quant_method"):
        return str(method)
    old = settings.get("load_in_4bit") or settings.get("load_in_8bit")
    return "bitsandbytes" if old else ""


def is_dequantized(config: dict[str, Any]) -> bool:
    """Whether the weights are quantized in a form that is read as plain numbers."""
    return method_of(quantization_settings(config)) in DEQUANTIZED


def quantized_form(config: dict[str, Any]) -> str:
    """How weights are quantized, as people name it: "fp8", "nf4", "int8"; "" where they are not."""
    settings = quantization_settings(config)
    method = method_of(settings)
    if method != "bitsandbytes":
        return method
    if settings.get("load_in_8bit"):
        return "int8"
    return str(settings.get("bnb_4bit_quant_type") or "fp4")


def refuse_unreadable(anatomy: Anatomy, weights: StoredWeights | None = None) -> None:
    """Refuse weights that cannot be read as plain numbers.

    Raises:
        ModelError: they are quantized in another form than those that are read so.
    """
    method = quantization_of(anatomy, weights)
    if not method:
        return
    if not is_dequantized(anatomy.config):
        raise ModelError(
            f"The weights of '{anatomy.source}' are quantized ({method}) and cannot be read as "
            "plain numbers. Choose the model's bfloat16 or float32 release, or one in fp8, in "
            "mxfp4, or of bitsandbytes."
        )
    _refuse_without_bitsandbytes(anatomy, method)


def refuse_untrainable(anatomy: Anatomy, weights: StoredWeights | None = None) -> None:
    """Refuse weights that cannot be trained.

    Raises:
        ModelError: they are quantized in a form that is not read as plain numbers here.
    """
    method = quantization_of(anatomy, weights)
    if not method:
        return
    if not is_dequantized(anatomy.config):
        raise ModelError(
            f"The weights of '{anatomy.source}' are quantized ({method}) and cannot be trained. "
            "Choose the model's bfloat16 or float32 release, or one in fp8, in mxfp4, or of "
            "bitsandbytes: these are read as plain numbers."
        )
    _refuse_without_bitsandbytes(anatomy, method)


def _refuse_without_bitsandbytes(anatomy: Anatomy, method: str) -> None:
    if method == "bitsandbytes" and importlib.util.find_spec(method) is None:
        raise ModelError(
            f"The weights of '{anatomy.source}' are quantized (bitsandbytes), and bitsandbytes, "
            "which reads them, is not installed. Run `pip install bitsandbytes`, or choose the "
            "model's bfloat16 release."
        )
