from __future__ import annotations

import itertools
from pathlib import Path

import pytest
import torch
from transformers import AutoTokenizer, GPT2Config

from qwen_ui.data.batches import load_examples
from qwen_ui.engine import optimizer as optimizer_module
from qwen_ui.engine.optimizer import MasterAdamW
from qwen_ui.engine.weight_decay import decayed_names
from qwen_ui.freeze import FreezePlan, Rule, preset
from qwen_ui.freeze.cost.live_bytes import LiveBytes
from tests.helpers import tiny_models
from tests.helpers.engine import load, make_engine, plain_losses, separate_loss

PLANS = {
    "attention": preset("attention", "last:2"),
    "bitfit": preset("bitfit", "last:2"),
    "norms": preset("norms", "last:2"),
    "mlp": preset("mlp", "last:2"),
    "top one": FreezePlan(rules=(Rule(layers="last:1"),)),
    "top three": FreezePlan(rules=(Rule(layers="last:3"),)),
    "head and last norm": FreezePlan(rules=(Rule(roles=("head",)), Rule(names=("*.norm.weight",)))),
    "full": preset("full"),
}


@pytest.mark.parametrize(
    ("family", "plan"),
    [
        (f, p)
        for f, p in itertools.product(("qwen2", "llama", "gpt2"), PLANS)
        # Llama has no biases, GPT-2 another name for its last norm.
        if (f, p) not in {("llama", "bitfit"), ("gpt2", "head and last norm")}
    ],
)
def test_losses_equal_those_of_a_plain_loop(
    tmp_path: Path, sentences: Path, family: str, plan: str
) -> None:
    folder = tiny_models.save_model(tmp_path / family, family)
    engine = make_engine(folder, sentences, PLANS[plan])
    assert engine.said == []
    steps = 20
    ours = [engine.loop.step(step).loss for step in range(1, steps + 1)]
    theirs = plain_losses(folder, engine.examples, engine.selection, steps)
    assert ours == pytest.approx(theirs, rel=1e-5)
    assert ours[-1] < ours[0]


@pytest.mark.parametrize("plan", ["attention", "bitfit", "full"])
def test_frozen_tensors_stay_bitwise_equal_and_trained_ones_move(
    tiny: Path, sentences: Path, plan: str
) -> None:
    engine, before = make_engine(tiny, sentences, PLANS[plan]), load(tiny).state_dict()
    for step in range(1, 4):
        engine.loop.step(step)
    for name, tensor in engine.model.named_parameters():
        moved = not torch.equal(tensor.detach(), before[name])
        assert moved == (name in engine.selection.names), name


def test_nothing_of_the_frozen_depth_is_in_the_backward_graph(tiny: Path, sentences: Path) -> None:
    engine = make_engine(tiny, sentences, PLANS["top one"], cache=False)
    seen = []
    for block in engine.model.model.layers[:3]:
        block.register_forward_hook(lambda m, a, out: seen.append(out.requires_grad))
    engine.loop.step(1)
    assert seen == [False] * 3


def test_the_frozen_blocks_are_not_run_again_in_later_epochs(tiny: Path, sentences: Path) -> None:
    engine, calls = make_engine(tiny, sentences, PLANS["top one"]), []
    engine.loop.evaluate()
    engine.model.model.layers[0].register_forward_hook(lambda m, a, out: calls.append(1))
    before = engine.loop.step(1).loss
    assert calls == []
    without = make_engine(tiny, sentences, PLANS["top one"], cache=False)
    assert before == pytest.approx(without.loop.step(1).loss, rel=1e-6)


def test_what_exceeds_the_budget_is_computed_each_time(tiny: Path, sentences: Path) -> None:
    engine = make_engine(tiny, sentences, PLANS["top one"], budget=4000)
    plain = make_engine(tiny, sentences, PLANS["top one"], cache=False)
    steps = range(1, 16)
    assert [engine.loop.step(s).loss for s in steps] == pytest.approx(
        [plain.loop.step(s).loss for s in steps], rel=1e-5
    )


