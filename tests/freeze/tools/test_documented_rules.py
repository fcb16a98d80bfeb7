"""The other tools' rules, written again here from their documentation, on random settings."""

from __future__ import annotations

import json
import re
from fnmatch import fnmatch

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from qwen_ui.freeze.lint import lint_text
from qwen_ui.freeze.tools.ms_swift import frozen_by_ratio
from qwen_ui.model import Anatomy, open_model
from tests.helpers.small_models import CONFIGURATIONS, small_model
from tests.helpers.tiny_families import tiny_configuration

EXAMPLES = settings(max_examples=5, suppress_health_check=list(HealthCheck))


def beginnings(anatomy: Anatomy) -> st.SearchStrategy[str]:
    """Beginnings of names, of any length."""
    names = [p.name for p in anatomy.parameters]
    return st.tuples(st.sampled_from(names), st.integers(1, 60)).map(
        lambda pair: pair[0][: pair[1]]
    )


def names_of(anatomy: Anatomy) -> list[str]:
    return [p.name for p in anatomy.parameters]


@pytest.mark.parametrize("name", CONFIGURATIONS)
@EXAMPLES
@given(data=st.data())
def test_ms_swift(name: str, data: st.DataObject) -> None:
    """Its manual: all trains; ratio, beginnings and expression freeze; then the others train."""
    anatomy = small_model(name)[1]
    texts = st.lists(beginnings(anatomy), max_size=3)
    pattern = st.sampled_from(["", r"\.[13]\.", r"bias$", "attn", "norm|ln"])
    ratio = data.draw(st.sampled_from([0, 0.25, 0.5, 1]))
    frozen, trained = data.draw(texts), data.draw(texts)
    expressions = data.draw(pattern), data.draw(pattern)
    values = {
        "tuner_type": "full",
        "freeze_parameters_ratio": ratio,
        "freeze_parameters": frozen,
        "freeze_parameters_regex": expressions[0],
        "trainable_parameters": trained,
        "trainable_parameters_regex": expressions[1],
    }
    values = {key: value for key, value in values.items() if value != ""}
    total, seen, expected = anatomy.total_parameters, 0, set()
    for parameter in anatomy.parameters:
        seen += parameter.numel
        own = parameter.name
        freezes = seen <= int(total * ratio) and ratio > 0
        freezes |= any(own.startswith(text) for text in frozen)
        freezes |= bool(expressions[0] and re.search(expressions[0], own))
        trains = any(own.startswith(text) for text in trained)
        trains |= bool(expressions[1] and re.search(expressions[1], own))
        if trains or not freezes:
            expected.add(own)
    found = lint_text("\n".join(f"{k}: {json.dumps(v)}" for k, v in values.items()), anatomy)
    assert found.format == "ms-swift"
    assert found.names == expected


def test_a_ratio_freezes_whole_tensors_from_the_bottom() -> None:
    assert frozen_by_ratio([10, 20, 30], 0.5) == 2
    assert frozen_by_ratio([10, 20, 30], 0.49) == 1
    assert frozen_by_ratio([10, 20, 30], 1) == 3


@pytest.mark.parametrize("name", CONFIGURATIONS)
@EXAMPLES
@given(data=st.data())
def test_llama_factory(name: str, data: st.DataObject) -> None:
    """Its manual: the last n layers (the first where negative), modules by name, others beside."""
    anatomy = small_model(name)[1]
    inside = {p.kind.split(".")[0] for p in anatomy.parameters if p.block is not None}
    outside = {p.name.split(".")[-2] for p in anatomy.parameters if p.block is None}
    layers = data.draw(st.integers(-6, 6).filter(bool))
    modules = data.draw(st.lists(st.sampled_from(["all", *sorted(inside)]), min_size=1, max_size=2))
    extra = data.draw(st.lists(st.sampled_from(sorted(outside)), max_size=2))
    text = (
        f"finetuning_type: freeze\nfreeze_trainable_layers: {layers}\n"
        f"freeze_trainable_modules: {','.join(modules)}\n"
    )
    text += f"freeze_extra_modules: {','.join(extra)}\n" if extra else ""
    count = anatomy.block_count
    blocks = list(range(count))[-layers:] if layers > 0 else list(range(count))[:-layers]
    expected = {
        own
        for own in names_of(anatomy)
        if any(f".{b}.{'' if m == 'all' else m}" in own for b in blocks for m in modules)
        or any(module in own for module in extra)
    }
    found = lint_text(text, anatomy)
    assert found.names == expected
    assert not found.errors


