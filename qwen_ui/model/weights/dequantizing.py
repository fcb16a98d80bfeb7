"""Quantized weights as plain numbers, by transformers' own arithmetic while it reads a tensor.

Where frozen blocks are read one by one, a block is plain for as long as it runs: what is quantized
stays so in the files. What trains has to be plain in any case. transformers does this by itself for
fp8 and mxfp4 (`dequantize=True`); bitsandbytes' forms it loads as they are, and dequantizes the
whole model afterwards, which is done here tensor by tensor with the same functions.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch

from qwen_ui.model.libraries import (
    AutoHfQuantizer,
    AutoQuantizationConfig,
    Conv1D,
    ConversionOps,
    HfQuantizer,
    PreTrainedModel,
    get_keys_to_not_convert,
)
from qwen_ui.model.skeleton import build_on_meta, configured_dtype
from qwen_ui.model.weights.quantization import is_dequantized, method_of, quantization_settings


def dequantizing_settings(config: dict[str, Any]) -> Any:
    """transformers' settings of how these weights are quantized, told to make them plain.

    Args:
        config: the configuration as a dictionary. None where its weights are not quantized, or in
            a form that does not become plain here.
    """
    if not is_dequantized(config):
        return None
    found: Any = AutoQuantizationConfig.from_dict(dict(quantization_settings(config)))
    found.dequantize = True
    return found


@contextmanager
def settings_given_anew() -> Iterator[None]:
    """Inside, transformers does not warn that the files have such settings too."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "You passed `quantization_config`")
        yield


def dequantizer(configuration: Any) -> HfQuantizer | None:
    """What makes the weights of this configuration plain; None where they are, or stay packed.

    Args:
        configuration: transformers' object.
    """
    config = configuration.to_dict()
    settings = dequantizing_settings(config)
    if settings is None:
        return None
    if method_of(quantization_settings(config)) == "bitsandbytes":
        return _BitsAndBytes(settings, pre_quantized=True)
    made: HfQuantizer = AutoHfQuantizer.from_config(settings, pre_quantized=True)
    return made


def with_plain_modules(
    settings: dict[str, Any], configuration: Any, modules: Sequence[str]
) -> dict[str, Any]:
    """A configuration's words on how weights are quantized, with modules that are not.

    Args:
        configuration: transformers' object.
        modules: by their paths.
    """
    key = "modules_to_not_convert"
    if method_of(settings) == "bitsandbytes":
        key = "llm_int8_skip_modules"
    named = settings.get(key)
    if named is None:
        # Where none are named, transformers leaves these as they are.
        model = build_on_meta(configuration, configured_dtype(configuration))
        named = get_keys_to_not_convert(model)
    return {**settings, key: [*named, *modules]}


class _BitsAndBytes(HfQuantizer):
    """Makes tensors plain that bitsandbytes quantized to 4 or 8 bits."""

    @property
    def serialized_names(self) -> dict[str, list[str]]:  # type: ignore[override]
        return {"weight": ["weight", *(f"weight.{name}" for name in _FOUR_BITS), *_EIGHT_BITS]}

    def get_load_operations(self) -> dict[str, Any]:
        return {"dequantize": _Dequantize}

    def is_serializable(self) -> bool:
        return False

    @property
    def is_trainable(self) -> bool:
        return True


_FOUR_BITS = (
    *("nested_absmax", "nested_quant_map", "quant_map", "absmax"),
    *("quant_state.bitsandbytes__nf4", "quant_state.bitsandbytes__fp4"),
)
_EIGHT_BITS = ("SCB", "weight_format")


class _Dequantize(ConversionOps):
    """A weight and what was stored beside it -> the plain weight, in the dtype of its parameter."""

    def __init__(self, quantizer: HfQuantizer) -> None:
        self._quantizer = quantizer

    def convert(
        self,
        input_dict: dict[str, Any],
        source_patterns: list[str],
        target_patterns: list[str],
        **about: Any,
    ) -> dict[str, Any]:
        name: str = about["full_layer_name"]
        model: PreTrainedModel = about["model"]
        if "weight" not in input_dict:
            return _plain_already(input_dict)
        parts = {n: part[0] if isinstance(part, list) else part for n, part in input_dict.items()}
        path, _, attribute = name.rpartition(".")
        module = model.get_submodule(path)
        wanted: torch.Tensor = getattr(module, attribute)
        plain = _plain(parts, wanted)
        # What was a Conv1D is stored the way round that a Linear has it.
        if len(parts) > 1 and isinstance(module, Conv1D) and not plain.is_meta:
            plain = plain.T.contiguous()
        return {name: plain.to(wanted.dtype)}


def _plain_already(several: dict[str, Any]) -> dict[str, Any]:
    """Tensors that a family stacks: bitsandbytes packs modules, and leaves stacks plain."""
    packed = sorted(name for name in several if not name.endswith("weight"))
    if packed:
        raise ValueError(f"packed one by one ({packed[0]}), and stacked in the model")
    return several


def _plain(parts: dict[str, torch.Tensor], wanted: torch.Tensor) -> torch.Tensor:
    weight = parts.pop("weight")
    if not parts:
        return weight  # one that was left as it was: a norm, the head
    if weight.is_meta:
        # A rehearsal: headers tell how much there is, and not what the shape is made of.
        halves = 1 if "SCB" in parts else 2
        if weight.numel() * weight.element_size() * halves != wanted.numel():
            raise ValueError(f"{tuple(weight.shape)} packed bytes for {tuple(wanted.shape)}")
        return wanted
    from bitsandbytes import functional  # noqa: PLC0415  optional

    if "SCB" in parts:
        return functional.int8_vectorwise_dequant(weight, parts["SCB"])
    state = functional.QuantState.from_dict(parts, device=weight.device)
    return functional.dequantize_4bit(weight, state)
