"""That a model's frozen blocks cannot be read one by one, or what they give not be kept."""

from __future__ import annotations

from qwen_ui.errors import ModelError, SettingsError


class StreamError(ModelError):
    """The frozen blocks cannot be read one by one, and run apart from each other, in this model."""


def unwritable(error: OSError) -> SettingsError:
    """What a run is told whose frozen blocks are gone once their outputs are written."""
    return SettingsError(
        f"The outputs of the frozen blocks cannot be written ({error.strerror}). Make room on the "
        "disk, or set prefix to off."
    )
