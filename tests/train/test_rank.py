"""Scores against the slow, plain way in float64, and on cases made so that the answer is known."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
import torch
from torch.nn import functional as F
from transformers import PreTrainedModel, Qwen2Config, Qwen2ForCausalLM

from qwen_ui.errors import DataError, SettingsError
from qwen_ui.freeze import preset, resolve
from qwen_ui.model import Anatomy, open_model
from qwen_ui.paths import ASSETS
from qwen_ui.train.data import Batch, Examples, collate
from qwen_ui.train.rank import Ranking, rank, rank_correlation
from qwen_ui.train.scores import (
    Scores,
    ablation_scores,
    activation_scores,
    gradient_scores,
    relative_cells,
    signal_to_noise,
    weight_scores,
)
from qwen_ui.train.tokens import Example

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
    cells = gradient_scores(model, anatomy, batches, quiet).cells
    relative = relative_cells(model, anatomy, cells)
    kind = "mlp.up_proj.weight"
    norm = float(model.model.layers[2].mlp.up_proj.weight.norm())
    assert relative[2, kind] == pytest.approx(cells[2, kind] / norm)
    assert relative[2, "self_attn.q_proj.bias"] == 0.0  # Qwen's biases begin at zero


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


@pytest.mark.parametrize("method", ["gradient", "activation"])
def test_nano_is_ranked_on_the_shipped_data(method: str) -> None:
    data = str(ASSETS / "data" / "kjv-eval.txt")
    settings = {"sequences": 4, "batch_size": 2, "sequence_length": 32}
    first = rank("nano", data, method, **settings)
    assert first == rank("nano", data, method, **settings)
    record = first.record()
    assert [block["index"] for block in record["blocks"]] == list(range(28))
    assert len(record["top"]) == 4
    assert resolve(first.plan(preset("attention")), open_model("nano")).names


def test_mistakes_are_named(tmp_path: Path) -> None:
    empty = tmp_path / "empty.txt"
    empty.write_text("")
    with pytest.raises(DataError):
        rank("nano", str(empty), "gradient")
    with pytest.raises(SettingsError, match="ablation"):
        rank("nano", str(empty), "magic")
    with pytest.raises(SettingsError, match="at least"):
        rank("nano", str(empty), "gradient", sequences=0)
