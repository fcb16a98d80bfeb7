"""The list of methods."""

from __future__ import annotations

import subprocess
import sys

import pytest
from transformers import PreTrainedModel

from qwen_ui.data.batches import Batch
from qwen_ui.model import Anatomy
from qwen_ui.rank import (
    METHODS,
)
from qwen_ui.rank.run import _passes
from tests.helpers.rank import BLOCKS, quiet


def test_every_method_says_what_it_measures_by_which_formula_and_whose() -> None:
    for name, method in METHODS.items():
        assert method.name == name
        assert method.what.endswith(".")
        assert "loss" in method.formula or "mean" in method.formula
        assert "arXiv" in method.source


def test_the_list_is_shown_without_torch() -> None:
    code = "import sys; from qwen_ui.rank import METHODS; print('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["False"]


@pytest.mark.parametrize("computed_by", sorted({method.computed_by for method in METHODS.values()}))
def test_a_method_names_the_pass_that_answers_it(
    computed_by: str, model: PreTrainedModel, anatomy: Anatomy, batches: list[Batch]
) -> None:
    wanted = [name for name, method in METHODS.items() if method.computed_by == computed_by]
    (one,) = _passes(wanted)
    found = one(model, anatomy, batches, quiet)
    assert list(found) == wanted
    assert all(len(scores.blocks) == BLOCKS for scores in found.values())
