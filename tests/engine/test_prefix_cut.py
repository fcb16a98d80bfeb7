"""The model cut before its first trained block: pass-through blocks change nothing."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import nn
from transformers import GPT2Config, PreTrainedModel

from qwen_ui.engine.forward import Trainee
from qwen_ui.engine.prefix_cut import CutError, PrefixCut, block_list, cut_prefix, uses_dropout
from qwen_ui.engine.prefix_proof import prove_prefix
from qwen_ui.freeze import FreezePlan, Rule, apply, resolve
from qwen_ui.model import Anatomy, open_model
from tests.helpers import small_models
from tests.helpers.small_models import build, small_model

FAMILIES = ("qwen2", "llama", "gemma", "gpt2", "opt", "qwen2_moe")
DEPTH = 3


def inputs() -> dict[str, Any]:
    """Two sequences, the second one padded."""
    tokens = torch.randint(0, 64, (2, 10), generator=torch.Generator().manual_seed(0))
    mask = torch.ones_like(tokens)
    mask[1, 7:] = 0
    return {"input_ids": tokens, "attention_mask": mask, "use_cache": False}


def cut_model(family: str) -> tuple[PreTrainedModel, nn.ModuleList, PrefixCut]:
    model, anatomy = small_model(family)
    blocks = block_list(model, anatomy)
    return model, blocks, PrefixCut(model.base_model, blocks, DEPTH)


def hidden_of(output: Any) -> torch.Tensor:
    return output[0] if isinstance(output, tuple) else output


@pytest.mark.parametrize("family", FAMILIES)
def test_the_suffix_alone_gives_the_logits_of_the_whole_to_the_last_bit(family: str) -> None:
    model, _, cut = cut_model(family)
    given = inputs()
    with torch.no_grad():
        whole = model(**given).logits
        prefix_BTH = cut.run_prefix(given)
        with cut.suffix_only(prefix_BTH):
            assert torch.equal(model(**given).logits, whole)
        assert torch.equal(model(**given).logits, whole)


@pytest.mark.parametrize("family", FAMILIES)
def test_the_prefix_is_what_its_last_block_gives_and_later_blocks_are_not_run(family: str) -> None:
    model, blocks, cut = cut_model(family)
    given, seen, run = inputs(), [], []
    keep = blocks[DEPTH - 1].register_forward_hook(
        lambda block, arguments, output: seen.append(hidden_of(output).clone())
    )
    with torch.no_grad():
        model(**given)
    keep.remove()
    count = [
        block.register_forward_hook(lambda block, arguments, output, index=index: run.append(index))
        for index, block in enumerate(blocks)
    ]
    prefix_BTH = cut.run_prefix(given)
    for handle in count:
        handle.remove()
    assert run == list(range(DEPTH))
    assert torch.equal(prefix_BTH, seen[0])
    assert not prefix_BTH.requires_grad


def test_frozen_blocks_are_not_run_inside_the_cut() -> None:
    model, blocks, cut = cut_model("qwen2")
    given, run = inputs(), []
    prefix_BTH = cut.run_prefix(given)
    handle = blocks[0].register_forward_hook(lambda *_: run.append(0))
    with torch.no_grad(), cut.suffix_only(prefix_BTH):
        model(**given)
    handle.remove()
    assert run == []


class TupleBlock(nn.Module):
    """A block whose output is a tuple, as of models before transformers 5 and of remote code."""

    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.Linear(4, 4)

    def forward(self, hidden_states: torch.Tensor) -> tuple[torch.Tensor, str]:
        return self.linear(hidden_states), "attention"


class TupleBody(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.blocks = nn.ModuleList(TupleBlock() for _ in range(4))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        for block in self.blocks:
            x = block(hidden_states=x)[0]
        return x


def test_blocks_that_return_tuples_are_replaced_by_such() -> None:
    torch.manual_seed(0)
    body, x = TupleBody(), torch.randn(2, 5, 4)
    cut = PrefixCut(body, body.blocks, 2)
    with torch.no_grad():
        prefix = cut.run_prefix({"x": x})
        with cut.suffix_only(prefix):
            assert torch.equal(body(torch.zeros_like(x)), body(x))
            suffix = body(x)
        assert torch.equal(suffix, body(x))


def test_another_prefix_gives_another_result() -> None:
    model, _, cut = cut_model("qwen2")
    given = inputs()
    prefix_BTH = cut.run_prefix(given)
    with torch.no_grad(), cut.suffix_only(prefix_BTH):
        same = model(**given).logits
    with torch.no_grad(), cut.suffix_only(prefix_BTH * 1.01):
        assert not torch.equal(model(**given).logits, same)


def test_the_blocks_are_back_in_their_places_whatever_happens_inside() -> None:
    _, blocks, cut = cut_model("qwen2")
    before, parameters = list(blocks), sum(p.numel() for p in blocks.parameters())
    within: list[nn.Module] = []

    def fail_inside() -> None:
        with cut.suffix_only(cut.run_prefix(inputs())):
            within.extend(blocks)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail_inside()
    assert within[DEPTH:] == before[DEPTH:]
    assert not set(within[:DEPTH]) & set(before)
    assert list(blocks) == before
    with pytest.raises(ValueError, match="input_ids"):
        cut.run_prefix({})
    assert list(blocks) == before
    assert sum(p.numel() for p in blocks.parameters()) == parameters


def test_a_pass_through_block_has_the_attributes_of_its_block_and_no_parameters() -> None:
    _, blocks, cut = cut_model("gemma")
    block: Any = blocks[0]
    block.some_setting = "as the model's own forward reads it"
    with cut.suffix_only(cut.run_prefix(inputs())):
        stand_in = blocks[0]
        assert stand_in is not block
        assert stand_in.some_setting == block.some_setting
        assert list(stand_in.parameters()) == []
        with pytest.raises(AttributeError):
            stand_in.no_such_attribute  # noqa: B018


@pytest.mark.parametrize(("layers", "depth"), [("last:2", 3), ("1-4", 1), ("all", 0)])
def test_the_cut_is_before_the_first_trained_block(layers: str, depth: int) -> None:
    model, anatomy = small_model("qwen2")
    cut, why = cut_prefix(model, resolve(FreezePlan(rules=(Rule(layers=layers),)), anatomy))
    assert (cut.depth if cut else 0) == depth
    assert why == ""


def test_gradients_of_the_suffix_are_those_of_the_whole() -> None:
    model = build("qwen2")
    anatomy: Anatomy = open_model(model)
    selection = resolve(FreezePlan(rules=(Rule(layers="last:2"),)), anatomy)
    apply(selection, model)
    cut, _ = cut_prefix(model, selection)
    assert cut is not None
    given = {**inputs(), "labels": inputs()["input_ids"]}
    model(**given).loss.backward()
    whole = {n: p.grad.clone() for n, p in model.named_parameters() if p.grad is not None}
    model.zero_grad(set_to_none=True)
    with cut.suffix_only(cut.run_prefix(inputs())):
        model(**given).loss.backward()
    suffix = {n: p.grad for n, p in model.named_parameters() if p.grad is not None}
    assert suffix.keys() == whole.keys() == selection.names
    assert all(torch.equal(suffix[name], gradient) for name, gradient in whole.items())


def test_frozen_blocks_with_dropout_are_not_cached(monkeypatch: pytest.MonkeyPatch) -> None:
    config = GPT2Config(
        vocab_size=64, n_embd=16, n_layer=4, n_head=4, resid_pdrop=0.1, embd_pdrop=0.0
    )
    monkeypatch.setitem(small_models.CONFIGURATIONS, "gpt2", lambda: config)
    model = build("gpt2")
    selection = resolve(FreezePlan(rules=(Rule(layers="last:1"),)), open_model(model))
    cut, why = cut_prefix(model, selection)
    assert cut is None
    assert "dropout" in why


class Attention(nn.Linear):
    """As transformers' attention is: its dropout is a rate, not a module."""

    def __init__(self, rate: float) -> None:
        super().__init__(2, 2)
        self.attention_dropout = rate


