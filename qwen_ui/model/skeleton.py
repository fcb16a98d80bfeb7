"""Configuration -> a torch module that has every name and shape and no data.

Tensors are fake (`torch._subclasses.FakeTensorMode`): nothing is allocated, nothing downloaded,
and a step can still be traced through the module, which tensors on the meta device do not allow
(transformers' mask code asks for values there).
"""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from inspect import signature
from typing import Any

import torch
from torch import nn
from torch._subclasses.fake_tensor import FakeTensorMode

from qwen_ui.errors import ModelError
from qwen_ui.model.libraries import (
    AutoModelForCausalLM,
    AutoModelForImageTextToText,
    AutoModelForSeq2SeqLM,
    PreTrainedConfig,
    PreTrainedModel,
    no_init_weights,
)
from qwen_ui.model.remote_code import came_with_its_code

# Tokens of a traced step: shapes and gradients say the same of any length.
TRACED_TOKENS = 8
# torch's default dtype belongs to the whole process; the pages of a dashboard run in threads.
_default_dtype_lock = threading.Lock()


@contextmanager
def default_dtype(dtype: torch.dtype) -> Iterator[None]:
    """Build with `dtype`: converting afterwards fails on tied fake parameters."""
    with _default_dtype_lock:
        before = torch.get_default_dtype()
        torch.set_default_dtype(dtype)
        try:
            yield
        finally:
            torch.set_default_dtype(before)


def configured_dtype(configuration: PreTrainedConfig) -> torch.dtype:
    """The dtype that the configuration names; float32 where it names none that floats."""
    dtype = configuration.dtype
    if dtype is None:
        # Multimodal wrappers keep it in the part that holds the language model.
        dtype = language_part(configuration).dtype
    if isinstance(dtype, str):
        dtype = getattr(torch, dtype, None)
    if isinstance(dtype, torch.dtype) and dtype.is_floating_point:
        return dtype
    return torch.float32


def build_skeleton(
    configuration: PreTrainedConfig,
    *,
    dtype: torch.dtype | None = None,
    mode: FakeTensorMode | None = None,
) -> PreTrainedModel:
    """The language model of this configuration, weightless.

    Pass a `mode` to trace a step through it afterwards inside the same mode. Code that comes with
    a model is run only where `remote_code` allows it.

    Raises:
        ModelError: transformers knows no causal language model for it, or cannot build it.
    """
    chosen = dtype or configured_dtype(configuration)
    if not chosen.is_floating_point or chosen.itemsize < 2:
        chosen = torch.float32
    mode = mode or FakeTensorMode()
    auto_class(configuration)  # says so at once where there is none
    try:
        with mode, default_dtype(chosen):
            return _build(configuration)
    except (MemoryError, SystemError) as error:
        # Out of memory, an extension module may return without a word (SystemError).
        raise MemoryError from error
    except Exception as error:
        # Some classes look at values or convert tensors while they are built, which fake tensors
        # do not allow and tensors on the meta device do (nine of the types of transformers 5.24).
        return _build_on_meta(configuration, chosen, mode, first=error)


# A decoder first; then what wraps one (images and text) or has one (encoder and decoder).
_AUTO_CLASSES: tuple[Any, ...] = (
    AutoModelForCausalLM,
    AutoModelForImageTextToText,
    AutoModelForSeq2SeqLM,
)


def auto_class(configuration: PreTrainedConfig) -> Any:
    """transformers' entry that builds a language model of this configuration.

    Raises:
        ModelError: it has none.
    """
    if "AutoModelForCausalLM" in (getattr(configuration, "auto_map", None) or {}):
        return AutoModelForCausalLM  # its own code, which `catalog` let through
    for found in _AUTO_CLASSES:
        if type(configuration) in found._model_mapping:
            return found
    raise ModelError(
        f"transformers has no causal language model of type '{configuration.model_type}', and none "
        "with an encoder or images either. Choose a model that generates text."
    )


def model_class(configuration: PreTrainedConfig) -> Any:
    """The class that `auto_class` builds; None where it comes with the model's own code."""
    mapping = auto_class(configuration)._model_mapping
    return mapping.get(type(configuration), None)


def _build(configuration: PreTrainedConfig) -> PreTrainedModel:
    """Without first values, a third of the work; called under the lock: it changes classes."""
    with no_init_weights():
        module: PreTrainedModel = auto_class(configuration).from_config(
            configuration, trust_remote_code=came_with_its_code(configuration)
        )
    module.tie_weights()  # else done with the first values
    return module


def _build_on_meta(
    configuration: PreTrainedConfig, dtype: torch.dtype, mode: FakeTensorMode, first: Exception
) -> PreTrainedModel:
    try:
        module = build_on_meta(configuration, dtype)
    except (MemoryError, SystemError) as error:
        raise MemoryError from error
    except Exception:
        # Whatever a model class raises here, it is this configuration that it cannot be built from.
        raise ModelError(_reason(configuration, first)) from first
    _make_fake(module, mode)
    return module


def build_on_meta(configuration: PreTrainedConfig, dtype: torch.dtype) -> PreTrainedModel:
    """The model on the meta device: every name and shape, and no step can be traced through it."""
    with torch.device("meta"), default_dtype(dtype):
        return _build(configuration)


def _make_fake(module: nn.Module, mode: FakeTensorMode) -> None:
    """Put fake tensors in the place of those on the meta device; tied ones stay one tensor."""
    made: dict[int, torch.Tensor] = {}
    for child in module.modules():
        for tensors in (child._parameters, child._buffers):
            for name, tensor in tensors.items():
                if tensor is None:
                    continue
                if id(tensor) not in made:
                    with mode:
                        fake = torch.empty(tensor.shape, dtype=tensor.dtype)
                    made[id(tensor)] = nn.Parameter(fake) if tensors is child._parameters else fake
                tensors[name] = made[id(tensor)]  # type: ignore[assignment]


def _reason(configuration: PreTrainedConfig, error: Exception) -> str:
    """One sentence on why a configuration cannot be built, and which sizes it does not give."""
    said = " ".join(str(error).split())[:240].rstrip(".") or type(error).__name__
    unset = [
        key
        for key, value in configuration.to_dict().items()
        if value is None and re.search(r"size|dim|heads|layers|rank|num_|types|theta", key)
    ]
    missing = f" It gives no value for {', '.join(unset[:8])}." if unset else ""
    return (
        f"The configuration of type '{configuration.model_type}' cannot be built as a "
        f"language model: {type(error).__name__}: {said}.{missing} Fix the configuration, or "
        "choose another model."
    )


def language_part(configuration: PreTrainedConfig) -> PreTrainedConfig:
    """The language model's configuration; a multimodal wrapper keeps it one level down."""
    try:
        return configuration.get_text_config(decoder=True)
    except ValueError:
        # Raised where several parts of a wrapper could be meant.
        return configuration


def step_inputs(module: nn.Module, length: int = TRACED_TOKENS) -> dict[str, torch.Tensor]:
    """So many tokens and their mask, for the decoder too where there is an encoder."""
    tokens = torch.zeros((1, length), dtype=torch.long)
    inputs = {"input_ids": tokens, "attention_mask": torch.ones_like(tokens)}
    if "decoder_input_ids" in signature(module.forward).parameters:
        inputs["decoder_input_ids"] = tokens
    return inputs
