"""Names that settings had in former versions: in their files, on the command line, in programs."""

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


def renamed(settings: Any) -> Any:
    """A group of settings by their present names; what is no group as it is."""
    if not isinstance(settings, Mapping):
        return settings
    return {FORMER_SETTINGS.get(name, name): value for name, value in settings.items()}