@pytest.mark.parametrize(
    ("rates", "dropout"), [((0.0, 0.0), False), ((0.1, 0.0), True), ((0.0, 0.1), True)]
)
def test_dropout_is_a_module_or_a_rate(rates: tuple[float, float], dropout: bool) -> None:
    module = nn.Sequential(Attention(rates[1]), nn.Dropout(rates[0]))
    assert uses_dropout(module.modules()) == dropout


def test_stand_ins_return_as_many_values_as_their_blocks() -> None:
    """A body that takes two values from each block (Bamba's), and one whose blocks run twice."""

    class Pairs(TupleBody):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            for block in self.blocks:
                x, _ = block(hidden_states=x)
            return x

    class Twice(TupleBody):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return super().forward(super().forward(x))

    torch.manual_seed(0)
    x = torch.randn(2, 5, 4)
    pairs, twice = Pairs(), Twice()
    cut = PrefixCut(pairs, pairs.blocks, 2)
    with torch.no_grad():
        with cut.suffix_only(cut.run_prefix({"x": x})):
            suffix = pairs(x)
        assert torch.equal(suffix, pairs(x))
    with pytest.raises(CutError, match="block 1 runs 2 times"):
        PrefixCut(twice, twice.blocks, 2).run_prefix({"x": x})


@pytest.mark.parametrize("held", [True, False])
@pytest.mark.parametrize("second", [True, False])
def test_chance_that_spares_the_first_run_in_training_is_seen(second: bool, held: bool) -> None:
    """A block that is skipped now and then gives what evaluation gives, most of the time."""
    model, anatomy = small_model("qwen2")
    selection = resolve(FreezePlan(rules=(Rule(layers="last:1"),)), anatomy)
    apply(selection, model)
    trainee = Trainee(model, selection, cache_prefix=True)
    trainee.eval()
    assert trainee.cut is not None
    trainee.cut.holds_prefix = held
    is_run = iter([True, second])

    def skip(block: nn.Module, given: tuple[Any, ...], output: Any) -> Any:
        if not block.training:
            return output
        torch.rand(())  # as what decides it does
        return output if next(is_run) else given[0]

    handle = block_list(model, anatomy)[1].register_forward_hook(skip)
    _, problem = prove_prefix(trainee, inputs())
    handle.remove()  # others use this model, too
    assert ("at random" in problem) is not second
    assert next(is_run, None) is None, "it was run twice"
