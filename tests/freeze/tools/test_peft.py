"""The tensors and counts of an adapter's settings are those that the installed peft sets."""

from __future__ import annotations

import dataclasses
import json
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from peft import PeftConfig, PeftType, VeraConfig
from peft.mapping import PEFT_TYPE_TO_CONFIG_MAPPING
from transformers import PreTrainedConfig

from qwen_ui.freeze.lint import Lint, lint_text
from qwen_ui.freeze.tools.parts import parts_of
from qwen_ui.freeze.tools.peft_methods import METHODS
from qwen_ui.model import Anatomy, open_model
from tests.helpers.peft_names import peft_trains
from tests.helpers.tiny_families import tiny_configuration

FAST = ("qwen2", "gpt2", "qwen3_moe", "bamba")
FAMILIES = (
    *("qwen2", "gpt2", "qwen3_moe", "bamba", "llama", "mistral", "gemma", "gemma2", "gemma3_text"),
    *("gemma4_text", "qwen3", "qwen2_moe", "mixtral", "phi", "phi3", "opt", "bloom", "gpt_neox"),
    *("gptj", "falcon", "stablelm", "starcoder2", "olmo2", "olmoe", "granite", "granitemoe"),
    *("cohere", "glm", "mamba", "mamba2", "deepseek_v3", "qwen3_next", "lfm2", "exaone4"),
)


@cache
def model(family: str) -> tuple[PreTrainedConfig, Anatomy]:
    configuration = tiny_configuration(family)
    return configuration, open_model(configuration)


def linted(values: dict[str, Any], anatomy: Anatomy) -> Lint:
    return lint_text(json.dumps({"peft_type": "LORA", **values}), anatomy)


def adapters(anatomy: Anatomy) -> st.SearchStrategy[dict[str, Any]]:
    """Settings of every kind, most of which fit the model."""
    parts = parts_of(anatomy)
    linear = [p.name for p in parts.listed if p.kind in ("linear", "conv1d", "embedding")]
    leaves = sorted({name.rpartition(".")[2] for name in linear})
    ends = sorted({".".join(name.split(".")[-2:]) for name in linear})
    every = sorted(
        {p.name.rpartition(".")[2] for p in parts.listed if p.name and p.kind != "other"}
    )
    item = st.sampled_from([*leaves, *leaves, *ends, *linear[:40], "no_such_layer"])
    listed = st.lists(item, min_size=1, max_size=4, unique=True)
    expression = st.sampled_from(
        ["all-linear", r".*\.[13]\..*proj", r".*(attn|mixer).*", *(rf".*\.{x}" for x in leaves)]
    )
    saved = st.lists(st.sampled_from([*every, "norm", "lm_head", "proj"]), max_size=2, unique=True)
    excluded = st.lists(st.sampled_from([*leaves, *linear[:20]]), max_size=2, unique=True)
    rank = st.sampled_from([*leaves, *linear[:20], r"[1-3]\..*", ".*proj"])
    ranks = st.dictionaries(rank, st.integers(1, 9), max_size=2)
    tensors = [p for p in anatomy.parameters if len(p.shape) in (2, 3)]
    tensor = st.sampled_from(sorted({".".join(p.name.split(".")[-2:]) for p in tensors}))
    common = {
        "r": st.sampled_from([4, 8]),
        "target_parameters": st.none() | st.none() | st.lists(tensor, max_size=2, unique=True),
        "use_dora": st.sampled_from([False, False, True]),
        "trainable_token_indices": st.sampled_from([None, None, [1, 5], {"embed_tokens": [3]}]),
        "bias": st.sampled_from(["none", "all", "lora_only"]),
        "modules_to_save": st.none() | saved,
        "exclude_modules": st.none() | excluded | st.just(r".*\.2\..*"),
        "rank_pattern": ranks,
    }
    layers = st.none() | st.lists(st.integers(0, 4), max_size=3)
    pattern = st.none() | st.sampled_from(["layers", ["h", "layers"], "l.*s"])
    by_list = st.fixed_dictionaries(
        {
            **common,
            "target_modules": listed,
            "layers_to_transform": layers,
            "layers_pattern": pattern,
        }
    ).map(lambda s: s if s["layers_to_transform"] is not None else {**s, "layers_pattern": None})
    return by_list | st.fixed_dictionaries({**common, "target_modules": expression})


