"""Ranking in a process of its own."""

from __future__ import annotations

from pathlib import Path

import pytest

from qwen_ui.errors import DataError
from qwen_ui.paths import ASSETS
from qwen_ui.rank import (
    rank,
    rank_all_in_subprocess,
    rank_in_subprocess,
)


@pytest.mark.slow
def test_what_was_ranked_in_a_process_of_its_own_is_kept(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    file = tmp_path / "data.txt"
    text = (ASSETS / "data" / "kjv-eval.txt").read_text(encoding="utf-8")
    file.write_text(text[:3000], encoding="utf-8")
    told: list[tuple[int, int]] = []
    first = rank_in_subprocess("nano", str(file), "activation", lambda *pair: told.append(pair))
    assert told[-1] == (1000, 1000)
    assert first == rank("nano", str(file), "activation")
    monkeypatch.setattr("subprocess.Popen", None)  # No second process is started.
    assert rank_in_subprocess("nano", str(file), "activation") == first
    # One pass answered these as well.
    assert rank_all_in_subprocess("nano", str(file), ("change", "wanda")).keys() == {
        "change",
        "wanda",
    }
    file.write_text(text[:2000], encoding="utf-8")
    with pytest.raises(TypeError):
        rank_in_subprocess("nano", str(file), "activation")


@pytest.mark.slow
def test_a_mistake_in_another_process_is_told() -> None:
    with pytest.raises(DataError, match="no file"):
        rank_in_subprocess("nano", "/no/such/file.txt", "activation")
