from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import AutoTokenizer, MistralConfig

from qwen_ui.data.batches import Batch, Examples, collate, load_examples
from qwen_ui.data.tokens import Example
from qwen_ui.engine.forward import Trainee
from qwen_ui.engine.prefix_cache import PrefixCache, PrefixKey
from qwen_ui.engine.prefix_source import PrefixSource
from qwen_ui.freeze import FreezePlan, Rule, apply, preset, resolve
from qwen_ui.model import open_model
from qwen_ui.paths import home
from tests.helpers.checkpoint_families import SHAPE, change_config, save_random
from tests.helpers.engine import cache_opener, load
from tests.helpers.recorded_run import record_run

WIDTH = 8


def opened(
    examples: Examples, *, depth: int = 2, weights: str = "w", budget: int = 10**6
) -> PrefixCache:
    key = PrefixKey(weights, "", examples.fingerprint, depth, "float32", "cpu", "v")
    return PrefixCache(key, examples, WIDTH, torch.float32, budget)


def filled(examples: Examples, weights: str = "w") -> tuple[PrefixCache, Batch, torch.Tensor]:
    cache, batch = opened(examples, weights=weights), collate(examples, (0, 3), 0)
    values = torch.randn(*batch.tokens_BT.shape, WIDTH)
    cache.put(batch, values)
    return cache, batch, values


def real(batch: Batch, values: torch.Tensor | None) -> torch.Tensor:
    """What stands where there are tokens."""
    assert values is not None
    return values if batch.mask_BT is None else values[batch.mask_BT.bool()]


def examples_of(sentences: Path, tiny: Path) -> Examples:
    return load_examples(str(sentences), AutoTokenizer.from_pretrained(tiny), 48)


def test_what_is_cached_comes_back_bitwise_also_in_a_later_process(
    sentences: Path, tiny: Path
) -> None:
    examples = examples_of(sentences, tiny)
    _, batch, values = filled(examples)
    again = opened(examples)
    assert again.holds(0)
    assert again.holds(3)
    assert not again.holds(1)
    assert torch.equal(real(batch, again.get(batch)), real(batch, values))


def test_other_weights_or_depth_or_tokens_never_meet(sentences: Path, tiny: Path) -> None:
    examples = examples_of(sentences, tiny)
    filled(examples)
    assert not opened(examples, depth=3).holds(0)
    assert not opened(examples, weights="others").holds(0)
    fewer = type(examples)(examples.items[:-1])
    assert not opened(fewer).holds(0)


def test_a_torn_row_is_not_trusted(sentences: Path, tiny: Path) -> None:
    examples = examples_of(sentences, tiny)
    filled(examples)
    (file,) = (home() / "prefixes").glob("*.kept")
    with file.open("r+b") as handle:
        handle.write(b"\xff")
    again = opened(examples)
    assert not again.holds(0)
    assert again.holds(3)


def test_the_budget_bounds_the_file(sentences: Path, tiny: Path) -> None:
    examples = examples_of(sentences, tiny)
    budget = 3 * 48 * WIDTH * 4
    cache = opened(examples, budget=budget)
    assert 0 < cache.capacity < len(examples.items)
    assert cache.bytes <= budget
    assert all(file.stat().st_size <= budget for file in (home() / "prefixes").glob("*.kept"))
    assert opened(examples, budget=0).capacity == 0


def test_files_that_no_longer_fit_make_room(sentences: Path, tiny: Path) -> None:
    examples = examples_of(sentences, tiny)
    filled(examples, weights="old")
    opened(examples, weights="new", budget=opened(examples, weights="new").bytes + 10)
    assert not opened(examples, weights="old").holds(0)


