"""Every epoch sees every example once, in an order that the seed fixes."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from qwen_ui.data.batches import Examples
from qwen_ui.data.order import Order
from qwen_ui.data.tokens import Example


@given(
    lengths=st.lists(st.integers(1, 50), min_size=1, max_size=40),
    batch_size=st.integers(1, 7),
    seed=st.integers(0, 99),
)
def test_every_epoch_sees_every_example_once(
    lengths: list[int], batch_size: int, seed: int
) -> None:
    examples = Examples(tuple(Example((0,) * n, (True,) * n, "") for n in lengths))
    order = Order(examples, batch_size, seed)
    places = [i for n in range(len(lengths)) for i in order.batch(n)]
    for epoch in range(batch_size):
        part = places[epoch * len(lengths) : (epoch + 1) * len(lengths)]
        assert sorted(part) == list(range(len(lengths)))
    assert Order(examples, batch_size, seed).batch(3) == order.batch(3)
