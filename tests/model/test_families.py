"""Every type of transformers' causal language models, held to the table in the documents."""

from __future__ import annotations

from pathlib import Path

import pytest

from qwen_ui.model.families import NOTES, model_types, open_family

PAGE = Path(__file__).resolve().parents[2] / "docs" / "architectures.md"
ROWS = {line.split("`")[1]: line for line in PAGE.read_text().splitlines() if line[:3] == "| `"}


def test_the_table_has_every_type_and_181_of_196_build() -> None:
    assert set(ROWS) == set(model_types())
    assert len(ROWS) == 196
    assert sum("does not build" not in row for row in ROWS.values()) == 181


@pytest.mark.slow
@pytest.mark.parametrize("model_type", model_types())
# transformers warns of some defaults; they are its own.
def test_a_type_opens_as_the_table_says(model_type: str) -> None:
    family = open_family(model_type)
    assert family.row == ROWS[model_type]
    if family.anatomy is None:
        assert "\n" not in family.problem
        assert len(family.problem) < 700
        return
    # read_anatomy asserts that the tensors sum to the module's own total, ties once
    assert family.anatomy.total_parameters > 0
    if model_type not in NOTES and family.expected is not None:
        assert family.anatomy.block_count == family.expected