@pytest.mark.parametrize("name", CONFIGURATIONS)
@EXAMPLES
@given(data=st.data())
def test_axolotl(name: str, data: st.DataObject) -> None:
    """Its docstring: periods are literal, patterns are met at the beginning of a name."""
    anatomy = small_model(name)[1]
    plain = beginnings(anatomy).filter(lambda text: text.strip() == text and ":" not in text)
    patterns = data.draw(st.lists(plain, min_size=1, max_size=3))
    wild = data.draw(st.sampled_from(["", "[a-z]+.[a-z]+.[0-9]+.+bias$", ".+norm"]))
    entries = [*patterns, *([wild] if wild else [])]
    expected = {
        own
        for own in names_of(anatomy)
        if any(own.startswith(text) for text in patterns)
        or (wild.endswith("bias$") and re.match(r"[a-z]+\.[a-z]+\.\d+.+bias$", own))
        or (wild == ".+norm" and fnmatch(own, "?*norm*"))
    }
    found = lint_text(
        "base_model: x\n" + json.dumps({"unfrozen_parameters": entries})[1:-1], anatomy
    )
    assert found.names == expected


@pytest.mark.parametrize(
    ("values", "kinds"),
    [
        ({"lora_attn_modules": ["q_proj"]}, {"self_attn.q_proj.weight"}),
        (
            {"lora_attn_modules": ["output_proj"], "apply_lora_to_mlp": True},
            {"self_attn.o_proj.weight", *(f"mlp.{m}_proj.weight" for m in ("gate", "up", "down"))},
        ),
        (
            {"lora_attn_modules": ["k_proj", "v_proj"], "apply_lora_to_output": True},
            {"self_attn.k_proj.weight", "self_attn.v_proj.weight", "lm_head.weight"},
        ),
    ],
)
def test_torchtune(values: dict[str, object], kinds: set[str]) -> None:
    """Its recipes' documentation: these layers of every block, the MLP, the head."""
    anatomy = small_model("llama")[1]
    model = {"_component_": "torchtune.models.llama3.lora_llama3_8b", "lora_rank": 4, **values}
    found = lint_text(json.dumps({"model": model}), anatomy)
    assert found.names == {p.name for p in anatomy.parameters if p.kind in kinds}
    sizes = [p.shape for p in anatomy.parameters if p.kind in kinds]
    assert found.trainable_parameters == sum(4 * (rows + columns) for rows, columns in sizes)


@pytest.mark.parametrize(
    ("arguments", "kinds", "blocks"),
    [
        ("", "qkvo gate up down", range(5)),
        ("target_modules=['q_proj'], finetune_last_n_layers=2", "q", range(3, 5)),
        ("target_modules=['q_proj', 'k_proj'], layers_to_transform=[0]", "q k", range(1)),
    ],
)
def test_unsloth_s_own_classes(arguments: str, kinds: str, blocks: range) -> None:
    """Its notebooks: seven matrices by default, a list, the last n layers."""
    anatomy = small_model("llama")[1]
    leaves = {
        f"{k}_proj" for word in kinds.split() for k in ([*word] if word == "qkvo" else [word])
    }
    found = lint_text(f"FastLanguageModel.get_peft_model(model, {arguments})", anatomy)
    assert found.names == {
        p.name
        for p in anatomy.parameters
        if p.block in blocks and p.module.rpartition(".")[2] in leaves
    }


@pytest.mark.parametrize(
    ("arguments", "kinds"),
    [
        ("finetune_mlp_modules=False", {"self_attn"}),
        ("finetune_attention_modules=False", {"mlp"}),
        ("", {"self_attn", "mlp"}),
    ],
)
def test_unsloth_s_other_classes(arguments: str, kinds: set[str]) -> None:
    """Its vision notebooks: attention and MLP modules by a flag each."""
    anatomy = small_model("llama")[1]
    found = lint_text(f"FastModel.get_peft_model(model, {arguments})", anatomy)
    assert found.names == {
        p.name
        for p in anatomy.parameters
        if p.block is not None and p.kind.split(".")[0] in kinds and p.name.endswith("weight")
    }