def check(family: str, values: dict[str, Any]) -> None:
    configuration, anatomy = model(family)
    expected = peft_trains(configuration, anatomy, dict(values))
    found = linted(values, anatomy)
    refused = [error for error in found.errors if error.startswith("PEFT ")]
    if expected is None:
        assert refused, values
        return
    assert not refused, values
    assert found.names == expected.names, values
    if found.trainable_parameters is not None:
        assert found.trainable_parameters == expected.elements, values


@pytest.mark.parametrize("family", ["qwen2", "gpt2"])
@pytest.mark.parametrize("save", ["embed_tokens", "model.embed_tokens", "wte", "lm_head"])
@pytest.mark.parametrize("tokens", [[1, 5], {"embed_tokens": [3]}, {"wte": [3]}])
def test_an_embedding_that_is_copied_whole_and_trains_in_rows(
    family: str, save: str, tokens: Any
) -> None:
    """PEFT stops only where both settings write it in one way."""
    target = {"qwen2": "q_proj", "gpt2": "c_attn"}[family]
    settings = {"target_modules": [target], "modules_to_save": [save]}
    check(family, {**settings, "trainable_token_indices": tokens})


@pytest.mark.parametrize("family", ["qwen2", "gpt2"])
@pytest.mark.parametrize("transposed", [True, False])
@pytest.mark.parametrize("target", [[], ["wte", "embed_tokens"], ["mlp.c_proj", "k_proj"]])
def test_tensors_with_adapters_are_not_stored_the_other_way_round(
    family: str, transposed: bool, target: list[str]
) -> None:
    """By the setting, or by what PEFT makes of it where it adapts GPT-2's layers."""
    leaf = {"qwen2": "q_proj.weight", "gpt2": "attn.c_attn.weight"}[family]
    settings = {"target_modules": target, "target_parameters": [leaf]}
    check(family, {**settings, "fan_in_fan_out": transposed})
    check(family, {**settings, "trainable_token_indices": [1]})


