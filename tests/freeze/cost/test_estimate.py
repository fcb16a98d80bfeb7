"""The price: held against real steps, whole traces, and the figures of the 1.5B."""

from __future__ import annotations

import gc
from dataclasses import replace
from itertools import product
from typing import Any

import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode
from transformers import AutoModelForCausalLM, LlamaConfig, PreTrainedModel, Qwen2Config

from qwen_ui.errors import ModelError, SettingsError
from qwen_ui.freeze import Cost, apply, estimate_cost, preset, resolve
from qwen_ui.freeze.cost import StepSettings, full_cost, price
from qwen_ui.model import Anatomy, open_model
from qwen_ui.model.tracing import fake_model
from tests.helpers.real_steps import CollectingBytes, measure
from tests.helpers.small_models import CONFIGURATIONS, build, small_model
from tests.helpers.tiny_families import tiny_configuration

PLANS = [("attention", "last:2"), ("bitfit", "last:2"), ("full", "last:2"), ("full", "all")]
DENSE = sorted(CONFIGURATIONS.keys() - {"qwen2_moe"})


@pytest.mark.parametrize("padded", [True, False])
@pytest.mark.parametrize(("plan", "layers"), [*PLANS, ("norms", "all"), ("full", "1-2")])
@pytest.mark.parametrize("name", DENSE)
def test_the_price_of_a_small_model_is_what_a_real_step_takes(
    name: str, plan: str, layers: str, padded: bool
) -> None:
    if plan == "bitfit" and name in ("llama", "gemma"):
        plan = "attention"  # these have no biases
    module, anatomy = small_model(name)
    selection = resolve(preset(plan, layers), anatomy)
    apply(selection, module)
    real = measure(module, 4, 32, padded=padded)
    cost = estimate_cost(
        anatomy, selection, batch_size=4, sequence_length=32, padded=padded, masters=False
    )
    module.eval()
    assert cost.flops_forward == real.flops_forward
    assert cost.flops_step == real.flops_step
    assert cost.activation_bytes == real.activation_bytes
    above = cost.peak_bytes - cost.weight_bytes - cost.optimizer_bytes
    assert above == pytest.approx(real.peak_bytes, rel=0.02)


@pytest.mark.parametrize(("plan", "layers"), [("attention", "last:2"), ("full", "all")])
@pytest.mark.parametrize("name", DENSE)
def test_gradients_of_earlier_micro_batches_are_held(name: str, plan: str, layers: str) -> None:
    """Against a real loop that adds up over three: the price used to be that of a single one."""
    module, anatomy = small_model(name)
    selection = resolve(preset(plan, layers), anatomy)
    apply(selection, module)
    real = measure(module, 2, 8, padded=True, micro_batches=3)
    module.eval()
    settings = StepSettings(
        batch_size=2, sequence_length=8, masters=False, gradient_accumulation_steps=3
    )
    cost = price(anatomy, selection, settings)
    assert cost.flops_forward == real.flops_forward
    assert cost.flops_step == real.flops_step
    assert cost.activation_bytes == real.activation_bytes
    above = cost.peak_bytes - cost.weight_bytes - cost.optimizer_bytes
    assert above == pytest.approx(real.peak_bytes, rel=0.02)
    single = price(anatomy, selection, replace(settings, gradient_accumulation_steps=1))
    assert single.peak_bytes < cost.peak_bytes


@pytest.mark.parametrize("model_type", ["openai-gpt", "gpt_neo", "gptj", "codegen", "ctrl"])
def test_a_mask_that_the_model_holds_is_no_activation(model_type: str) -> None:
    """Buffers that autograd saves exist anyway: OpenAI's GPT was priced at 1.26 times its peak."""
    configuration = tiny_configuration(model_type)
    anatomy = open_model(configuration)
    module = AutoModelForCausalLM.from_config(configuration).float()
    selection = resolve(preset("full", "last:2"), anatomy)
    apply(selection, module)
    real = measure(module, 2, 24, padded=True)
    cost = estimate_cost(
        anatomy, selection, batch_size=2, sequence_length=24, masters=False, dtype="float32"
    )
    assert cost.activation_bytes == real.activation_bytes
    above = cost.peak_bytes - cost.weight_bytes - cost.optimizer_bytes
    assert above == pytest.approx(real.peak_bytes, rel=0.02)


