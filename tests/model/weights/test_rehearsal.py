"""What `inspect` says fits, what `train` accepts and what transformers loads are one."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from qwen_ui.engine import checked_spec
from qwen_ui.errors import ModelError
from qwen_ui.freeze import preset
from qwen_ui.model import open_model
from qwen_ui.model.weights import check_weights, load_model, weights_of
from tests.helpers.checkpoint_families import (
    FAMILIES,
    Weights,
    change_config,
    change_weights,
    save_family,
)


@pytest.mark.parametrize("family", FAMILIES)
def test_a_healthy_checkpoint_fits_and_loads_whole(tmp_path: Path, family: str) -> None:
    save_family(tmp_path, family)
    anatomy = open_model(str(tmp_path))
    found = check_weights(anatomy, weights_of(anatomy))
    assert found.fits, found.sentence
    model = load_model(tmp_path, anatomy, torch.float32)
    assert [n for n, _ in model.named_parameters()] == [p.name for p in anatomy.parameters]


def renamed(pattern: str, by: str) -> Callable[[Weights], Weights]:
    return lambda weights: {re.sub(pattern, by, name): w for name, w in weights.items()}


def without(pattern: str) -> Callable[[Weights], Weights]:
    return lambda weights: {n: w for n, w in weights.items() if not re.search(pattern, n)}


def with_more(**shapes: tuple[int, ...]) -> Callable[[Weights], Weights]:
    return lambda weights: (
        weights | {n.replace("__", "."): torch.ones(s) for n, s in shapes.items()}
    )


SPOILED: dict[str, tuple[str, Callable[[Weights], Weights], str]] = {
    "compiled": ("llama", renamed("^", "_orig_mod."), r"39 .*`_orig_mod\.`.*torch\.compile"),
    "compiled by block": (
        "llama",
        renamed(r"(layers\.\d+\.)", r"\1_orig_mod."),
        r"36 of the names have `_orig_mod\.`",
    ),
    "DataParallel": ("qwen2", renamed("^", "module."), r"`module\.`.*DDP"),
    "peft's prefix": ("qwen2", renamed("^", "base_model.model."), "peft puts it there"),
    "adapters not merged": (
        "llama",
        renamed(r"q_proj\.weight", "q_proj.base_layer.weight"),
        "not merged",
    ),
    "a prefix too much": ("llama", renamed("^", "lm."), r"39 names begin with `lm\."),
    "head missing": ("llama", without("lm_head"), "The head is not there"),
    "block lost": ("qwen2", without(r"layers\.2\."), "Block 2 is not in the files"),
    "last blocks lost": ("qwen2", without(r"layers\.[23]\."), "Blocks 2, 3 are not"),
    "norm missing": ("qwen3", without(r"model\.norm"), "not whole"),
    "one expert lost": ("mixtral", without(r"experts\.3\."), r"experts\.gate_up_proj: \[3, "),
    "another vocabulary": (
        "llama",
        lambda w: {n: w_[:200] if w_.shape[0] == 260 else w_ for n, w_ in w.items()},
        "files have 200 tokens, the configuration's vocab_size is 260",
    ),
    "a value head": ("llama", with_more(v_head__summary__weight=(1, 32)), "a head that this model"),
    "a block more": (
        "llama",
        with_more(model__layers__4__mlp__up_proj__weight=(48, 32)),
        "have a block 4, and the configuration names 4 blocks",
    ),
}


@pytest.mark.parametrize("case", SPOILED)
def test_what_is_not_whole_is_refused_alike_before_launch_and_by_the_loader(
    tmp_path: Path, case: str
) -> None:
    family, change, said = SPOILED[case]
    change_weights(save_family(tmp_path, family), change)
    anatomy = open_model(str(tmp_path))
    found = check_weights(anatomy, weights_of(anatomy))
    assert not found.fits
    assert re.search(said, found.sentence), found.sentence
    with pytest.raises(ModelError, match=said):
        checked_spec(model=str(tmp_path), plan=preset("attention"), data="x.jsonl", steps=1)
    with pytest.raises(ModelError, match=r"cannot be (used|loaded)"):
        load_model(tmp_path, anatomy, torch.float32)


@pytest.mark.parametrize(
    "change",
    [
        renamed(r"^model\.", ""),
        lambda w: w | {"model.layers.0.self_attn.rotary_emb.inv_freq": torch.ones(4)},
        renamed(r"^model\.", "model.model."),
    ],
    ids=["a prefix lacking", "buffers of old releases", "a prefix twice"],
)
def test_what_transformers_takes_as_whole_is_whole(
    tmp_path: Path, change: Callable[[Weights], Weights]
) -> None:
    change_weights(save_family(tmp_path, "llama"), change)
    anatomy = open_model(str(tmp_path))
    found = check_weights(anatomy, weights_of(anatomy))
    loads = True
    try:
        load_model(tmp_path, anatomy, torch.float32)
    except ModelError:
        loads = False
    assert found.fits is loads is True, found.sentence


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
@pytest.mark.parametrize(
    ("family", "stored", "said"),
    [
        (
            "llama",
            "layers.1.mlp.up_proj.weight",
            r"layers\.1\.mlp\.up_proj\.weight'.*\(in model\.s",
        ),
        (
            "mixtral",
            "layers.2.block_sparse_moe.experts.1.w1.weight",
            r"gate_up_proj'.*, in \S+\.2\.\S+\.1\.w1",
        ),
        ("qwen2", "embed_tokens.weight", r"embed_tokens.*\(in model\.safetensors\)"),
    ],
)
def test_values_that_are_not_finite_are_named_when_they_load(
    tmp_path: Path, family: str, stored: str, said: str, value: float
) -> None:
    def spoil(weights: Weights) -> Weights:
        weights[f"model.{stored}"].view(-1)[3] = value
        return weights

    change_weights(save_family(tmp_path, family), spoil)
    with pytest.raises(ModelError, match=said) as caught:
        load_model(tmp_path, open_model(str(tmp_path)), torch.float32)
    assert "holds 1 value that is NaN or infinite" in str(caught.value)


def test_a_tie_that_the_files_break_is_opened_as_two_tensors(tmp_path: Path) -> None:
    def other_head(weights: Weights) -> Weights:
        head = weights["model.embed_tokens.weight"].clone()
        head[-1] += 1  # the last token alone: a new one that was trained in the head
        return weights | {"lm_head.weight": head}

    change_weights(save_family(tmp_path, "qwen3"), other_head)
    anatomy = open_model(str(tmp_path))
    assert not anatomy.tied
    assert "they are two tensors here" in anatomy.notes[0]
    model = load_model(tmp_path, anatomy, torch.float32)
    assert model.lm_head.weight is not model.model.embed_tokens.weight


def test_a_head_that_equals_the_embedding_is_tied(tmp_path: Path) -> None:
    same = lambda w: w | {"lm_head.weight": w["model.embed_tokens.weight"]}  # noqa: E731
    change_weights(save_family(tmp_path, "qwen3"), same)
    anatomy = open_model(str(tmp_path))
    assert anatomy.head_is_tied
    model = load_model(tmp_path, anatomy, torch.float32)
    assert model.lm_head.weight is model.model.embed_tokens.weight


def test_a_tie_broken_where_no_sample_looks_is_refused_when_it_loads(tmp_path: Path) -> None:
    def other_head(weights: Weights) -> Weights:
        wide = torch.zeros(260, 4096)
        wide[1, 2000] = 1.0
        return weights | {
            "model.embed_tokens.weight": torch.zeros(260, 4096),  # samples lie 15,000 apart
            "lm_head.weight": wide,
        }

    save_family(tmp_path, "qwen3", hidden_size=4096, intermediate_size=8)
    change_weights(tmp_path, other_head)
    anatomy = open_model(str(tmp_path))
    assert anatomy.head_is_tied
    with pytest.raises(ModelError, match='"tie_word_embeddings": false'):
        load_model(tmp_path, anatomy, torch.float32)


def test_a_configuration_of_another_size_is_said(tmp_path: Path) -> None:
    change_config(save_family(tmp_path, "llama"), intermediate_size=96)
    anatomy = open_model(str(tmp_path))
    found = check_weights(anatomy, weights_of(anatomy))
    assert "belongs to another model" in found.sentence
