"""Workers of these tests are forked from a process that has everything imported."""

from __future__ import annotations

import pytest


@pytest.fixture(autouse=True)
def _forked(forked_workers: None) -> None:
    """Each worker is spared its imports."""
