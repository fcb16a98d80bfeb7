"""What former versions called their settings, and did where they had none."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

FORMER_SETTINGS = {
    "accumulation": "gradient_accumulation_steps",
    "early_stopping": "early_stopping_patience",
    "eval_fraction": "validation_split",
    "prefix_cache": "prefix",
    "rate_test": "learning_rate_finder",
}
# What runs of former versions did that had no such setting.
FORMER_VALUES = {"eval_tokens": 0}


def renamed(settings: Any) -> Any:
    """A group of settings by their present names; what is no group as it is."""
    if not isinstance(settings, Mapping):
        return settings
    return {FORMER_SETTINGS.get(name, name): value for name, value in settings.items()}
