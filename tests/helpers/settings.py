"""Settings of a run that ends within seconds on nano."""

from __future__ import annotations

from typing import Any

from qwen_ui.paths import ASSETS

SETTINGS: dict[str, Any] = {
    "data": str(ASSETS / "data" / "kjv-train.txt"),
    "eval_data": str(ASSETS / "data" / "kjv-eval.txt"),
    "steps": 3,
    "batch_size": 2,
    "sequence_length": 32,
    "sample_tokens": 4,
    "dtype": "float32",
    "device": "cpu",
}
