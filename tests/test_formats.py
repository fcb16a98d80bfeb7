"""Numbers for reading: one table of cases, which the page's formatter is held to as well."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qwen_ui import formats

TABLE = json.loads((Path(__file__).parent / "formats.json").read_text(encoding="utf-8"))
FORMATTERS: dict[str, Callable[..., str]] = {
    "exact": "{:,}".format,
    "short_count": formats.short_count,
    "bytes": formats.short_bytes,
    "flops": formats.short_flops,
    "percent": formats.percent,
    "duration": formats.duration,
    "rounded": formats.rounded,
    "rate": formats.rate_text,
    "unbroken": formats.unbroken,
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


@given(st.lists(st.integers(0, 60), unique=True).map(sorted))
def test_ranges_name_exactly_their_numbers(numbers: list[int]) -> None:
    text = formats.index_ranges(numbers, separator=",")
    found: list[int] = []
    for part in filter(None, text.split(",")):
        first, _, last = part.partition("-")
        found += range(int(first), int(last or first) + 1)
    assert found == numbers
    assert not re.search(r"(\d+)-\1\b", text)


def test_the_middle_of_many_ranges_is_left_out() -> None:
    numbers = [0, 1, 2, 4, 5, 6, 8, 9, 12, 14]
    assert formats.index_ranges(numbers) == "0-2, 4-6, 8-9, 12, 14"
    assert formats.index_ranges(numbers, most=4) == "0-2, 4-6, …, 14"
