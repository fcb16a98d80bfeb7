"""Data for commands that read some."""

from __future__ import annotations

from pathlib import Path

import pytest

from qwen_ui.paths import ASSETS


@pytest.fixture
def short_text(tmp_path: Path) -> str:
    file = tmp_path / "short.txt"
    file.write_text((ASSETS / "data" / "kjv-eval.txt").read_text(encoding="utf-8")[:4000])
    return str(file)
