"""Scores against the slow, plain way in float64, and on cases made so that the answer is known."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import pytest
import torch
from torch.nn import functional as F
from transformers import PreTrainedModel, Qwen2Config, Qwen2ForCausalLM

from qwen_ui.data.batches import Batch, Examples, collate
from qwen_ui.data.tokens import Example
from qwen_ui.errors import DataError, SettingsError
from qwen_ui.freeze import preset, resolve
from qwen_ui.model import Anatomy, open_model
from qwen_ui.paths import ASSETS
from qwen_ui.rank.activations import activation_pass, activation_scores
from qwen_ui.rank.gradients import (
    fisher_pass,
    gradient_pass,
    gradient_scores,
    sequences_of,
)
from qwen_ui.rank.run import (
    METHODS,
    WORDS,
    Ranking,
    agreement,
    rank,
    rank_all,
    rank_all_apart,
    rank_apart,
    rank_correlation,
)
from qwen_ui.rank.scores import Scores, ablation_scores, scores_of, signal_to_noise, weight_scores

BLOCKS = 4


def quiet(done: int, total: int) -> None:
    assert 0 < done <= total


@pytest.fixture
def model() -> PreTrainedModel:
    torch.manual_seed(0)
    configuration = Qwen2Config(
        vocab_size=50,
        hidden_size=16,
        intermediate_size=24,
        num_hidden_layers=BLOCKS,
        num_attention_heads=4,
        num_key_value_heads=2,
    )
    return Qwen2ForCausalLM(configuration).double().eval()


@pytest.fixture
def anatomy(model: PreTrainedModel) -> Anatomy:
    return open_model(model)


@pytest.fixture
def batches() -> list[Batch]:
    """Two batches of two sequences, one of which is shorter, so that there is padding."""
    generator = torch.Generator().manual_seed(1)
    items = []
    for length in (9, 6, 9, 8):
        tokens = torch.randint(0, 50, (length,), generator=generator).tolist()
        items.append(Example(tuple(tokens), (False, *[True] * (length - 1)), "test"))
    examples = Examples(tuple(items))
    return [collate(examples, pair, 0) for pair in ((0, 1), (2, 3))]


def plain_loss(model: PreTrainedModel, batch: Batch) -> torch.Tensor:
    """The loss as transformers computes it, in the model's own dtype."""
    logits = model(input_ids=batch.tokens_BT, attention_mask=batch.mask_BT, use_cache=False).logits
    return F.cross_entropy(
        logits[:, :-1].flatten(0, 1), batch.labels_BT[:, 1:].flatten(), ignore_index=-100
    )


def test_gradient_scores_are_those_of_a_whole_backward_pass(
    model: PreTrainedModel, anatomy: Anatomy, batches: list[Batch]
) -> None:
    squares: dict[tuple[int, str], float] = {}
    for batch in batches:
        model.requires_grad_(True)
        model.zero_grad()
        plain_loss(model, batch).backward()
        for name, parameter in model.named_parameters():
            known = anatomy.by_name[name]
            if known.block is not None:
                cell = (known.block, known.kind)
                squares[cell] = squares.get(cell, 0.0) + float(parameter.grad.square().sum())
    model.zero_grad()
    found = gradient_scores(model, anatomy, batches, quiet)
    assert found.cells.keys() == squares.keys()
    for cell, total in squares.items():
        assert found.cells[cell] == pytest.approx(math.sqrt(total / 2), rel=1e-5, abs=1e-12)
    for index, score in enumerate(found.blocks):
        total = sum(value for (block, _), value in squares.items() if block == index)
        assert score == pytest.approx(math.sqrt(total / 2), rel=1e-5)
    assert all(p.grad is None for p in model.parameters())


def test_relative_scores_are_per_norm_of_the_tensor(
    model: PreTrainedModel, anatomy: Anatomy, batches: list[Batch]
) -> None:
    found = gradient_pass(model, anatomy, batches, quiet)
    plain, relative = found["gradient"], found["relative-gradient"]
    ratios = []
    for name, parameter in model.model.layers[2].named_parameters():
        if norm := float(parameter.norm()):
            ratios.append(plain.cells[2, name] / norm)
            assert relative.cells[2, name] == pytest.approx(ratios[-1])
    assert relative.blocks[2] == pytest.approx(sum(ratios) / len(ratios))
    # Qwen's biases begin at zero: there is no ratio to their size.
    assert set(relative.unranked) == {f"self_attn.{p}_proj.bias" for p in "qkv"}


