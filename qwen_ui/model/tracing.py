"""What a fake step through a model needs: a skeleton, fake tokens, and a mode that both live in."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.utils._python_dispatch import TorchDispatchMode

from qwen_ui.model.anatomy import Anatomy
from qwen_ui.model.libraries import AttentionInterface, PreTrainedModel, sdpa_attention_forward
from qwen_ui.model.skeleton import build_skeleton

# transformers makes no mask for an attention function that it knows no mask function of, and then
# `sdpa` is causal by itself: what happens to real tensors where no token is padded. On fake tensors
# nobody can look whether one is, and a mask is made always.
_UNMASKED = "sdpa_without_mask"
AttentionInterface.register(_UNMASKED, sdpa_attention_forward)


class GroupedProducts(TorchDispatchMode):
    """Shapes of the products that fused experts are made of, where torch's fake kernel has none.

    That kernel knows bfloat16 alone; real ones know float32 as well, with the same shapes.
    """

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if func is torch.ops.aten._grouped_mm.default and args[0].dtype != torch.bfloat16:
            return _grouped_product(*args, **(kwargs or {}))
        return func(*args, **(kwargs or {}))


def _grouped_product(
    a: torch.Tensor, b: torch.Tensor, offs: torch.Tensor | None = None, *_: Any, **__: Any
) -> torch.Tensor:
    """Groups of the rows of `a`, or (weight gradients) of the dimension that is summed over."""
    if a.dim() == b.dim() == 2:
        assert offs is not None
        return a.new_empty(offs.shape[0], a.shape[0], b.shape[1])
    return a.new_empty(*a.shape[:-1], b.shape[-1])


@dataclass(frozen=True)
class FakeModel:
    """A weightless model and the mode in which a step through it can be traced."""

    module: PreTrainedModel
    mode: FakeTensorMode

    @contextmanager
    def running(self) -> Iterator[None]:
        """What runs in here needs no weights."""
        with self.mode, GroupedProducts():
            yield

    def inputs(self, batch_size: int, sequence_length: int) -> dict[str, Any]:
        """Tokens of zeros; call it inside `running`.

        The attention mask is explicit: transformers' mask code asks for values where none is given.
        """
        shape = (batch_size, sequence_length)
        tokens = torch.zeros(shape, dtype=torch.long)
        mask = torch.ones(shape, dtype=torch.long)
        return {"input_ids": tokens, "attention_mask": mask, "use_cache": False}

    @contextmanager
    def attention(self, *, padded: bool) -> Iterator[None]:
        """With a mask, as for padded batches, or without one, as for full ones."""
        config = self.module.config
        usual = config._attn_implementation
        if padded or usual != "sdpa":
            yield
            return
        config._attn_implementation = _UNMASKED
        try:
            yield
        finally:
            config._attn_implementation = usual


def fake_model(anatomy: Anatomy, dtype: torch.dtype | None = None) -> FakeModel:
    """The anatomy's model, weightless.

    Raises:
        ModelError: it was opened from a bare module, which has no configuration to build from.
    """
    mode = FakeTensorMode()
    # A copy: how attention and experts are computed here is nobody else's business.
    configuration = copy.deepcopy(anatomy.configuration)
    # The usual one groups the experts; looping over those that were hit takes values, which fake
    # tensors do not have.
    configuration._experts_implementation = None
    if dtype is not None:
        configuration.dtype = dtype
    return FakeModel(build_skeleton(configuration, dtype=dtype, mode=mode), mode)
