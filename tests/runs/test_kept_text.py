from __future__ import annotations

import math
from pathlib import Path

import pytest

from qwen_ui.runs import KeptText, read_kept_text, write_kept_text
from qwen_ui.runs.kept_text import KEPT_TEXT_NAME, kept_text_of_record

KEPT = KeptText((2, 3), (4.0, 9.0), (5.0, 9.5), (0.2, 0.3))


def test_figures_are_per_token(tmp_path: Path) -> None:
    assert KEPT.loss_before == pytest.approx(13 / 5)
    assert KEPT.loss == pytest.approx(14.5 / 5)
    assert KEPT.forgetting == pytest.approx(1.5 / 5)
    assert KEPT.divergence == pytest.approx(0.5 / 5)
    # Ratios of sums: sqrt(2 / 1 * (sum of squared residuals)) / tokens.
    risen = math.sqrt(2 * ((1 - 0.3 * 2) ** 2 + (0.5 - 0.3 * 3) ** 2)) / 5
    assert KEPT.forgetting_error == pytest.approx(risen)
    assert KEPT.divergence_error == pytest.approx(0.0, abs=1e-12)
    write_kept_text(tmp_path, KEPT)
    assert read_kept_text(tmp_path) == KEPT


def test_one_sample_has_figures_and_no_error() -> None:
    one = KeptText((4,), (8.0,), (9.0,), (0.4,))
    assert one.eval_fields() == {
        "keep_loss": 2.25,
        "keep_standard_error": None,
        "keep_error": None,
        "kl": 0.1,
        "kl_error": None,
    }


@pytest.mark.parametrize(
    "record",
    [
        {},
        {"tokens": [1], "before": [1.0], "after": [1.0]},
        {"tokens": [1, 2], "before": [1.0], "after": [1.0], "kl": [0.0]},
        {"tokens": [0], "before": [1.0], "after": [1.0], "kl": [0.0]},
        {"tokens": ["1"], "before": [1.0], "after": [1.0], "kl": [0.0]},
    ],
)
def test_what_is_something_else_is_not_read(tmp_path: Path, record: dict[str, object]) -> None:
    assert kept_text_of_record(record) is None
    (tmp_path / KEPT_TEXT_NAME).write_text("{")
    assert read_kept_text(tmp_path) is None
