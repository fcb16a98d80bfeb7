"""That a model's frozen blocks cannot be read one by one."""

from __future__ import annotations

from qwen_ui.errors import ModelError


class StreamError(ModelError):
    """The frozen blocks cannot be read one by one, and run apart from each other, in this model."""
