"""Numbers for reading: one table of cases, which the page's formatter is held to as well."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from qwen_ui import formats

TABLE = json.loads((Path(__file__).parent / "formats.json").read_text(encoding="utf-8"))
FORMATTERS: dict[str, Callable[..., str]] = {
    "exact": "{:,}".format,
    "short_count": formats.short_count,
    "bytes": formats.short_bytes,
    "flops": formats.short_flops,
    "percent": formats.percent,
    "duration": formats.duration,
}
CASES = [
    (name, value, text) for name, cases in TABLE.items() if name != "about" for value, text in cases
]


@pytest.mark.parametrize(("name", "value", "text"), CASES)
def test_a_number_reads_as_the_table_says(name: str, value: float, text: str) -> None:
    assert FORMATTERS[name](value) == text


def test_a_share_is_written_alike_wherever_it_stands() -> None:
    """BitFit on the last four blocks of the 1.5B; it was `< 0.01 %` and `0.0005307 %` as well."""
    assert formats.percent(8192 / 1_543_714_304) == "0.00053 %"