@pytest.mark.parametrize("family", FAST)
@settings(max_examples=8, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_names_and_counts_are_those_of_peft(family: str, data: st.DataObject) -> None:
    check(family, data.draw(adapters(model(family)[1])))


@pytest.mark.long
@pytest.mark.timeout(3000)
@pytest.mark.parametrize("family", FAMILIES)
@settings(max_examples=40, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_names_and_counts_are_those_of_peft_on_every_family(
    family: str, data: st.DataObject
) -> None:
    check(family, data.draw(adapters(model(family)[1])))


SETTINGS: tuple[dict[str, Any], ...] = (
    {"target_modules": ["q_proj", "down_proj"], "modules_to_save": ["norm"]},
    {"target_modules": ["c_attn", "c_fc"]},
    {"target_modules": ["embed_tokens", "q_proj"]},
    {"target_modules": ["q_proj", "v_proj"], "layers_to_transform": [1]},
    {"target_modules": "all-linear", "exclude_modules": ["o_proj"]},
)


NEEDED: dict[str, dict[str, Any]] = {
    "ADALORA": {"total_step": 10, "bias": "all"},
    "BOFT": {"bias": "boft_only"},
    "C3A": {"block_size": 1},
    "DELORA": {"bias": "all"},
    "FOURIERFT": {"n_frequency": 4},
    "GRALORA": {"r": 4, "gralora_k": 2},
    "HRA": {"bias": "all"},
    "IA3": {"feedforward_modules": []},
    "MISS": {"r": 4, "bias": "all"},
    "OFT": {"bias": "oft_only"},
    "RANDLORA": {"bias": "all"},
    "VBLORA": {"vector_length": 2, "num_vectors": 8},
    "VERA": {"bias": "all"},
    "WAVEFT": {"n_frequency": 4},
}


@pytest.mark.parametrize("method", sorted(METHODS.keys() - {"LORA", "BONE"}))
@pytest.mark.filterwarnings("ignore")  # peft's own, on what some methods are slow at
def test_other_methods_reach_the_same_tensors_or_stop_at_the_same(method: str) -> None:
    """BONE is MiSS by its old name, and gone from peft 0.21."""
    for family in ("qwen2", "gpt2"):
        configuration, anatomy = model(family)
        for values in SETTINGS:
            settings = values | NEEDED.get(method, {})
            read = {k: v for k, v in settings.items() if k not in METHODS[method].lacks}
            expected = peft_trains(configuration, anatomy, read, method)
            found = lint_text(json.dumps({"peft_type": method, **settings}), anatomy)
            refused = [error for error in found.errors if error.startswith("PEFT ")]
            assert bool(refused) == (expected is None), (family, settings, refused)
            if expected is not None:
                assert found.names == expected.names, (family, settings)
                assert found.trainable_parameters is None


@pytest.mark.parametrize("method", sorted(METHODS.keys() - {"BONE"}))
def test_what_a_method_knows_are_the_fields_of_its_configuration(method: str) -> None:
    known = {f.name for f in dataclasses.fields(PEFT_TYPE_TO_CONFIG_MAPPING[PeftType(method)])}
    every = frozenset().union(*(m.lacks for m in METHODS.values()))
    assert METHODS[method].lacks == every - known


@pytest.mark.parametrize(
    ("method", "setting", "value"),
    [
        ("VERA", "exclude_modules", ["v_proj"]),
        ("IA3", "layers_to_transform", [1]),
        ("LOHA", "bias", "all"),
        ("MISS", "target_parameters", ["k_proj.weight"]),
    ],
)
def test_a_setting_that_a_method_lacks_is_passed_over_and_told(
    method: str, setting: str, value: Any, tmp_path: Path
) -> None:
    configuration, anatomy = model("qwen2")
    values = {"target_modules": ["q_proj", "v_proj"], setting: value, **NEEDED.get(method, {})}
    text = json.dumps({"peft_type": method, "task_type": "CAUSAL_LM", **values})
    (tmp_path / "adapter_config.json").write_text(text)
    with pytest.warns(UserWarning, match=rf"Unexpected keyword arguments \['{setting}'\]"):
        read = PeftConfig.from_pretrained(str(tmp_path))
    with pytest.raises(TypeError, match=setting):
        type(read)(**values)
    kept = {key: value for key, value in values.items() if key != setting}
    expected = peft_trains(configuration, anatomy, kept, method)
    found = lint_text(text, anatomy)
    assert expected is not None
    assert found.names == expected.names
    assert any(f"{method} has no {setting}" in problem.message for problem in found.problems)


def test_several_such_settings_are_told_in_one_sentence() -> None:
    text = json.dumps(
        {"peft_type": "VERA", "target_modules": ["q_proj"], "use_dora": True}
        | {"exclude_modules": ["v_proj"], "rank_pattern": {"q_proj": 4}}
    )
    (told,) = [p for p in lint_text(text, model("qwen2")[1]).problems if "passes over" in p.message]
    assert told.message.startswith("VERA has no exclude_modules, rank_pattern and use_dora: PEFT")
    assert told.severity == "warning"


def test_a_setting_that_a_method_lacks_ends_a_script() -> None:
    text = 'config = VeraConfig(target_modules=["q_proj"], exclude_modules=["v_proj"])'
    with pytest.raises(TypeError, match="exclude_modules"):
        VeraConfig(target_modules=["q_proj"], exclude_modules=["v_proj"])  # type: ignore[call-arg]
    found = lint_text(text, model("qwen2")[1])
    (told,) = [p for p in found.problems if "exclude_modules" in p.message]
    assert told.severity == "error"
    assert told.message.startswith("VERA has no exclude_modules: PEFT raises a TypeError")


@pytest.mark.parametrize("leaf", ["conv1d.weight", "out_proj.weight", "in_proj.weight"])
def test_tensors_of_modules_that_peft_refuses_in_a_mamba(leaf: str) -> None:
    check("mamba2", {"target_modules": ["embeddings"], "target_parameters": [leaf]})


def test_both_names_of_a_tied_tensor_are_two_copies() -> None:
    both = {"target_modules": ["q_proj"], "modules_to_save": ["lm_head", "embed_tokens"]}
    assert len(model("gemma2")[1].tied) == 1
    check("gemma2", both)
