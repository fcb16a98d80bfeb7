"""A sharded checkpoint without data."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.sparse import write_sharded
from qwen_ui.model import Anatomy


@pytest.fixture
def sharded(tmp_path: Path, qwen: Anatomy) -> Path:
    """A sparse checkpoint of the 1.5B's names and shapes in two files."""
    return write_sharded(tmp_path, {p.name: p.shape for p in qwen.parameters})