@pytest.mark.parametrize(
    ("lengths", "packed", "first", "computed"),
    [
        ((48, 48, 48, 48), (), (0, 2), 2),  # two of four are cached already
        ((48, 48, 48, 48), (), (), 4),
        ((48, 20, 48, 30), (), (0, 1), 2),  # those absent are padded, too
        ((48, 20, 48, 48), (), (0, 1), 4),  # those absent alone would go without a mask
        ((10, 10, 10, 10), (), (0, 1), 4),  # too few rows for the kernels of the whole
        ((48, 48, 48, 48), (0, 3), (0, 1), 2),
        ((48, 48, 48, 48), (0, 1), (0, 1), 4),  # those absent hold one sample each
        ((48, 48, 48, 48), (), (0, 1, 2, 3), 0),
    ],
)
def test_only_what_is_absent_is_computed_and_to_the_same_bits(
    tiny: Path,
    lengths: tuple[int, ...],
    packed: tuple[int, ...],
    first: tuple[int, ...],
    computed: int,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    model = load(tiny)
    selection = resolve(preset("attention", "last:2"), open_model(str(tiny)))
    apply(selection, model)
    trainee = Trainee(model, selection, cache_prefix=True)
    tokens = torch.randint(0, 90, (4, 48), generator=torch.Generator().manual_seed(0)).tolist()
    rows = [row[:length] for row, length in zip(tokens, lengths, strict=True)]
    starts = [(0, 20) if number in packed else (0,) for number in range(len(rows))]
    examples = Examples(
        tuple(Example(tuple(r), (True,) * len(r), "", s) for r, s in zip(rows, starts, strict=True))
    )
    width, dtype = model.config.hidden_size, model.dtype
    cache, *_ = cache_opener(examples, trainee.prefix_blocks)(width, dtype)
    assert cache is not None
    batch, source = collate(examples, (0, 1, 2, 3), 0), PrefixSource(trainee, cache)
    together = trainee.run_prefix(batch.inputs)
    if first:
        cache.put(collate(examples, first, 0), together[list(first)])
    run, seen = trainee.run_prefix, list[int]()

    def run_and_count(inputs: dict[str, Any]) -> torch.Tensor:
        seen.append(len(inputs["input_ids"]))
        return run(inputs)

    monkeypatch.setattr(trainee, "run_prefix", run_and_count)
    found = source.fetch(batch)
    assert sum(seen) == computed
    assert torch.equal(real(batch, found), real(batch, together))
    assert torch.equal(real(batch, source.fetch(batch)), real(batch, together))
    assert sum(seen) == computed


def test_what_lies_beyond_the_budget_is_computed_each_time(tiny: Path, sentences: Path) -> None:
    examples = examples_of(sentences, tiny)
    model = load(tiny)
    selection = resolve(preset("attention", "last:2"), open_model(str(tiny)))
    apply(selection, model)
    trainee = Trainee(model, selection, cache_prefix=True)
    budget = 2 * 48 * model.config.hidden_size * 4
    width, dtype = model.config.hidden_size, model.dtype
    cache, *_ = cache_opener(examples, trainee.prefix_blocks, budget)(width, dtype)
    assert isinstance(cache, PrefixCache)
    assert 0 < cache.capacity < len(examples.items)
    last = len(examples.items) - 1
    batch, source = collate(examples, (0, 1, last - 1, last), 0), PrefixSource(trainee, cache)
    together = trainee.run_prefix(batch.inputs)
    for _ in range(2):
        torch.testing.assert_close(real(batch, source.fetch(batch)), real(batch, together))
    assert not cache.holds(last)


@pytest.mark.parametrize("setting", ["sliding_window", "rms_norm_eps"])
def test_the_same_weights_with_another_configuration_share_no_outputs(
    tmp_path: Path, sentences: Path, setting: str
) -> None:
    """The first batch alone does not tell: its samples may be shorter than the window."""
    base = save_random(tmp_path / "base", MistralConfig(**SHAPE, sliding_window=None))
    plan = FreezePlan(rules=(Rule(layers="last:2"),))
    record_run(base, sentences, plan, tmp_path / "before", steps=1)
    change_config(base, **{setting: 4 if setting == "sliding_window" else 1e-3})
    runs = [
        record_run(base, sentences, plan, tmp_path / cache, steps=1, prefix=cache)
        for cache in ("keep", "off")
    ]
    assert [prepared.loop.trainee.prefix_blocks for _, prepared in runs] == [2, 0]
    kept, plain = (run.ended["eval_loss_before"] for run, _ in runs)
    assert kept == pytest.approx(plain, rel=1e-6)


def test_a_share_of_the_budget_leaves_the_files_of_other_keys(tiny: Path, sentences: Path) -> None:
    """What one key may take is not what all of them may: a small share evicted large files."""
    examples = examples_of(sentences, tiny)
    size = 4 * 8 * sum(len(example.tokens) for example in examples.items)
    caches = [
        PrefixCache(
            PrefixKey(name, "", examples.fingerprint, 1, "", "cpu", ""),
            examples,
            8,
            torch.float32,
            budget,
            total=3 * size,
        )
        for name, budget in (("large", 2 * size), ("small", size // 2))
    ]
    assert caches[0].bytes == size > caches[1].bytes > 0
    files = {file.suffix: file for file in (home() / "prefixes").glob("*.kept")}
    assert len(list((home() / "prefixes").glob("*.kept"))) == 2, files
