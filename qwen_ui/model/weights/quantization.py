"""Quantized weights, which cannot be trained."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qwen_ui.errors import ModelError

if TYPE_CHECKING:
    from qwen_ui.model.anatomy import Anatomy


def refuse_quantized(anatomy: Anatomy) -> None:
    """Refuse weights that cannot be trained.

    Raises:
        ModelError: they are quantized.
    """
    quantization = anatomy.config.get("quantization_config")
    if quantization:
        method = quantization.get("quant_method", "some method")
        raise ModelError(
            f"The weights of '{anatomy.source}' are quantized ({method}) and cannot be trained. "
            "Choose the model's bfloat16 or float32 release."
        )
