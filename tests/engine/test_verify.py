"""Shortcuts are verified on the first batch: what is not exact is not taken."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from transformers import BloomConfig, masking_utils

from qwen_ui.data.batches import Batch, Examples, collate
from qwen_ui.data.tokens import Example
from qwen_ui.engine import verify as module
from qwen_ui.engine.forward import Trainee
from qwen_ui.engine.verify import proof_batch, prove, verify_shortcuts
from qwen_ui.errors import SettingsError
from qwen_ui.freeze import apply, preset, resolve
from qwen_ui.model import open_model
from tests.helpers import tiny_models
from tests.helpers.engine import load, make_engine

PLAN = preset("attention", "last:2")
WORDS = 260


@pytest.fixture
def trainee(tiny: Path) -> Trainee:
    """Attention on the last two of four blocks, with both shortcuts."""
    model = load(tiny)
    selection = resolve(PLAN, open_model(str(tiny)))
    apply(selection, model)
    return Trainee(model, selection, cache_prefix=True).eval()


@pytest.fixture
def batch() -> Batch:
    return collate(examples((12, 9, 12)), (0, 1, 2), 0)


def examples(lengths: tuple[int, ...], first_target: int = 1) -> Examples:
    """Random tokens, of which those from `first_target` on carry loss."""
    tokens = torch.randint(0, WORDS, (len(lengths), max(lengths)))
    return Examples(
        tuple(
            Example(tuple(row[:length]), tuple(i >= first_target for i in range(length)), "")
            for row, length in zip(tokens.tolist(), lengths, strict=True)
        )
    )


@pytest.fixture(autouse=True)
def _seeded() -> None:
    torch.manual_seed(0)


@pytest.fixture
def wrong_head(monkeypatch: pytest.MonkeyPatch) -> None:
    """The chunked loss is off by a hundredth; the model's own is right."""
    honest: Callable[..., torch.Tensor] = Trainee.forward.__globals__["head_loss"]
    monkeypatch.setattr("qwen_ui.engine.forward.head_loss", lambda *args: honest(*args) * 1.01)


def test_exact_shortcuts_pass_and_stay_on(trainee: Trainee, batch: Batch) -> None:
    prefix_BTH = trainee.run_prefix(batch.inputs)
    proof = prove(trainee, batch, prefix_BTH)
    assert proof.passed
    assert proof.loss < 1e-6
    assert proof.gradient < 1e-5
    assert verify_shortcuts(trainee, batch, prefix_BTH) == []
    assert (trainee.prefix_blocks, trainee.chunked) == (2, True)


def test_the_proof_leaves_no_gradients(trainee: Trainee, batch: Batch) -> None:
    prove(trainee, batch, trainee.run_prefix(batch.inputs))
    assert all(parameter.grad is None for parameter in trainee.parameters())


def test_a_wrong_prefix_is_not_taken(trainee: Trainee, batch: Batch) -> None:
    (said,) = verify_shortcuts(trainee, batch, trainee.run_prefix(batch.inputs) * 1.01)
    assert "the cached prefix gave a different loss" in said
    assert (trainee.prefix_blocks, trainee.chunked) == (0, True)


@pytest.mark.usefixtures("wrong_head")
def test_a_wrong_head_is_not_taken(trainee: Trainee, batch: Batch) -> None:
    (said,) = verify_shortcuts(trainee, batch, trainee.run_prefix(batch.inputs))
    assert "the chunked head gave a different loss" in said
    assert (trainee.prefix_blocks, trainee.chunked) == (2, False)


@pytest.mark.usefixtures("wrong_head")
def test_where_both_are_wrong_neither_is_taken(trainee: Trainee, batch: Batch) -> None:
    (said,) = verify_shortcuts(trainee, batch, trainee.run_prefix(batch.inputs) * 1.01)
    assert "the cached prefix and the chunked head" in said
    assert (trainee.prefix_blocks, trainee.chunked) == (0, False)


def test_a_right_loss_with_wrong_gradients_does_not_pass(
    trainee: Trainee, batch: Batch, monkeypatch: pytest.MonkeyPatch
) -> None:
    honest: Callable[..., torch.Tensor] = Trainee.forward.__globals__["head_loss"]

    def half_of_the_gradient(*arguments: torch.Tensor) -> torch.Tensor:
        loss = honest(*arguments)
        return loss / 2 + (loss / 2).detach()

    monkeypatch.setattr("qwen_ui.engine.forward.head_loss", half_of_the_gradient)
    proof = prove(trainee, batch, trainee.run_prefix(batch.inputs))
    assert proof.loss < 1e-6
    assert proof.gradient == pytest.approx(0.5, rel=1e-3)
    assert not proof.passed


def test_right_gradients_of_a_wrong_loss_do_not_pass(
    trainee: Trainee, batch: Batch, monkeypatch: pytest.MonkeyPatch
) -> None:
    honest: Callable[..., torch.Tensor] = Trainee.forward.__globals__["head_loss"]
    monkeypatch.setattr("qwen_ui.engine.forward.head_loss", lambda *given: honest(*given) + 1)
    proof = prove(trainee, batch, trainee.run_prefix(batch.inputs))
    assert proof.gradient < 1e-5
    assert not proof.passed


