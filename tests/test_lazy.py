"""Faces import a name from its home when it is asked for, and keep no copy of it."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from qwen_ui.lazy import lazy_face, names_under_type_checking

FACE = """
from typing import TYPE_CHECKING
from elsewhere import eager
if TYPE_CHECKING:
    from lazy_home.inner import (
        Answer,
        question,
    )
"""


def test_the_homes_are_the_imports_for_type_checkers() -> None:
    home = "lazy_home.inner"
    assert names_under_type_checking(FACE) == {"Answer": home, "question": home}


def test_a_home_is_imported_when_its_name_is_asked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = tmp_path / "lazy_home"
    package.mkdir()
    (package / "__init__.py").write_text(FACE)
    (package / "inner.py").write_text("Answer = 42\n")
    (tmp_path / "elsewhere.py").write_text("eager = 1\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    get = lazy_face("lazy_home", str(package / "__init__.py"))
    assert "lazy_home.inner" not in sys.modules
    assert get("Answer") == 42
    monkeypatch.setattr(sys.modules["lazy_home.inner"], "Answer", 43)
    assert get("Answer") == 43, "a test that replaces it in its home is seen"
    with pytest.raises(AttributeError, match="'lazy_home' has no attribute 'nothing'"):
        get("nothing")
    for name in ("lazy_home", "lazy_home.inner", "elsewhere"):
        monkeypatch.delitem(sys.modules, name)
