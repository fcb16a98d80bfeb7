"""Notices of what others made, and the heading by which a Space knows its entry."""

from __future__ import annotations

import re
from importlib.metadata import version
from pathlib import Path

import pytest
import yaml

from scripts.third_party import SOURCES, dependencies, notices

ROOT = Path(__file__).resolve().parent.parent
# What a Space's `README.md` may name as colours (huggingface.co/docs/hub/spaces-config-reference).
COLOURS = {"red", "yellow", "green", "blue", "indigo", "purple", "pink", "gray"}


def test_the_notices_are_what_the_command_writes() -> None:
    page = (ROOT / "THIRD_PARTY_NOTICES.md").read_text(encoding="utf-8")
    assert page == notices(), "run `make notices`"


def test_every_shipped_asset_has_a_source() -> None:
    listed = {file for source in SOURCES for file in ROOT.glob(source.files)}
    assert all(list(ROOT.glob(source.files)) for source in SOURCES)
    shipped = {file for file in (ROOT / "assets").rglob("*") if file.is_file()}
    assert shipped - listed == set()


def test_every_package_says_its_license() -> None:
    rows = re.findall(r"^\| \[([\w-]+)\]\(\S+\) \| (.+) \|$", notices(), re.MULTILINE)
    assert [name for name, _ in rows] == dependencies()
    assert all(len(license_) < 120 for _, license_ in rows)


@pytest.mark.parametrize("kind", ["png", "jpg", "gif", "ico", "woff", "woff2", "ttf", "otf"])
def test_the_package_ships_no_picture_or_font_of_others(kind: str) -> None:
    assert list((ROOT / "qwen_ui").rglob(f"*.{kind}")) == []


def test_the_repository_is_a_valid_space() -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    heading = yaml.safe_load(text.split("---\n")[1])
    assert heading["sdk"] == "gradio"
    assert heading["sdk_version"] == version("gradio")
    assert str(heading["python_version"]) == "3.11"
    assert (ROOT / heading["app_file"]).is_file()
    assert heading["license"] == "apache-2.0"
    assert {heading["colorFrom"], heading["colorTo"]} <= COLOURS
    assert len(heading["emoji"].encode("utf-16-le")) <= 4
    assert len(heading["short_description"]) <= 60
    fields = {"title", "emoji", "sdk", "sdk_version", "python_version", "app_file", "license"}
    looks = {"colorFrom", "colorTo", "pinned", "short_description", "tags"}
    assert set(heading) <= fields | looks
