"""What people take for a model and is none: each is told in one sentence, with what to do."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from qwen_ui.errors import ModelError
from qwen_ui.model import open_model
from qwen_ui.model.weights import check_weights, load_tokenizer, weights_of, why_no_weights
from tests.helpers.checkpoint_families import change_config, save_family

POINTER = "version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 12\n"
CONFIG = {
    "model_type": "llama", "vocab_size": 32, "hidden_size": 16, "intermediate_size": 16,
    "num_hidden_layers": 1, "num_attention_heads": 2,
}  # fmt: skip


def adapter(folder: Path, **values: object) -> None:
    (folder / "adapter_config.json").write_text(json.dumps(values))
    tensors = {"base_model.model.x.lora_A.weight": torch.zeros(1)}
    save_file(tensors, folder / "adapter_model.safetensors")


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (
            lambda f: adapter(f, peft_type="LORA", base_model_name_or_path="Qwen/Qwen2.5-0.5B"),
            "a LoRA adapter of Qwen/Qwen2.5-0.5B, not a whole model: open the base",
        ),
        (lambda f: adapter(f, peft_type="IA3"), "an adapter, not a whole model"),
        (lambda f: (f / "adapter_config.json").write_text("{"), "an adapter, not a whole model"),
        (lambda f: (f / "m.gguf").write_bytes(b"GGUF\3"), "is a GGUF file"),
        (lambda f: (f / "params.json").write_text("{}"), "its maker's own format"),
        (lambda f: (f / "config.json").write_text(POINTER), "is a Git LFS pointer"),
        (lambda f: (f / "config.json").write_text("<!DOCTYPE html><p>"), "is a web page"),
        (lambda f: (f / "config.json").write_text("Entry not found"), "a server's answer"),
        (
            lambda f: ((f / "step-2").mkdir(), (f / "step-2" / "config.json").write_text("{}")),
            "its folder 'step-2' has: open",
        ),
    ],
    ids=["adapter", "no base", "broken", "gguf", "params", "pointer", "page", "404", "checkpoints"],
)
def test_a_folder_that_is_no_model_is_named(
    tmp_path: Path, make: Callable[[Path], object], said: str
) -> None:
    make(tmp_path)
    with pytest.raises(ModelError, match=said):
        open_model(str(tmp_path))


def test_files_of_an_adapter_mean_its_folder(tmp_path: Path) -> None:
    adapter(tmp_path, peft_type="LORA", base_model_name_or_path="a/b")
    for file in ("adapter_config.json", "adapter_model.safetensors"):
        with pytest.raises(ModelError, match="a LoRA adapter of a/b"):
            open_model(str(tmp_path / file))
    (tmp_path / "m.gguf").write_bytes(b"GGUF")
    with pytest.raises(ModelError, match="is a GGUF file"):
        open_model(str(tmp_path / "m.gguf"))


def test_an_adapter_beside_whole_weights_is_refused(tmp_path: Path) -> None:
    adapter(save_family(tmp_path, "llama"), base_model_name_or_path="a/b")
    with pytest.raises(ModelError, match="beside whole weights"):
        open_model(str(tmp_path))


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("model.safetensors", POINTER.encode(), "is a Git LFS pointer"),
        ("model.safetensors", b"<html><body>404</body></html>", "is a web page"),
        ("model.safetensors", b"Repository not found", "a server's answer"),
        ("model.safetensors", b"PK\3\4" + bytes(600), "a pickled PyTorch file by another name"),
        ("model.safetensors.index.json", POINTER.encode(), "is a Git LFS pointer"),
        ("other.safetensors", b"{}", "transformers looks for model.safetensors"),
    ],
)
def test_a_weight_file_that_is_something_else_is_named(
    tmp_path: Path, name: str, content: bytes, said: str
) -> None:
    (tmp_path / "config.json").write_text(json.dumps(CONFIG))
    (tmp_path / name).write_bytes(content)
    if name.endswith(".json"):
        save_file({"x": torch.zeros(1)}, tmp_path / "model-00001-of-00001.safetensors")
    with pytest.raises(ModelError, match=said):
        weights_of(open_model(str(tmp_path)))


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("pytorch_model.bin", r"pickled \(pytorch_model\.bin\).*save_pretrained"),
        ("pytorch_model-00001-of-00002.bin", "pickled"),
        ("consolidated.00.pth", "pickled"),
        ("tf_model.h5", "for TensorFlow"),
        ("model.gguf", r"for llama\.cpp"),
        ("training_args.bin", "holds a configuration and no safetensors"),
    ],
)
def test_weights_of_other_kinds_say_how_to_convert(tmp_path: Path, name: str, said: str) -> None:
    (tmp_path / "config.json").write_text(json.dumps(CONFIG))
    (tmp_path / name).write_bytes(b"\x80\2")
    anatomy = open_model(str(tmp_path))
    assert anatomy.weights_folder is None
    with pytest.raises(ModelError, match=said):
        weights_of(anatomy)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-32"])
def test_a_configuration_is_read_in_any_encoding_of_json(tmp_path: Path, encoding: str) -> None:
    (tmp_path / "config.json").write_text(json.dumps(CONFIG), encoding=encoding)
    assert open_model(str(tmp_path)).block_count == 1


def test_a_model_with_a_byte_order_mark_has_its_tokenizer(tmp_path: Path) -> None:
    save_family(tmp_path, "qwen2")
    for name in ("config.json", "tokenizer_config.json"):
        file = tmp_path / name
        file.write_bytes(b"\xef\xbb\xbf" + file.read_bytes())
    assert load_tokenizer(tmp_path)("a")["input_ids"]


def test_quantized_weights_are_named_by_configuration_or_by_what_is_in_the_files(
    tmp_path: Path,
) -> None:
    settings = {"quant_method": "gptq", "bits": 4}
    change_config(save_family(tmp_path / "a", "llama"), quantization_config=settings)
    anatomy = open_model(str(tmp_path / "a"))
    found = check_weights(anatomy, weights_of(anatomy))
    assert not found.fits
    assert found.sentence == "The weights are quantized (gptq) and cannot be trained."
    save_family(tmp_path / "b", "llama")
    packed = {"model.layers.0.self_attn.q_proj.qweight": torch.zeros(4, 4, dtype=torch.int32)}
    save_file(packed, tmp_path / "b" / "model.safetensors", {"format": "pt"})
    anatomy = open_model(str(tmp_path / "b"))
    assert check_weights(anatomy, weights_of(anatomy)).quantization == "gptq or awq"


def test_a_preset_says_where_its_weights_come_from() -> None:
    said = why_no_weights(open_model("qwen2.5-0.5b-instruct"))
    assert "hf download Qwen/Qwen2.5-0.5B-Instruct" in said
