"""Settings of a run, every two of them together: equal to a plain loop."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.helpers.combinations import (
    FACTORS,
    Combination,
    cover,
    losses,
    offered,
    plain_losses,
    run_pairs,
    save,
)

COVER = tuple(cover())


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny model of each family."""
    made = tmp_path_factory.mktemp("families")
    for family in FACTORS["family"]:
        save(made / family, family)
    return made


@pytest.fixture(scope="module")
def together(folder: Path, sentences: Path) -> dict[str, list[float]]:
    """What two processes give, by combination."""
    return run_pairs(folder, sentences)


def test_every_two_settings_are_run_together() -> None:
    run = frozenset().union(*(combination.pairs for combination in COVER))
    assert run == frozenset().union(*(combination.pairs for combination in offered()))
    assert len(COVER) < 20


@pytest.mark.parametrize("combination", [c for c in COVER if c.processes == "one"], ids=str)
def test_one_process_equals_a_plain_loop(
    combination: Combination, folder: Path, sentences: Path
) -> None:
    ours = losses(combination, folder, sentences)
    theirs = plain_losses(combination, folder, sentences)
    assert ours == pytest.approx(theirs, rel=combination.tolerance)


@pytest.mark.parametrize("combination", [c for c in COVER if c.processes != "one"], ids=str)
def test_two_processes_equal_a_plain_loop(
    combination: Combination, folder: Path, sentences: Path, together: dict[str, list[float]]
) -> None:
    theirs = plain_losses(combination, folder, sentences)
    assert together[str(combination)] == pytest.approx(theirs, rel=combination.tolerance)