def test_fisher_scores_are_those_of_a_whole_backward_pass_of_every_sequence(
    model: PreTrainedModel, anatomy: Anatomy, batches: list[Batch]
) -> None:
    trace: dict[tuple[int, str], float] = {}
    weighed: dict[tuple[int, str], float] = {}
    singles = [
        (batch.tokens_BT[row][batch.mask_BT[row] > 0], row) for batch in batches for row in (0, 1)
    ]
    assert len({len(tokens) for tokens, _ in singles}) > 1
    with torch.no_grad():
        for block in model.model.layers:
            block.self_attn.q_proj.bias.normal_()
    for tokens, _ in singles:
        model.requires_grad_(True)
        model.zero_grad()
        logits = model(input_ids=tokens[None]).logits[0, :-1]
        F.cross_entropy(logits, tokens[1:]).backward()
        for name, parameter in model.named_parameters():
            known = anatomy.by_name[name]
            if known.block is not None:
                cell = (known.block, known.kind)
                square = parameter.grad.square()
                trace[cell] = trace.get(cell, 0.0) + float(square.sum()) / 4
                part = float((square * parameter.detach().square()).sum()) / 4
                weighed[cell] = weighed.get(cell, 0.0) + part
    model.zero_grad()
    found = fisher_pass(model, anatomy, batches, quiet)
    for name, slow in (("fisher", trace), ("relative-fisher", weighed)):
        assert found[name].cells == pytest.approx(slow, rel=1e-5, abs=1e-15)
        for index, score in enumerate(found[name].blocks):
            total = sum(value for (block, _), value in slow.items() if block == index)
            assert score == pytest.approx(total, rel=1e-5)
    assert all(p.grad is None for p in model.parameters())


def test_gradients_are_held_one_tensor_at_a_time(
    model: PreTrainedModel, anatomy: Anatomy, batches: list[Batch]
) -> None:
    held: list[int] = []
    handles = []
    for parameter in model.model.layers.parameters():
        look = lambda _: held.append(sum(p.grad is not None for p in model.parameters()))  # noqa: E731
        handles.append(parameter.register_post_accumulate_grad_hook(look))
    gradient_scores(model, anatomy, batches, quiet)
    assert len(held) == 2 * len(list(model.model.layers.parameters()))
    assert max(held) <= 1


def test_a_batch_falls_apart_into_its_sequences(batches: list[Batch]) -> None:
    singles = list(sequences_of(batches[0]))
    assert [single.indexes for single in singles] == [(0,), (1,)]
    assert [single.token_count for single in singles] == [9, 6]
    targets = torch.cat([single.targets for single in singles])
    assert torch.equal(targets, batches[0].targets)
    for single in singles:
        assert torch.equal(single.tokens_BT[0][single.rows + 1], single.targets)


@torch.no_grad()
def hidden_states(model: PreTrainedModel, batch: Batch) -> list[torch.Tensor]:
    """What goes into the first block, and what comes out of each."""
    states: list[torch.Tensor] = []
    layers = model.model.layers
    handles = [layers[0].register_forward_pre_hook(lambda _, a: states.append(a[0]))]
    handles += [layer.register_forward_hook(lambda _, __, o: states.append(o)) for layer in layers]
    model(input_ids=batch.tokens_BT, attention_mask=batch.mask_BT)
    for handle in handles:
        handle.remove()
    return states


def test_block_influence_is_one_minus_the_mean_cosine(
    model: PreTrainedModel, anatomy: Anatomy, batches: list[Batch]
) -> None:
    sums, count = torch.zeros(BLOCKS), 0
    for batch in batches:
        states = hidden_states(model, batch)
        for row, column in batch.mask_BT.nonzero().tolist():
            count += 1
            for index in range(BLOCKS):
                x, y = states[index][row, column], states[index + 1][row, column]
                sums[index] += 1 - float(x @ y / (x.norm() * y.norm()))
    found = activation_scores(model, anatomy, batches, quiet)
    assert found.blocks == pytest.approx((sums / count).tolist(), rel=1e-5)


def test_change_and_wanda_are_those_of_hidden_states_computed_apart(
    model: PreTrainedModel, anatomy: Anatomy, batches: list[Batch]
) -> None:
    changes, count = torch.zeros(BLOCKS), 0
    squares = torch.zeros(BLOCKS, 16, dtype=torch.float64)
    for batch in batches:
        states = hidden_states(model, batch)
        for row, column in batch.mask_BT.nonzero().tolist():
            count += 1
            for index, block in enumerate(model.model.layers):
                x, y = states[index][row, column], states[index + 1][row, column]
                changes[index] += float((y - x).norm() / x.norm())
                squares[index] += block.input_layernorm(x).square().detach()
    found = activation_pass(model, anatomy, batches, quiet)
    assert found["change"].blocks == pytest.approx((changes / count).tolist(), rel=1e-5)
    wanda = found["wanda"]
    for index, block in enumerate(model.model.layers):
        weight = block.self_attn.k_proj.weight.detach().abs()
        expected = float((weight * (squares[index] / count).sqrt()).mean())
        assert wanda.cells[index, "self_attn.k_proj.weight"] == pytest.approx(expected)
    assert "self_attn.k_proj.bias" in wanda.unranked
    assert "input_layernorm.weight" in wanda.unranked


