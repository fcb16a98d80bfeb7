"""What is lost of a text to keep, against a plain computation in float64."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import pytest
import torch
from torch import nn
from transformers import PreTrainedModel

from qwen_ui.data.batches import Examples, collate
from qwen_ui.engine import divergence
from qwen_ui.engine.divergence import anchor, diverged, plainly_diverged
from qwen_ui.engine.keep import has_exact_head
from qwen_ui.freeze import FreezePlan, Rule, preset
from qwen_ui.runs import KeptText
from tests.helpers import checkpoint_families, tiny_models
from tests.helpers.engine import Engine, load, make_engine

PLANS = {
    "attention": preset("attention", "last:2"),
    "all of one block": FreezePlan(rules=(Rule(layers="last:1"),)),
    "last norm": FreezePlan(rules=(Rule(names=("*.norm.weight", "*ln_f*")),)),
    "full": preset("full"),
}


def trained(folder: Path, data: Path, plan: FreezePlan, **values: object) -> Engine:
    """An engine whose baseline was recorded, and which is far from it by now."""
    engine = make_engine(folder, data, plan, keep=True, **values)  # type: ignore[arg-type]
    assert engine.loop.keep is not None
    engine.loop.keep.record_baseline()
    engine.loop.step(1)
    torch.manual_seed(1)
    for parameter in engine.loop.optimizer.parameters.values():
        parameter.data.add_(torch.randn_like(parameter) * 0.1)
    return engine


def measured(engine: Engine) -> KeptText:
    assert engine.loop.keep is not None
    return engine.loop.keep.evaluate()


def plain_log_likelihoods(model: PreTrainedModel, examples: Examples) -> list[torch.Tensor]:
    """Of every word at every position in the loss, in float64, each sample by itself."""
    model.double().eval()
    found = []
    for index in range(len(examples.items)):
        batch = collate(examples, (index,), 0)
        with torch.no_grad():
            logits = model(**batch.inputs).logits.flatten(0, 1)[batch.rows]
        found.append(logits.log_softmax(-1))
    return found


def plainly(folder: Path, engine: Engine) -> tuple[list[float], list[float], list[float]]:
    """Sums of each sample: losses of the base, losses of the tuned model, KL."""
    tuned = load(folder)
    tuned.load_state_dict(engine.model.state_dict())
    models = load(folder), tuned
    base_S, tuned_S = (plain_log_likelihoods(model, engine.examples) for model in models)
    before, after, divergences = [], [], []
    for index, (base_NV, tuned_NV) in enumerate(zip(base_S, tuned_S, strict=True)):
        targets = collate(engine.examples, (index,), 0).targets[:, None]
        before.append(-float(base_NV.gather(1, targets).sum()))
        after.append(-float(tuned_NV.gather(1, targets).sum()))
        divergences.append(float((base_NV.exp() * (base_NV - tuned_NV)).sum()))
    return before, after, divergences


@pytest.mark.parametrize("plan", PLANS)
@pytest.mark.parametrize("family", ["qwen2", "llama", "gpt2"])
def test_loss_and_divergence_are_those_of_a_plain_computation(
    tmp_path: Path, sentences: Path, family: str, plan: str
) -> None:
    folder = tiny_models.save_model(tmp_path / family, family)
    engine = trained(folder, sentences, PLANS[plan])
    assert has_exact_head(engine.trainee) == (plan != "full")
    found = measured(engine)
    before, after, divergences = plainly(folder, engine)
    tokens = sum(found.tokens)
    assert found.divergence > 1e-5
    assert found.divergence == pytest.approx(sum(divergences) / tokens, abs=1e-6)
    assert found.loss == pytest.approx(sum(after) / tokens, abs=1e-6)
    assert found.loss_before == pytest.approx(sum(before) / tokens, abs=1e-6)
    assert found.kl == pytest.approx(divergences, abs=1e-5)
    assert found.after == pytest.approx(after, abs=1e-4)


@pytest.mark.parametrize("packing", [False, True])
@pytest.mark.parametrize("cache", [False, True])
@pytest.mark.parametrize("plan", ["attention", "full"])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_an_untrained_model_has_lost_exactly_nothing(
    tiny: Path, sentences: Path, plan: str, cache: bool, packing: bool, dtype: torch.dtype
) -> None:
    engine = make_engine(
        tiny, sentences, PLANS[plan], cache=cache, packing=packing, dtype=dtype, keep=True
    )
    assert engine.loop.keep is not None
    recorded = engine.loop.keep.record_baseline()
    found = engine.loop.keep.evaluate()
    assert found == recorded
    assert (found.forgetting, found.divergence, found.divergence_error) == (0.0, 0.0, 0.0)


def test_the_base_that_came_back_has_lost_exactly_nothing(tiny: Path, sentences: Path) -> None:
    """Whatever the trained tensors hold is what is measured, as often as it is asked."""
    engine = trained(tiny, sentences, PLANS["attention"])
    first = measured(engine)
    assert measured(engine) == first
    values = {name: p.detach().clone() for name, p in engine.loop.optimizer.parameters.items()}
    base = load(tiny).state_dict()
    for name, parameter in engine.loop.optimizer.parameters.items():
        parameter.data.copy_(base[name])
    assert measured(engine).divergence == measured(engine).forgetting == 0.0
    for name, parameter in engine.loop.optimizer.parameters.items():
        parameter.data.copy_(values[name])
    assert measured(engine) == first


def test_evaluating_changes_no_step(tiny: Path, sentences: Path) -> None:
    """Where the head trains, the base is put in place of the model meanwhile."""
    watched, alone = (
        make_engine(tiny, sentences, PLANS["full"], keep=keep) for keep in (True, False)
    )
    assert watched.loop.keep is not None
    watched.loop.keep.record_baseline()
    for step in range(1, 4):
        assert watched.loop.step(step).loss == alone.loop.step(step).loss
        watched.loop.keep.evaluate()
    theirs = alone.model.state_dict()
    assert all(torch.equal(t, theirs[name]) for name, t in watched.model.state_dict().items())


def test_capped_logits_are_compared_as_they_are(tmp_path: Path, sentences: Path) -> None:
    """Gemma 2 caps its logits: what its head gives is not what it predicts with."""
    folder = checkpoint_families.save_family(
        tmp_path / "gemma2", "gemma2", final_logit_softcapping=1.0
    )
    engine = trained(folder, sentences, preset("attention", "last:2"))
    assert not has_exact_head(engine.trainee)
    found = measured(engine)
    before, after, divergences = plainly(folder, engine)
    assert found.divergence > 1e-5
    assert found.kl == pytest.approx(divergences, abs=1e-5)
    assert found.after == pytest.approx(after, abs=1e-4)
    assert found.before == pytest.approx(before, abs=1e-4)


@pytest.mark.parametrize("bias", [False, True])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_a_head_with_a_bias_or_in_bfloat16_is_exact_too(
    monkeypatch: pytest.MonkeyPatch, bias: bool, dtype: torch.dtype
) -> None:
    monkeypatch.setattr(divergence, "LOGITS_BYTES", 4 * 50 * 7)  # seven rows at a time
    monkeypatch.setattr(divergence, "CONVERTED", 16 * 11)  # eleven words at a time
    torch.manual_seed(0)
    head = nn.Linear(16, 50, bias=bias, dtype=dtype)
    base, tuned = (torch.randn(23, 16) * 3 for _ in range(2))
    targets = torch.randint(50, (23,))
    losses, anchors = anchor(base, head, targets)
    found = diverged(tuned, head, targets, anchors)
    wide = head.double()
    expected = plainly_diverged(wide(base.double()), wide(tuned.double()), targets)
    torch.testing.assert_close(found.kl_N, expected.kl_N, rtol=0, atol=1e-5)
    torch.testing.assert_close(found.loss_N, expected.loss_N, rtol=0, atol=1e-5)
    untouched = diverged(base, head.to(dtype), targets, anchors)
    assert torch.equal(untouched.loss_N, losses)
    assert not untouched.kl_N.any()


def test_mixed_precision_does_not_reach_the_head(tiny: Path, sentences: Path) -> None:
    """The states are bfloat16's; from there on, head and divergence are in float32."""
    engine = make_engine(tiny, sentences, PLANS["attention"], cache=False, keep=True)
    keep, trainee = engine.loop.keep, engine.trainee
    assert keep is not None
    trainee.autocast = partial(torch.autocast, "cpu", torch.bfloat16)
    recorded = keep.record_baseline()
    assert keep.evaluate() == recorded
    batch = collate(engine.examples, (0, 1), 0)
    assert isinstance(trainee.head, nn.Linear)
    weight_VH = trainee.head.weight
    with torch.no_grad():
        seen = trainee.observe(batch, None, lambda hidden, _: hidden @ weight_VH.t())
        narrow = trainee.observe(batch, None, lambda hidden, _: hidden.bfloat16())
        wide = trainee.wide_logits(batch, None)
        rounded = narrow @ weight_VH.bfloat16().t()
    torch.testing.assert_close(seen, wide, rtol=0, atol=1e-6)
    assert not torch.allclose(seen, rounded.float(), rtol=0, atol=1e-4)


def test_no_sequence_means_no_positions() -> None:
    head, none = nn.Linear(4, 9), torch.zeros(0, 4)
    losses, anchors = anchor(none, head, torch.zeros(0, dtype=torch.long))
    found = diverged(none, head, torch.zeros(0, dtype=torch.long), anchors)
    assert len(losses) == len(found.loss_N) == len(found.kl_N) == 0
