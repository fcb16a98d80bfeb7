"""What a model's weight files hold: where they are, whether they fit, and what is in them.

Called by every later room. It reads headers first, and a tensor's values only to measure it or to
load it for training; it may download weights into the hub's cache and writes nothing else.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from qwen_ui.lazy import lazy_face

if TYPE_CHECKING:
    from qwen_ui.model.weights.conversion import Conversion
    from qwen_ui.model.weights.dequantizing import with_plain_modules
    from qwen_ui.model.weights.fingerprint import folder_fingerprint
    from qwen_ui.model.weights.fit import (
        WeightsCheck,
        check_weights,
        refuse_misfit,
        unread_weights,
        weights_of,
        why_no_weights,
    )
    from qwen_ui.model.weights.grid import WeightGrid, measure_weights
    from qwen_ui.model.weights.headers import StoredTensor, StoredWeights, read_weights
    from qwen_ui.model.weights.loading import (
        computes_bfloat16,
        copy_companions,
        load_model,
        load_tokenizer,
        training_dtype,
        weights_folder,
    )
    from qwen_ui.model.weights.measures import MEASURES
    from qwen_ui.model.weights.piecewise import PiecewiseModel, Stored
    from qwen_ui.model.weights.quantization import (
        is_dequantized,
        quantization_of,
        quantized_form,
        refuse_unreadable,
        refuse_untrainable,
    )
    from qwen_ui.model.weights.rehearsal import Place, rehearse
    from qwen_ui.model.weights.rewriting import rewrite
    from qwen_ui.model.weights.rows import read_rows, read_tensor, write_rows
    from qwen_ui.model.weights.statistics import (
        MAX_SPECTRUM_SIDE,
        Spectrum,
        Statistics,
        spectrum,
        tensor_statistics,
    )

__all__ = [
    "MAX_SPECTRUM_SIDE",
    "MEASURES",
    "Conversion",
    "PiecewiseModel",
    "Place",
    "Spectrum",
    "Statistics",
    "Stored",
    "StoredTensor",
    "StoredWeights",
    "WeightGrid",
    "WeightsCheck",
    "check_weights",
    "computes_bfloat16",
    "copy_companions",
    "folder_fingerprint",
    "is_dequantized",
    "load_model",
    "load_tokenizer",
    "measure_weights",
    "quantization_of",
    "quantized_form",
    "read_rows",
    "read_tensor",
    "read_weights",
    "refuse_misfit",
    "refuse_unreadable",
    "refuse_untrainable",
    "rehearse",
    "rewrite",
    "spectrum",
    "tensor_statistics",
    "training_dtype",
    "unread_weights",
    "weights_folder",
    "weights_of",
    "why_no_weights",
    "with_plain_modules",
    "write_rows",
]
__getattr__ = lazy_face(__name__, __file__)