def make_identity(model: PreTrainedModel, index: int) -> None:
    """Both branches of the block put out nothing, so that only its input remains."""
    block = model.model.layers[index]
    torch.nn.init.zeros_(block.self_attn.o_proj.weight)
    torch.nn.init.zeros_(block.mlp.down_proj.weight)


def test_a_block_that_is_the_identity_scores_nothing(
    model: PreTrainedModel, anatomy: Anatomy, batches: list[Batch]
) -> None:
    make_identity(model, 2)
    influence = activation_scores(model, anatomy, batches, quiet).blocks
    change = activation_pass(model, anatomy, batches, quiet)["change"].blocks
    assert change[2] == pytest.approx(0, abs=1e-12)
    assert all(change[i] > 1e-6 for i in (0, 1, 3))
    rises = ablation_scores(model, anatomy, batches, quiet).blocks
    assert influence[2] == pytest.approx(0, abs=1e-12)
    assert rises[2] == pytest.approx(0, abs=1e-6)
    assert all(influence[i] > 1e-6 for i in (0, 1, 3))
    assert all(abs(rises[i]) > 1e-6 for i in (0, 1, 3))


def test_ablation_is_the_loss_of_a_model_built_without_the_block(
    model: PreTrainedModel, anatomy: Anatomy, batches: list[Batch]
) -> None:
    def loss() -> float:
        pairs = [(float(plain_loss(model, b)), len(b.targets)) for b in batches]
        return sum(a * n for a, n in pairs) / sum(n for _, n in pairs)

    with torch.no_grad():
        found = ablation_scores(model, anatomy, batches, quiet)
        whole, layers = loss(), model.model.layers
        for index in range(BLOCKS):
            model.model.layers = torch.nn.ModuleList(
                layer for i, layer in enumerate(layers) if i != index
            )
            model.config.num_hidden_layers = BLOCKS - 1
            assert found.blocks[index] == pytest.approx(loss() - whole, rel=1e-4, abs=1e-6)
            model.model.layers, model.config.num_hidden_layers = layers, BLOCKS


def test_signal_to_noise_of_a_spectrum_that_is_known() -> None:
    """Quartiles 2 and 4 apart: sigma 2/1.349, and for a square matrix the bound is twice that."""
    weight = torch.diag(torch.tensor([10.0, 4.0, 3.0, 2.0, 1.0]))
    bound = 2 * 2 / 1.349
    assert 2 < bound < 3
    assert signal_to_noise(weight) == pytest.approx((10 + 4 + 3) / (2 + 1) / 10)
    assert signal_to_noise(torch.eye(4)) == math.inf


def test_weights_are_ranked_beside_their_kind_and_vectors_not_at_all(
    model: PreTrainedModel, anatomy: Anatomy
) -> None:
    spike = torch.zeros_like(model.model.layers[3].mlp.up_proj.weight)
    spike[0, 0] = 10.0
    with torch.no_grad():
        model.model.layers[3].mlp.up_proj.weight.mul_(0.1).add_(spike)
    found = weight_scores(model, anatomy, [], quiet)
    kind = "mlp.up_proj.weight"
    others = [found.cells[i, kind] for i in range(3)]
    expected = signal_to_noise(model.model.layers[3].mlp.up_proj.weight.detach())
    assert found.cells[3, kind] == pytest.approx(expected)
    assert all(found.cells[3, kind] != value for value in others)
    assert set(found.unranked) >= {"input_layernorm.weight", "self_attn.q_proj.bias"}
    assert not {kind for _, kind in found.cells} & set(found.unranked)


def test_the_top_ones_make_a_plan() -> None:
    ranking = Ranking("nano", "gradient", Scores((0.1, 3.0, 0.2, 3.0, 2.0), {}), 8)
    assert ranking.top(3) == (3, 1, 4)
    plan = ranking.plan(preset("bitfit"), 3)
    assert plan.rules[0].layers == "1,3-4"
    assert plan.rules[0].kinds == preset("bitfit").rules[0].kinds
    assert plan.name == "bitfit on 1,3-4"
    assert ranking.record(2)["top"] == [3, 1]


@pytest.mark.parametrize(
    ("first", "second", "expected"),
    [
        ([1, 2, 3], [10, 20, 30], 1),
        ([1, 2, 3], [3, 2, 1], -1),
        ([1, 1, 1], [1, 2, 3], 0),
        ([1, 2, 3, 4], [1, 3, 2, 4], 0.8),
    ],
)
def test_agreement_is_spearmans(first: list[float], second: list[float], expected: float) -> None:
    assert rank_correlation(first, second) == pytest.approx(expected)