def test_what_another_process_cannot_take_is_not_taken_here(trainee: Trainee, batch: Batch) -> None:
    asked: list[bool] = []

    def all_agree(passed: bool) -> bool:
        asked.append(passed)
        return len(asked) > 1

    said = verify_shortcuts(trainee, batch, trainee.run_prefix(batch.inputs), all_agree)
    assert asked == [True, True]
    assert len(said) == 1
    assert (trainee.prefix_blocks, trainee.chunked) == (2, False)


def test_bfloat16_has_wider_tolerances_than_float32() -> None:
    for narrow, wide in zip(
        module.TOLERANCES[torch.float32], module.TOLERANCES[torch.bfloat16], strict=True
    ):
        assert narrow < wide < 1


def test_a_small_batch_is_its_own_proof(batch: Batch) -> None:
    assert proof_batch(examples((12, 9, 12)), batch, WORDS, 0) == (batch, 12)


@pytest.mark.parametrize(
    ("first_target", "most", "length"), [(1, 5 * WORDS, 5), (8, 5 * WORDS, 9), (1, 1, 2)]
)
def test_a_large_batch_is_proven_on_its_start_with_a_target_in_it(
    monkeypatch: pytest.MonkeyPatch, first_target: int, most: int, length: int
) -> None:
    monkeypatch.setattr(module, "MAX_PROOF_LOGITS", most)
    given = examples((12, 9, 12), first_target)
    short, found = proof_batch(given, collate(given, (2, 0), 0), WORDS, 0)
    assert found == length
    assert short.tokens_BT.tolist() == [list(given.items[2].tokens[:length])]
    assert len(short.targets) == length - first_target > 0


def test_a_run_whose_prefix_is_wrong_computes_it_at_every_step(
    tiny: Path, sentences: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    honest = Trainee.forward

    def wrong(
        self: Trainee, batch: Batch, prefix_BTH: torch.Tensor | None = None, *, plain: bool = False
    ) -> torch.Tensor:
        return honest(self, batch, None if prefix_BTH is None else prefix_BTH * 1.01, plain=plain)

    monkeypatch.setattr(Trainee, "forward", wrong)
    engine = make_engine(tiny, sentences, PLAN)
    assert "the cached prefix gave a different loss" in engine.said[0]
    assert engine.trainee.prefix_blocks == 0
    assert engine.trainee.chunked


def test_a_head_that_scales_its_logits_falls_back_to_the_models_own(
    tiny: Path, sentences: Path
) -> None:
    engine = make_engine(tiny, sentences, PLAN)
    head = engine.model.get_output_embeddings()
    head.register_forward_hook(lambda head, arguments, output: output * 0.5)
    said = engine.loop.verify()
    assert "the chunked head" in said[0]
    assert not engine.trainee.chunked
    assert engine.trainee.prefix_blocks == 2


def test_packing_is_refused_where_the_model_mixes_samples(
    tmp_path: Path, sentences: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bloom = BloomConfig(vocab_size=WORDS, hidden_size=16, n_layer=4, n_head=4)
    monkeypatch.setitem(tiny_models.FAMILIES, "bloom", lambda: bloom)
    folder = tiny_models.save_model(tmp_path / "bloom", "bloom")
    with pytest.raises(SettingsError, match="see each other"):
        make_engine(folder, sentences, preset("mlp", "last:2"), packing=True)


def test_packed_samples_that_see_each_other_are_noticed(
    tiny: Path, sentences: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def counted_through(items: tuple[Example, ...], length: int) -> torch.Tensor:
        return torch.arange(length).expand(len(items), length)

    monkeypatch.setattr("qwen_ui.data.batches._positions", counted_through)
    with pytest.raises(SettingsError, match="depend on the first"):
        make_engine(tiny, sentences, PLAN, packing=True)


def test_a_shortcut_that_raises_is_not_taken(
    trainee: Trainee, batch: Batch, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(*_: object) -> torch.Tensor:
        raise KeyError("an earlier block's keys")

    prefix_BTH = trainee.run_prefix(batch.inputs)
    monkeypatch.setattr("qwen_ui.engine.forward.head_loss", fails)
    (said,) = verify_shortcuts(trainee, batch, prefix_BTH)
    assert "the chunked head failed in this model (KeyError" in said
    assert (trainee.prefix_blocks, trainee.chunked) == (2, False)


def test_attention_that_parts_samples_in_a_single_sequence_alone_is_noticed(
    tiny: Path, sentences: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As transformers' flash attention does: it looks at positions where the batch is one row."""
    honest = masking_utils.find_packed_sequence_indices
    monkeypatch.setattr(
        masking_utils,
        "find_packed_sequence_indices",
        lambda positions: honest(positions) if len(positions) == 1 else None,
    )
    with pytest.raises(SettingsError, match="depend on the first"):
        make_engine(tiny, sentences, PLAN, packing=True)
