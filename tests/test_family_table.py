"""A row of docs/families.md is measured, and the page is the table's."""

from __future__ import annotations

from pathlib import Path

import pytest

from scripts.family_table import COLUMNS, GROUPS, measure_row

PAGE = Path(__file__).resolve().parent.parent / "docs" / "families.md"
# transformers says of some families that they run without their fast kernels.


@pytest.mark.parametrize(
    ("model_type", "fits", "tensors"), [("llama", "yes", 18), ("mixtral", "yes, 52 converted", 18)]
)
def test_a_family_goes_the_whole_way(
    tmp_path: Path, model_type: str, fits: str, tensors: int
) -> None:
    cells = measure_row(model_type, tmp_path).cells
    assert cells.keys() == COLUMNS.keys()
    assert cells["opens"].startswith("4 blocks, ")
    assert cells["fits"] == fits
    assert cells["prices"] == "0, 0"
    before, after = map(float, cells["trains"].split(" to "))
    assert after < before
    assert float(cells["plain loop"]) < 1e-6
    assert cells["prefix"] == "2"
    assert cells["sees later"] == "0"
    assert cells["packing"] == "safe, 0"
    assert cells["applies"] == f"{tensors} tensors"
    assert cells["reloads"] == "yes"
    assert float(cells["run's loss"]) == pytest.approx(after, abs=1e-4)
    for column in ("off", "off, all"):
        assert float(cells[column]) < 1e-6


def test_what_is_refused_says_why(tmp_path: Path) -> None:
    cells = measure_row("t5", tmp_path).cells
    assert cells["prices"] == "0, 0"
    assert cells["trains"].startswith("refused: is an encoder with a decoder")
    assert "applies" not in cells


def test_the_page_has_a_row_for_every_family() -> None:
    rows = [line.split("`")[1] for line in PAGE.read_text().splitlines() if line.startswith("| `")]
    assert rows == [name for members in GROUPS.values() for name in members]
