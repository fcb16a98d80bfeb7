"""Small models that stand for a family each."""

from __future__ import annotations

import pytest

from qwen_ui.model import Anatomy, open_model


@pytest.fixture(scope="session")
def qwen() -> Anatomy:
    """Qwen2.5-1.5B-Instruct, weightless."""
    return open_model("qwen2.5-1.5b-instruct")
