from __future__ import annotations

import torch
from transformers import AutoTokenizer

from qwen_ui.paths import home
from qwen_ui.train.data import collate, load_examples
from qwen_ui.train.prefix import KeptPrefix, PrefixKey

WIDTH = 8


def opened(examples, *, depth=2, weights="w", budget=10**6):
    key = PrefixKey(weights, examples.digest, depth, "float32", "cpu", "v")
    return KeptPrefix(key, examples, WIDTH, torch.float32, budget)


def filled(examples, **key):
    kept, batch = opened(examples, **key), collate(examples, (0, 3), 0)
    values = torch.randn(*batch.tokens_BT.shape, WIDTH)
    kept.put(batch, values)
    return kept, batch, values


def real(batch, values):
    """What stands where there are tokens."""
    return values[batch.mask_BT.bool()]


def examples_of(sentences, tiny):
    return load_examples(str(sentences), AutoTokenizer.from_pretrained(tiny), 48)


def test_what_is_kept_comes_back_bitwise_also_in_a_later_process(sentences, tiny):
    examples = examples_of(sentences, tiny)
    _, batch, values = filled(examples)
    again = opened(examples)
    assert again.holds(0)
    assert again.holds(3)
    assert not again.holds(1)
    assert torch.equal(real(batch, again.get(batch)), real(batch, values))


def test_other_weights_or_depth_or_tokens_never_meet(sentences, tiny):
    examples = examples_of(sentences, tiny)
    filled(examples)
    assert not opened(examples, depth=3).holds(0)
    assert not opened(examples, weights="others").holds(0)
    fewer = type(examples)(examples.items[:-1])
    assert not opened(fewer).holds(0)


def test_a_torn_row_is_not_trusted(sentences, tiny):
    examples = examples_of(sentences, tiny)
    filled(examples)
    (file,) = (home() / "prefixes").glob("*.kept")
    with file.open("r+b") as handle:
        handle.write(b"\xff")
    again = opened(examples)
    assert not again.holds(0)
    assert again.holds(3)


def test_the_budget_bounds_the_file(sentences, tiny):
    examples = examples_of(sentences, tiny)
    budget = 3 * 48 * WIDTH * 4
    kept = opened(examples, budget=budget)
    assert 0 < kept.capacity < len(examples.items)
    assert kept.bytes <= budget
    assert all(file.stat().st_size <= budget for file in (home() / "prefixes").glob("*.kept"))
    assert opened(examples, budget=0).capacity == 0


def test_files_that_no_longer_fit_make_room(sentences, tiny):
    examples = examples_of(sentences, tiny)
    filled(examples, weights="old")
    opened(examples, weights="new", budget=opened(examples, weights="new").bytes + 10)
    assert not opened(examples, weights="old").holds(0)
