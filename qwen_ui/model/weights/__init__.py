"""What a model's weight files hold: where they are, whether they fit, and what is in them.

Headers are read first; a tensor's values only to measure it or to load it for training.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from qwen_ui.lazy import lazy_face

if TYPE_CHECKING:
    from qwen_ui.model.weights.fingerprint import folder_fingerprint
    from qwen_ui.model.weights.fit import WeightsCheck, check_weights, weights_of
    from qwen_ui.model.weights.grid import WeightGrid, measure_weights
    from qwen_ui.model.weights.headers import StoredTensor, StoredWeights, read_weights
    from qwen_ui.model.weights.loading import (
        load_model,
        load_tokenizer,
        training_dtype,
        weights_folder,
    )
    from qwen_ui.model.weights.location import cached_snapshot, preset_weights, weights_in
    from qwen_ui.model.weights.measures import MEASURES
    from qwen_ui.model.weights.quantization import refuse_quantized
    from qwen_ui.model.weights.statistics import Spectrum, Statistics, spectrum, tensor_statistics

__all__ = [
    "MEASURES",
    "Spectrum",
    "Statistics",
    "StoredTensor",
    "StoredWeights",
    "WeightGrid",
    "WeightsCheck",
    "cached_snapshot",
    "check_weights",
    "folder_fingerprint",
    "load_model",
    "load_tokenizer",
    "measure_weights",
    "preset_weights",
    "read_weights",
    "refuse_quantized",
    "spectrum",
    "tensor_statistics",
    "training_dtype",
    "weights_folder",
    "weights_in",
    "weights_of",
]
__getattr__ = lazy_face(
    __name__,
    {
        "MEASURES": "measures",
        "Spectrum": "statistics",
        "Statistics": "statistics",
        "StoredTensor": "headers",
        "StoredWeights": "headers",
        "WeightGrid": "grid",
        "WeightsCheck": "fit",
        "cached_snapshot": "location",
        "check_weights": "fit",
        "folder_fingerprint": "fingerprint",
        "load_model": "loading",
        "load_tokenizer": "loading",
        "measure_weights": "grid",
        "preset_weights": "location",
        "read_weights": "headers",
        "refuse_quantized": "quantization",
        "spectrum": "statistics",
        "tensor_statistics": "statistics",
        "training_dtype": "loading",
        "weights_folder": "loading",
        "weights_in": "location",
        "weights_of": "fit",
    },
)
