"""The READMEs' table of what trains in which memory is that of its script."""

from __future__ import annotations

import re

import pytest

from scripts.memory_table import GB, MEMORIES, READMES, need, shown, table


def cells(readme: str, model: str) -> list[str]:
    """A model's cells, one an amount of memory."""
    line = next(line for line in shown(readme).splitlines() if line.startswith(f"| {model} |"))
    return [cell.strip() for cell in line.split("|")[2:-1]]


def test_the_blocks_that_it_tells_fit_and_one_more_does_not() -> None:
    model, memory = "qwen2.5-7b-instruct", MEMORIES[0] * GB
    found = re.fullmatch(r"none / last (\d+)", cells("README.md", "Qwen2.5-7B")[0])
    assert found, "held as a whole a 7B is too much for 8 GB"
    blocks = int(found[1])
    assert need(model, 1, "keep") > memory
    assert need(model, blocks, "stream") <= memory < need(model, blocks + 1, "stream")


def test_a_small_model_fits_as_a_whole() -> None:
    assert cells("README.md", "Qwen2.5-1.5B") == ["all / all"] * len(MEMORIES)
    for way in ("keep", "stream"):
        assert need("qwen2.5-1.5b-instruct", 28, way) <= MEMORIES[0] * GB


def test_both_languages_tell_the_same() -> None:
    english, chinese = (shown(readme) for readme in READMES)
    assert re.findall(r"\d+", english) == re.findall(r"\d+", chinese)


@pytest.mark.long
@pytest.mark.parametrize("readme", READMES)
def test_the_table_is_what_the_command_prints(readme: str) -> None:
    assert table(READMES[readme]) == shown(readme)