@pytest.mark.parametrize(("plan", "layers"), PLANS)
@pytest.mark.parametrize("configuration", ["nano", "wider"])
def test_the_price_of_nano_and_of_a_wider_model(configuration: str, plan: str, layers: str) -> None:
    anatomy = open_model("nano" if configuration == "nano" else _wider())
    module = fake_free(anatomy)
    selection = resolve(preset(plan, layers), anatomy)
    apply(selection, module)
    real = measure(module, 2, 64, padded=False)
    cost = estimate_cost(
        anatomy,
        selection,
        batch_size=2,
        sequence_length=64,
        padded=False,
        masters=False,
        dtype="float32",
    )
    assert cost.flops_step == real.flops_step
    assert cost.activation_bytes == pytest.approx(real.activation_bytes, rel=0.02)
    above = cost.peak_bytes - cost.weight_bytes - cost.optimizer_bytes
    assert above == pytest.approx(real.peak_bytes, rel=0.05)


def _wider() -> Qwen2Config:
    return Qwen2Config(
        vocab_size=512,
        hidden_size=512,
        intermediate_size=1536,
        num_hidden_layers=6,
        num_attention_heads=8,
        num_key_value_heads=2,
        tie_word_embeddings=True,
    )


def fake_free(anatomy: Anatomy) -> PreTrainedModel:
    """The model of this anatomy with real, random float32 weights."""
    return type(fake_model(anatomy).module)(anatomy.configuration).float()


def test_the_figures_of_the_large_model(qwen: Anatomy) -> None:
    attention = resolve(preset("attention"), qwen)
    settings = StepSettings(batch_size=4, sequence_length=512)
    cost = estimate_cost(qwen, attention, batch_size=4, sequence_length=512)
    full = full_cost(qwen, settings)
    assert round(cost.flops_step / 1e12, 2) == 8.12
    assert round(cost.activation_bytes / 1e9, 1) == 1.9
    assert round(full.flops_step / 1e12, 2) == 18.97
    assert round(full.activation_bytes / 1e9, 1) == 7.6
    assert cost.weight_bytes == full.weight_bytes == 2 * 1_543_714_304
    assert cost.gradient_bytes == 2 * 22_028_288
    assert cost.optimizer_bytes == 8 * 22_028_288
    assert cost.master_bytes == 4 * 22_028_288
    assert cost.prefix_blocks == 24


def test_a_kept_prefix_takes_its_forward_pass_away_and_nothing_else(qwen: Anatomy) -> None:
    selection = resolve(preset("attention"), qwen)
    run = estimate_cost(qwen, selection, batch_size=4, sequence_length=512)
    kept = estimate_cost(qwen, selection, batch_size=4, sequence_length=512, keep_prefix=True)
    assert kept.prefix_kept
    per_block = (run.flops_forward - kept.flops_forward) / 24
    assert per_block == pytest.approx(2 * 2048 * 46_797_824, rel=0.05)
    assert kept.flops_step - kept.flops_forward == run.flops_step - run.flops_forward
    assert kept.activation_bytes == run.activation_bytes
    assert kept.kept_bytes_per_token == 2 * 1536


def test_checkpointing_keeps_less_and_computes_more() -> None:
    """Held against torch's own checkpointing of the same blocks on a real step."""
    configuration = LlamaConfig(
        vocab_size=64,
        hidden_size=64,
        intermediate_size=256,
        num_hidden_layers=4,
        num_attention_heads=4,
        num_key_value_heads=2,
    )
    anatomy = open_model(configuration)
    selection = resolve(preset("full"), anatomy)
    module = fake_free(anatomy)
    module.activation_checkpointing_enable({"use_reentrant": False})
    gc.freeze()  # else every collection looks at all that pytest holds
    real = measure(module, 4, 32, padded=True, live=CollectingBytes())
    gc.unfreeze()
    settings: dict[str, Any] = {
        "batch_size": 4,
        "sequence_length": 32,
        "masters": False,
        "dtype": "float32",
    }
    plain = estimate_cost(anatomy, selection, **settings)
    cost = estimate_cost(anatomy, selection, **settings, checkpointing=True)
    assert cost.flops_step == real.flops_step
    assert plain.flops_step < cost.flops_step < 4 / 3 * plain.flops_step
    assert cost.activation_bytes < plain.activation_bytes / 3
    above = cost.peak_bytes - cost.weight_bytes - cost.optimizer_bytes
    assert above == pytest.approx(real.peak_bytes, rel=0.1)


def test_experts_are_counted_for_the_tokens_they_get() -> None:
    """Grouped products against the eager loop over experts of a real step."""
    module = build("qwen2_moe")
    anatomy = open_model(module)
    module.set_experts_implementation("eager")
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        tokens = torch.randint(0, 64, (2, 16))
        module(input_ids=tokens, attention_mask=torch.ones_like(tokens), use_cache=False)
    selection = resolve(preset("full"), anatomy)
    for dtype in ("bfloat16", "float32"):
        cost = estimate_cost(anatomy, selection, batch_size=2, sequence_length=16, dtype=dtype)
        assert cost.flops_forward == counter.get_total_flops()


