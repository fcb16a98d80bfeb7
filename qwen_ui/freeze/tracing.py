"""What a fake step through a model needs: a skeleton, fake tokens, and a mode that both live in."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch._subclasses.fake_tensor import FakeTensorMode
from transformers import PreTrainedModel

from qwen_ui.model.anatomy import Anatomy
from qwen_ui.model.skeleton import build_skeleton


@dataclass(frozen=True)
class FakeModel:
    """A weightless model and the mode in which a step through it can be traced."""

    module: PreTrainedModel
    mode: FakeTensorMode

    def inputs(self, batch_size: int, sequence_length: int) -> dict[str, Any]:
        """Tokens of zeros with labels; call it inside `mode`.

        The attention mask is explicit: transformers' mask code asks for values where none is given.
        """
        shape = (batch_size, sequence_length)
        tokens = torch.zeros(shape, dtype=torch.long)
        mask = torch.ones(shape, dtype=torch.long)
        return {"input_ids": tokens, "attention_mask": mask, "use_cache": False}


def fake_model(anatomy: Anatomy, dtype: torch.dtype | None = None) -> FakeModel:
    """The anatomy's model, weightless.

    Raises:
        ModelError: it was opened from a bare module, which has no configuration to build from.
    """
    mode = FakeTensorMode()
    return FakeModel(build_skeleton(anatomy.configuration, dtype=dtype, mode=mode), mode)
