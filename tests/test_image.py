"""The container's recipe: it copies what there is, and what the package is made of reaches it."""

from __future__ import annotations

import re
import tomllib
from fnmatch import fnmatch
from pathlib import Path

from qwen_ui.ui.page import AUTH_VARIABLE
from tests.helpers.commands import parsed

ROOT = Path(__file__).resolve().parent.parent
RECIPE = (ROOT / "Dockerfile").read_text(encoding="utf-8").replace("\\\n", " ")
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())


def lines_of(instruction: str) -> list[str]:
    return re.findall(rf"^{instruction} (.+)$", RECIPE, re.MULTILINE)


def reaches_the_image(path: str) -> bool:
    """Whether `.dockerignore` lets a file through: the last line that fits it decides."""
    lets_through = True
    for line in (ROOT / ".dockerignore").read_text().splitlines():
        pattern = line.removeprefix("!")
        if line and not line.startswith("#") and (fnmatch(path, pattern) or path == pattern):
            lets_through = line.startswith("!")
    return lets_through


def test_what_the_package_is_built_from_reaches_the_image_and_nothing_else() -> None:
    build = PROJECT["tool"]["hatch"]["build"]["targets"]
    needed = [
        *build["wheel"]["packages"],
        *build["wheel"]["force-include"],
        *PROJECT["project"]["license-files"],
        PROJECT["tool"]["hatch"]["metadata"]["hooks"]["custom"]["path"],
        *("README.md", "pyproject.toml", "requirements.txt"),
    ]
    assert [path for path in needed if not reaches_the_image(path)] == []
    for path in (".git", ".venv", "node_modules", "tests", "benchmarks", ".env"):
        assert not reaches_the_image(path), path


def test_files_that_it_copies_and_extras_that_it_names_exist() -> None:
    for line in lines_of("COPY"):
        if not line.startswith("--from"):
            assert (ROOT / line.split()[0]).exists(), line
    named = set(re.findall(r"EXTRAS=([\w,-]+)", RECIPE))
    known = set(PROJECT["project"]["optional-dependencies"])
    assert named
    assert {extra for names in named for extra in names.split(",")} <= known


def test_it_runs_as_nobody_special_behind_a_login_and_tells_its_health() -> None:
    stages = RECIPE.split("\nFROM ")
    assert all("slim" in stage.splitlines()[0] for stage in stages[1:])
    assert re.search(r"^USER (?!root)\w+$", stages[-1], re.MULTILINE)
    assert lines_of("HEALTHCHECK")
    assert AUTH_VARIABLE in RECIPE
    (start,) = lines_of("CMD")
    options = parsed(re.findall(r'"([^"]+)"', start))
    assert (options["host"], options["port"]) == ("0.0.0.0", 7860)
    assert f"127.0.0.1:{options['port']}/" in lines_of("HEALTHCHECK")[0]
