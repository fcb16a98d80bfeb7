"""Configuration -> a torch module that has every name and shape and no data.

Tensors are fake (`torch._subclasses.FakeTensorMode`): nothing is allocated, nothing downloaded,
and a step can still be traced through the module, which tensors on the meta device do not allow
(transformers' mask code asks for values there).
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch._subclasses.fake_tensor import FakeTensorMode
from transformers import AutoModelForCausalLM, PreTrainedConfig, PreTrainedModel

from qwen_ui.errors import ModelError

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
        dtype = configuration.get_text_config().dtype
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
    """The causal language model of this configuration, weightless.

    Pass a `mode` to trace a step through it afterwards inside the same mode. Remote code is never
    run.

    Raises:
        ModelError: transformers knows no causal language model for it, or cannot build it.
    """
    chosen = dtype or configured_dtype(configuration)
    if not chosen.is_floating_point or chosen.itemsize < 2:
        chosen = torch.float32
    try:
        with mode or FakeTensorMode(), default_dtype(chosen):
            return AutoModelForCausalLM.from_config(configuration, trust_remote_code=False)
    except Exception as error:
        # Whatever a model class raises here, it is this configuration that it cannot be built from.
        reason = " ".join(str(error).split())[:300] or type(error).__name__
        raise ModelError(
            f"The configuration of type '{configuration.model_type}' cannot be built as a causal "
            f"language model: {type(error).__name__}: {reason} "
            "Check the configuration's values, or choose another model."
        ) from error
