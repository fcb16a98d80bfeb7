"""Workers of these tests are forked from a process that has everything imported."""

from __future__ import annotations

from typing import Any

import pytest


@pytest.fixture(autouse=True)
def _forked(forked_workers: None) -> None:
    """Each worker is spared its imports."""


@pytest.fixture(scope="session")
def both(tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, Any]]:
    """What two processes find out together, by rank; see `tests.helpers.two_processes`."""
    from tests.helpers.two_processes import run_both  # noqa: PLC0415

    return run_both(tmp_path_factory.mktemp("two-processes"))