def test_dropout_below_keeps_nothing_and_says_so(
    tmp_path: Path, sentences: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(
        tiny_models.FAMILIES,
        "gpt2",
        lambda: GPT2Config(vocab_size=260, n_embd=16, n_layer=4, n_head=4, n_positions=128),
    )
    folder = tiny_models.save_model(tmp_path / "gpt2", "gpt2")
    engine = make_engine(folder, sentences, PLANS["attention"])
    assert engine.trainee.cut is None
    assert "dropout" in engine.trainee.why_uncut


def test_accumulated_batches_weigh_by_their_tokens(tiny: Path, sentences: Path) -> None:
    tokenizer = AutoTokenizer.from_pretrained(tiny)
    examples = load_examples(str(sentences), tokenizer, 48)
    engine = make_engine(tiny, sentences, PLANS["attention"], gradient_accumulation_steps=2)
    report = engine.loop.step(1)
    model, total, count = load(tiny), 0.0, 0
    for number in range(2):
        indexes = engine.loop._order.batch(number)
        part = type(examples)(tuple(examples.items[i] for i in indexes))
        total += separate_loss(model, part)
        count += sum(item.loss_tokens for item in part.items)
    assert report.loss == pytest.approx(total / count, rel=1e-5)


@pytest.mark.parametrize("family", ["qwen2", "llama", "gpt2"])
def test_packed_samples_do_not_see_each_other(tmp_path: Path, sentences: Path, family: str) -> None:
    folder = tiny_models.save_model(tmp_path / family, family)
    engine = make_engine(folder, sentences, PLANS["attention"], packing=True)
    assert max(len(item.starts) for item in engine.examples.items) > 1
    alone = load_examples(str(sentences), AutoTokenizer.from_pretrained(folder), 48)
    count = sum(item.loss_tokens for item in alone.items)
    expected = separate_loss(load(folder).eval(), alone) / count
    assert engine.loop.evaluate().loss == pytest.approx(expected, rel=1e-5)


def test_a_loss_that_is_no_number_changes_nothing(tiny: Path, sentences: Path) -> None:
    engine = make_engine(tiny, sentences, PLANS["attention"])
    name = next(iter(engine.selection.names))
    parameter = dict(engine.model.named_parameters())[name]
    with torch.no_grad():
        parameter.fill_(float("nan"))
    other = next(n for n in engine.selection.names if n != name)
    before = dict(engine.model.named_parameters())[other].clone()
    with pytest.raises(FloatingPointError, match="step 1"):
        engine.loop.step(1)
    assert torch.equal(dict(engine.model.named_parameters())[other], before)


def test_bfloat16_weights_move_by_their_float32_masters(tmp_path: Path, sentences: Path) -> None:
    folder = tiny_models.save_model(tmp_path / "model", "qwen2", torch.bfloat16)
    engine = make_engine(folder, sentences, PLANS["attention"], dtype=torch.bfloat16)
    engine.loop._rate = lambda step: 1e-6
    before = {n: m.clone() for n, m in engine.loop.optimizer.trained().items()}
    engine.loop.step(1)
    for name, master in engine.loop.optimizer.trained().items():
        assert master.dtype == torch.float32
        assert (master != before[name]).float().mean() > 0.9
        assert torch.equal(dict(engine.model.named_parameters())[name], master.bfloat16())
    frozen = next(p for p in engine.model.parameters() if not p.requires_grad)
    assert frozen.dtype == torch.bfloat16


def test_gradients_are_widened_a_portion_at_a_time_and_move_the_masters_alike(
    tmp_path: Path, sentences: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tiny_models.save_model(tmp_path / "model", "qwen2", torch.bfloat16)
    masters, peaks = [], []
    whole, some = optimizer_module.PORTION_BYTES, 4 * 4_200
    for portion in (whole, some, 1):
        monkeypatch.setattr(optimizer_module, "PORTION_BYTES", portion)
        engine = make_engine(folder, sentences, PLANS["full"], dtype=torch.bfloat16)
        engine.loop.step(1)
        engine.model(torch.arange(20)[None], labels=torch.arange(20)[None]).loss.backward()
        with LiveBytes() as live:
            engine.loop.optimizer.step(1e-3)
        masters.append(engine.loop.optimizer.trained())
        peaks.append(live.peak)
    for name, together in masters[0].items():
        torch.testing.assert_close(masters[1][name], together, rtol=1e-5, atol=1e-8)
        torch.testing.assert_close(masters[2][name], together, rtol=1e-5, atol=1e-8)
    elements = [p.numel() for p in engine.model.parameters()]
    assert peaks[0] >= 4 * sum(elements)
    # One portion at a time, never the next beside it.
    assert 4 * max(elements) <= peaks[2] < 1.1 * 4 * max(elements)
    assert peaks[2] <= peaks[1] < 1.1 * max(some, 4 * max(elements))


def test_decay_is_for_matrices_alone(tiny: Path) -> None:
    names = decayed_names(load(tiny))
    assert "model.layers.0.self_attn.q_proj.weight" in names
    assert not any("bias" in name or "norm" in name or "embed" in name for name in names)


def test_the_optimizer_holds_nothing_frozen(tiny: Path, sentences: Path) -> None:
    engine = make_engine(tiny, sentences, PLANS["bitfit"])
    optimizer: MasterAdamW = engine.loop.optimizer
    held = sum(p.numel() for group in optimizer.adam.param_groups for p in group["params"])
    assert held == engine.selection.trainable_parameters


def test_gradients_of_many_batches_are_added_up_in_float32(
    tmp_path: Path, sentences: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In bfloat16 the sum of 64 is off by 1 % here (docs/decisions/engine.md)."""
    folder = tiny_models.save_model(tmp_path / "model", "qwen2", torch.bfloat16)
    engine = make_engine(
        folder,
        sentences,
        PLANS["mlp"],
        dtype=torch.bfloat16,
        gradient_accumulation_steps=64,
    )
    optimizer, held = engine.loop.optimizer, dict[str, torch.Tensor]()
    step = optimizer.step

    def step_and_look(rate: float, loss: torch.Tensor) -> torch.Tensor:
        held.update(optimizer._sums)
        return step(rate, loss)

    monkeypatch.setattr(optimizer, "step", step_and_look)
    engine.loop._rate = lambda step: 0.0
    engine.loop.step(1)
    carrying, _ = engine.loop._step_tokens(1)
    wanted = {name: torch.zeros_like(gradient) for name, gradient in held.items()}
    for batch in engine.loop._batches(1):
        (engine.trainee(batch) / carrying).backward()
        for name, parameter in optimizer.parameters.items():
            assert parameter.grad is not None
            wanted[name] += parameter.grad.float()
            parameter.grad = None
    assert held.keys() == optimizer.parameters.keys()
    for name, gradient in held.items():
        off = (gradient - wanted[name]).norm() / wanted[name].norm()
        assert off < 1e-3, name
