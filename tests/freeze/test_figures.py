"""The figures of Qwen2.5-1.5B-Instruct that every part of the product must hold."""

from __future__ import annotations

import pytest

from qwen_ui.freeze import FreezePlan, preset, resolve
from qwen_ui.model import Anatomy, open_model


@pytest.mark.parametrize(
    ("name", "layers", "elements", "tensors"),
    [
        ("attention", None, 22_028_288, 28),
        ("bitfit", None, 8_192, 12),
        ("attention", "all", 154_198_016, 196),
        ("mlp", "all", 1_156_055_040, 84),
        ("norms", "all", 87_552, 57),
        ("bitfit", "all", 57_344, 84),
        ("embeddings", None, 233_373_696, 1),
        ("full", None, 1_543_714_304, 338),
        ("full", "24-27", 4 * 46_797_824, 48),
        ("none", None, 0, 0),
    ],
)
def test_presets_train_exactly_this_many(
    qwen: Anatomy, name: str, layers: str | None, elements: int, tensors: int
) -> None:
    selection = resolve(preset(name, layers), qwen)
    assert selection.trainable_parameters == elements
    assert len(selection.names) == tensors
    assert sum(trained for _, _, trained in selection.block_counts) + sum(
        p.numel for p in selection.parameters if p.block is None
    ) == (elements)


def test_the_sentence_to_paste(qwen: Anatomy) -> None:
    assert resolve(preset("attention"), qwen).summary == (
        "Trains 22,028,288 of 1,543,714,304 parameters (1.43 %): "
        "q, k, v and o projections of blocks 24-27."
    )
    assert resolve(preset("bitfit"), qwen).summary == (
        "Trains 8,192 of 1,543,714,304 parameters (0.00053 %): q, k and v biases of blocks 24-27."
    )


def test_the_tied_head_answers_to_both_names_and_is_counted_once(qwen: Anatomy) -> None:
    rules = [{"names": ["lm_head.weight"]}]
    selection = resolve(FreezePlan.from_dict({"schema": 1, "rules": rules}), qwen)
    assert selection.names == {"model.embed_tokens.weight"}
    assert selection.trainable_parameters == 233_373_696
    assert any("lm_head.weight" in w and "embed_tokens" in w for w in selection.warnings)


@pytest.mark.parametrize("size", ["0.5b", "1.5b", "7b"])
def test_one_plan_fits_the_family(size: str) -> None:
    anatomy = open_model(f"qwen2.5-{size}-instruct")
    nano = open_model("nano")
    for name in ("attention", "bitfit", "mlp", "norms"):
        plan = FreezePlan.from_json(preset(name, "last:4").to_json())
        kinds = {p.kind for p in resolve(plan, anatomy).parameters}
        assert kinds == {p.kind for p in resolve(plan, nano).parameters}
        blocks = {p.block for p in resolve(plan, anatomy).parameters}
        assert blocks == set(range(anatomy.block_count - 4, anatomy.block_count))


def test_nano_bears_the_names_of_the_large_one(qwen: Anatomy) -> None:
    nano = open_model("nano")
    assert [p.names for p in nano.parameters] == [p.names for p in qwen.parameters]
    for name in ("attention", "bitfit", "mlp", "norms", "embeddings", "full"):
        assert resolve(preset(name), nano).names == resolve(preset(name), qwen).names