@pytest.mark.parametrize(
    ("total", "expected"),
    [
        ("norm", (5.0, 12.0)),
        ("sum", (7.0, 12.0)),
        ("mean", (3.5, 12.0)),
        # a: 3 and 12 over their mean 7.5; b: 4 over itself.
        ("beside", ((3 / 7.5 + 1) / 2, 12 / 7.5)),
    ],
)
def test_blocks_follow_from_their_cells_and_from_the_kinds_that_a_plan_trains(
    total: Any, expected: tuple[float, float]
) -> None:
    cells = {(0, "a"): 3.0, (0, "b"): 4.0, (1, "a"): 12.0}
    scores = scores_of(cells, 2, total, ("c", "d"))
    assert scores.blocks == pytest.approx(expected)
    alone = scores.over({"b", "c"})
    assert alone.blocks == (1.0 if total == "beside" else 4.0, 0.0)
    assert alone.unranked == ("c",)
    assert scores.over({"a", "b", "c", "d"}) == scores
    without_kinds = Scores((1.0, 2.0), {})
    assert without_kinds.over({"a"}) is without_kinds


def test_agreement_is_a_symmetric_matrix() -> None:
    rankings = [
        Ranking("nano", str(i), Scores(blocks, {}), 1)
        for i, blocks in enumerate([(1.0, 2.0, 3.0), (3.0, 2.0, 1.0), (0.1, 0.2, 0.4)])
    ]
    expected = [[1, -1, 1], [-1, 1, -1], [1, -1, 1]]
    for row, line in zip(agreement(rankings), expected, strict=True):
        assert row == pytest.approx(line)


def test_every_method_says_what_it_measures_by_which_formula_and_whose() -> None:
    assert WORDS.keys() == METHODS.keys()
    for words in WORDS.values():
        assert words.what.endswith(".")
        assert "loss" in words.formula or "mean" in words.formula
        assert "arXiv" in words.source


SHORT = {"sequences": 4, "batch_size": 2, "sequence_length": 32}


@pytest.mark.slow
def test_nano_is_ranked_by_all_methods_on_the_shipped_data() -> None:
    data = str(ASSETS / "data" / "kjv-eval.txt")
    told: list[tuple[int, int]] = []
    found = rank_all("nano", data, **SHORT, tick=lambda *pair: told.append(pair))
    assert found.keys() == METHODS.keys()
    assert told == sorted(told)
    assert told[-1][0] == told[-1][1]
    # Seven methods take three passes; weight and ablation one each.
    assert told[-1][1] == 5 * 1000
    for method, ranking in found.items():
        record = ranking.record()
        assert record["method"] == method
        assert [block["index"] for block in record["blocks"]] == list(range(28))
        assert len(record["top"]) == 4
        assert Ranking.from_record(json.loads(json.dumps(record))) == ranking
    assert rank("nano", data, "gradient", **SHORT) == found["gradient"]
    plan = found["fisher"].plan(preset("attention"))
    assert resolve(plan, open_model("nano")).names


@pytest.mark.slow
def test_what_was_ranked_in_a_process_of_its_own_is_kept(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    file = tmp_path / "data.txt"
    text = (ASSETS / "data" / "kjv-eval.txt").read_text(encoding="utf-8")
    file.write_text(text[:3000], encoding="utf-8")
    told: list[tuple[int, int]] = []
    first = rank_apart("nano", str(file), "activation", lambda *pair: told.append(pair))
    assert told[-1] == (1000, 1000)
    assert first == rank("nano", str(file), "activation")
    monkeypatch.setattr("subprocess.Popen", None)  # No second process is started.
    assert rank_apart("nano", str(file), "activation") == first
    # One pass answered these as well.
    assert rank_all_apart("nano", str(file), ("change", "wanda")).keys() == {"change", "wanda"}
    file.write_text(text[:2000], encoding="utf-8")
    with pytest.raises(TypeError):
        rank_apart("nano", str(file), "activation")


@pytest.mark.slow
def test_a_mistake_in_another_process_is_told() -> None:
    with pytest.raises(DataError, match="no file"):
        rank_apart("nano", "/no/such/file.txt", "activation")


def test_mistakes_are_named(tmp_path: Path) -> None:
    empty = tmp_path / "empty.txt"
    empty.write_text("")
    with pytest.raises(DataError):
        rank("nano", str(empty), "gradient")
    with pytest.raises(SettingsError, match="ablation"):
        rank("nano", str(empty), "magic")
    with pytest.raises(SettingsError, match="at least"):
        rank("nano", str(empty), "gradient", sequences=0)