@pytest.mark.parametrize(("plan", "layers"), PLANS)
def test_a_mixture_of_experts_in_float32_keeps_what_a_real_step_keeps(
    plan: str, layers: str
) -> None:
    module, anatomy = small_model("qwen2_moe")
    selection = resolve(preset(plan, layers), anatomy)
    apply(selection, module)
    real = measure(module, 4, 32, padded=True)
    module.eval()
    cost = estimate_cost(anatomy, selection, batch_size=4, sequence_length=32)
    assert cost.activation_bytes == real.activation_bytes
    above = cost.peak_bytes - cost.weight_bytes - cost.optimizer_bytes
    assert above == pytest.approx(real.peak_bytes, rel=0.05)


@pytest.mark.parametrize(
    ("optimizer", "masters", "state", "master"),
    [
        ("adamw", True, 8, 4),
        ("adamw", False, 8, 0),
        ("adamw_8bit", True, 2.03125, 4),
        ("sgd", True, 0, 4),
        ("sgd_momentum", False, 4, 0),
    ],
)
def test_what_an_optimizer_keeps(
    qwen: Anatomy, optimizer: str, masters: bool, state: float, master: int
) -> None:
    selection = resolve(preset("attention"), qwen)
    cost = estimate_cost(
        qwen,
        selection,
        batch_size=1,
        sequence_length=128,
        optimizer=optimizer,
        masters=masters,
    )
    assert cost.optimizer_bytes == round(state * 22_028_288)
    assert cost.master_bytes == master * 22_028_288


def test_masters_of_a_float32_model_are_its_weights() -> None:
    _, anatomy = small_model("qwen2")
    selection = resolve(preset("full"), anatomy)
    assert estimate_cost(anatomy, selection, batch_size=1, sequence_length=8).master_bytes == 0


@pytest.mark.parametrize(
    "wrong",
    [
        {"batch_size": 0, "sequence_length": 8},
        {"batch_size": 1, "sequence_length": 1},
        {"batch_size": 1 << 20, "sequence_length": 1 << 20},
        {"batch_size": 1, "sequence_length": 8, "optimizer": "adam"},
        {"batch_size": 1, "sequence_length": 8, "dtype": "int8"},
        {"batch_size": 1, "sequence_length": 8, "gradient_accumulation_steps": 0},
    ],
)
def test_settings_out_of_range_are_refused(wrong: dict[str, Any]) -> None:
    _, anatomy = small_model("qwen2")
    with pytest.raises(SettingsError):
        price(anatomy, resolve(preset("full"), anatomy), StepSettings(**wrong))


def test_a_bare_module_has_no_price() -> None:
    module = torch.nn.Sequential(torch.nn.Linear(2, 2))
    anatomy = open_model(module)
    with pytest.raises(ModelError, match="cannot be traced"):
        estimate_cost(anatomy, resolve(preset("full"), anatomy), batch_size=1, sequence_length=8)


def test_prices_do_not_hang_on_what_was_asked_before(qwen: Anatomy) -> None:
    """One fake model serves all questions; none may leave a trace in the next."""
    fresh = open_model("qwen2.5-1.5b-instruct")
    asked: list[dict[str, Any]] = [
        {"plan": plan, "keep_prefix": kept, "checkpointing": checkpointing}
        for plan, kept, checkpointing in product(("bitfit", "full"), (False, True), (False, True))
    ]

    def ask(anatomy: Anatomy, plan: str, **settings: Any) -> Cost:
        selection = resolve(preset(plan), anatomy)
        return estimate_cost(anatomy, selection, batch_size=1, sequence_length=64, **settings)

    there = [ask(qwen, **one) for one in asked]
    back = [ask(fresh, **one) for one in reversed(asked)][::-1]
    for first, second in zip(there, back, strict=True):
        # Cycles in torch's checkpointing are freed when the collector comes by.
        assert second == replace(first, peak_bytes=second.peak_bytes)
        assert second.peak_bytes == pytest.approx(first.peak_bytes, rel=0.01)


def test_a_text_to_keep_is_counted(qwen: Anatomy) -> None:
    """At 576 wide a token takes 2,312 bytes beside the outputs of the frozen blocks."""
    settings = StepSettings(batch_size=1, sequence_length=128, keep_prefix=True)
    width, tokens = 1536, 1000
    for plan, expected in (
        (preset("attention", "last:4"), (4 * width + 8 + 2 * width) * tokens),
        (preset("full"), 2 * qwen.total_parameters),
    ):
        selection = resolve(plan, qwen)
        without = price(qwen, selection, settings)
        cost = price(qwen, selection, replace(settings, keep_tokens=tokens))
        assert without.keep_bytes == 0
        assert cost.keep_bytes == expected
        assert cost.peak_bytes - without.peak_bytes == expected