def test_an_empty_expression_of_ms_swift_is_found_in_every_name() -> None:
    """Its code asks whether there is one, not whether it says anything."""
    anatomy = small_model("llama")[1]
    frozen = lint_text("tuner_type: full\nfreeze_parameters_regex: ''", anatomy)
    assert not frozen.names
    one = "tuner_type: full\nfreeze_parameters_ratio: 1\ntrainable_parameters_regex: ''"
    assert not lint_text(one, anatomy).names
    both = f"{one}\ntrainable_parameters: [model.norm]"
    assert lint_text(both, anatomy).names == set(names_of(anatomy))


def test_lisa_draws_from_the_list_that_each_tool_takes() -> None:
    """ms-swift the first list of modules, Axolotl the one that is named, else `model.layers`."""
    swift = "tuner_type: full\nlisa_activated_layers: 1\n"
    axolotl = "base_model: x\nlisa_n_layers: 1\nlisa_step_interval: 5\n"
    gpt2 = small_model("gpt2")[1]
    assert not lint_text(swift, gpt2).errors
    assert any("no list of modules 'model.layers'" in e for e in lint_text(axolotl, gpt2).errors)
    named = lint_text(f"{axolotl}lisa_layers_attribute: transformer.h\n", gpt2)
    assert not named.errors
    assert "transformer.h.4.attn.c_attn.weight" in named.names
    images = open_model(tiny_configuration("qwen2_5_vl"))
    said = [p.message for p in lint_text(swift, images).problems]
    assert any("LISA draws from 'model.visual.blocks'" in message for message in said)


def test_axolotl_freezes_the_parts_for_images_last() -> None:
    """`freeze_mm_modules`: after patterns and adapters alike."""
    anatomy = open_model(tiny_configuration("qwen2_5_vl"))
    text = "base_model: x\nfreeze_mm_modules: true\n"
    kept = {name for name in names_of(anatomy) if ".visual." not in f".{name}"}
    assert kept < set(names_of(anatomy))
    assert lint_text(text, anatomy).names == kept
    adapted = lint_text(f"{text}adapter: lora\nlora_target_linear: true\n", anatomy)
    assert adapted.names
    assert adapted.names <= kept
    assert adapted.trainable_parameters is None


def test_axolotl_s_ranges_count_the_rows_that_train() -> None:
    """Rows of all ranges together; an entry without one does not widen them."""
    anatomy = small_model("llama")[1]
    entries = ["^model.embed_tokens.weight$[:8]", "model.embed_tokens.weight[4:12]", "model.embed"]
    found = lint_text(
        "base_model: x\n" + json.dumps({"unfrozen_parameters": entries})[1:-1], anatomy
    )
    assert found.names == {"model.embed_tokens.weight"}
    assert found.trainable_parameters == 12 * 16


def test_a_vocabulary_that_grows_trains_its_ends_in_llama_factory() -> None:
    """`resize_vocab` without `additional_target`: copies of embedding and head."""
    anatomy = small_model("llama")[1]
    text = "finetuning_type: lora\nlora_target: q_proj\n"
    ends = {"model.embed_tokens.weight", "lm_head.weight"}
    plain = lint_text(text, anatomy).names
    for grows in ("resize_vocab: true", "add_tokens: <a>,<b>"):
        assert lint_text(f"{text}{grows}\n", anatomy).names == plain | ends
        chosen = f"{text}{grows}\nadditional_target: norm\n"
        assert not ends & lint_text(chosen, anatomy).names


@pytest.mark.parametrize(
    ("arguments", "experts"),
    [
        ("", {"gate_up_proj", "down_proj"}),
        ("finetune_mlp_modules=False", set()),
        ("target_modules=['q_proj', 'down_proj']", {"down_proj"}),
        ("target_modules=['q_proj', 'gate_up_proj'], finetune_vision_layers=False",
         {"gate_up_proj"}),
        ("target_modules=['q_proj'], finetune_vision_layers=False", set()),
        ("target_modules=r'.*mlp.*proj'", {"gate_up_proj", "down_proj"}),
        ("target_modules=r'.*self_attn.*proj'", set()),
    ],
)  # fmt: skip
def test_unsloth_adapts_experts_where_the_targets_mean_an_mlp(
    arguments: str, experts: set[str]
) -> None:
    """Its `get_moe_target_parameters`, of a list as it was written and of an expression."""
    anatomy = open_model(tiny_configuration("olmoe"))
    found = lint_text(f"FastModel.get_peft_model(model, {arguments})", anatomy)
    stacked = {name.rpartition(".")[2] for name in found.names if ".experts." in name}
    assert stacked == experts, [p.message for p in found.problems]
