"""A model that is read part by part is, tensor by tensor, the one that transformers loads."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from qwen_ui.errors import ModelError
from qwen_ui.model import Anatomy, open_model
from qwen_ui.model.libraries import PreTrainedModel
from qwen_ui.model.weights import PiecewiseModel, load_model
from tests.helpers.checkpoint_families import FAMILIES, change_weights, save_family, save_random
from tests.helpers.tiny_families import tiny_configuration

CPU = torch.device("cpu")


def opened(folder: Path, dtype: torch.dtype = torch.float32) -> tuple[PiecewiseModel, Anatomy]:
    anatomy = open_model(str(folder))
    return PiecewiseModel(folder, anatomy, dtype, CPU), anatomy


def block(pieces: PiecewiseModel, anatomy: Anatomy, index: int) -> tuple[str, ...]:
    return pieces.inside(f"{anatomy.stack}.{index}")


def tensors(model: PreTrainedModel) -> dict[str, torch.Tensor]:
    return dict(model.state_dict(keep_vars=True))


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16], ids=str)
def test_parts_are_those_of_the_whole(family: str, dtype: torch.dtype, tmp_path: Path) -> None:
    save_family(tmp_path, family)
    pieces, anatomy = opened(tmp_path, dtype)
    whole = load_model(tmp_path, anatomy, dtype)
    assert all(tensor.is_meta for tensor in pieces.model.parameters())
    buffers = dict(whole.named_buffers())
    held = {n: b for n, b in pieces.model.named_buffers() if not b.is_meta}
    assert all(torch.equal(buffer, buffers[name]) for name, buffer in held.items())
    expected = tensors(whole)
    for index in range(anatomy.block_count):
        names = block(pieces, anatomy, index)
        read = pieces.reader(names)() if index % 2 else None
        with pieces.here(names, read):
            found = tensors(pieces.model)
            for name in names:
                assert found[name].dtype == expected[name].dtype
                assert torch.equal(found[name], expected[name]), name
        assert not any(pieces.is_here(name) for name in names)
    pieces.load(pieces.names)
    found = tensors(pieces.model)
    assert found.keys() == expected.keys()
    assert all(torch.equal(found[name], expected[name]) for name in expected)
    assert not any(parameter.requires_grad for parameter in pieces.model.parameters())


def test_a_tied_head_is_one_tensor_and_stays_where_a_block_goes(tmp_path: Path) -> None:
    pieces, anatomy = opened(save_family(tmp_path, "qwen2"))
    inside = {n for i in range(anatomy.block_count) for n in block(pieces, anatomy, i)}
    pieces.load(name for name in pieces.names if name not in inside)
    head, embedding = pieces.model.get_output_embeddings(), pieces.model.get_input_embeddings()
    assert head.weight is embedding.weight
    with pieces.here(block(pieces, anatomy, 1)):
        pass
    assert not head.weight.is_meta
    assert pieces.bytes(["lm_head.weight", "model.embed_tokens.weight"]) == head.weight.nbytes


def test_values_that_are_not_finite_are_refused_when_their_block_is_read(tmp_path: Path) -> None:
    save_family(tmp_path, "llama")
    name = "model.layers.1.mlp.up_proj.weight"
    change_weights(tmp_path, lambda w: {**w, name: torch.full_like(w[name], torch.nan)})
    pieces, anatomy = opened(tmp_path)
    pieces.load(block(pieces, anatomy, 0))
    with pytest.raises(ModelError, match="NaN or infinite"):
        pieces.load(block(pieces, anatomy, 1))


def test_files_that_lack_a_tensor_are_refused_before_any_is_read(tmp_path: Path) -> None:
    save_family(tmp_path, "llama")
    assert "lm_head.weight" in load_file(tmp_path / "model.safetensors")
    change_weights(tmp_path, lambda w: {n: t for n, t in w.items() if n != "lm_head.weight"})
    with pytest.raises(ModelError, match="lm_head"):
        opened(tmp_path)


@pytest.mark.parametrize("family", FAMILIES)
def test_the_weightless_model_is_the_one_that_is_loaded(family: str, tmp_path: Path) -> None:
    save_family(tmp_path, family)
    pieces, anatomy = opened(tmp_path, torch.bfloat16)
    whole = load_model(tmp_path, anatomy, torch.bfloat16)
    made = pieces.model
    assert type(made) is type(whole)
    assert made.training == whole.training
    # Kept outputs are filed by it.
    assert made.config.to_json_string() == whole.config.to_json_string()
    assert made.generation_config == whole.generation_config
    assert made.config._attn_implementation == whole.config._attn_implementation
    shapes, expected = (
        {n: (p.shape, p.dtype, type(p)) for n, p in tensors(model).items()}
        for model in (made, whole)
    )
    assert shapes == expected
    assert dict(made.named_buffers()).keys() == dict(whole.named_buffers()).keys()


def test_what_a_family_keeps_in_float32_is_read_so(tmp_path: Path) -> None:
    save_random(tmp_path, tiny_configuration("dots1"))
    pieces, anatomy = opened(tmp_path, torch.bfloat16)
    expected = tensors(load_model(tmp_path, anatomy, torch.bfloat16))
    assert {tensor.dtype for tensor in expected.values()} == {torch.float32, torch.bfloat16}
    pieces.load(pieces.names)
    found = tensors(pieces.model)
    assert {n: p.dtype for n, p in found.items()} == {n: p.dtype for n, p in expected.items()}


@pytest.mark.skipif(sys.platform != "linux", reason="/proc is Linux's")
def test_no_file_is_mapped_while_its_tensors_are_here(tmp_path: Path) -> None:
    pieces, _ = opened(save_family(tmp_path, "llama"))
    pieces.load(pieces.names)
    assert not any(tensor.is_meta for tensor in pieces.model.parameters())
    assert str(tmp_path) not in Path("/proc/self/maps").read_text(encoding="utf-8")
