"""Of large evaluation data a part is measured, the same in every run."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from qwen_ui.data import Example, Examples, measured_part


def example(tokens: list[int], where: str = "") -> Example:
    return Example(tuple(tokens), (True,) * len(tokens), where, (0,))


LENGTHS = st.lists(st.lists(st.integers(0, 50), min_size=1, max_size=9), min_size=1, max_size=30)


@given(LENGTHS, st.integers(0, 120), st.integers(0, 3))
def test_a_part_is_whole_sequences_in_order_within_the_limit(
    sequences: list[list[int]], most: int, seed: int
) -> None:
    whole = Examples(tuple(example(s, str(i)) for i, s in enumerate(sequences)))
    part = measured_part(whole, most, seed)
    places = [int(item.where) for item in part.items]
    assert places == sorted(set(places))
    tokens = sum(len(item.tokens) for item in part.items)
    total = sum(map(len, sequences))
    if most == 0 or total <= most:
        assert part == whole
    else:
        assert tokens <= most or len(part.items) == 1
        assert f"{tokens:,} of {total:,} tokens" in part.notes[-1]


def test_the_choice_is_by_content_and_seed_and_not_by_order() -> None:
    items = [example([n, n + 1, n + 2]) for n in range(200)]
    chosen = {item.tokens for item in measured_part(Examples(tuple(items)), 90, 0).items}
    turned = measured_part(Examples(tuple(reversed(items))), 90, 0)
    assert {item.tokens for item in turned.items} == chosen
    assert len(chosen) == 30
    other = measured_part(Examples(tuple(items)), 90, 1)
    assert {item.tokens for item in other.items} != chosen
    # A sequence more displaces one at most.
    more = measured_part(Examples((*items, example([999, 999, 999]))), 90, 0)
    assert len(chosen - {item.tokens for item in more.items}) <= 1
