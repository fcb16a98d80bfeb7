"""Tiny quantized checkpoints, as those who quantize write them, and transformers' plain reading."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch
import transformers as t
from safetensors.torch import load_file, save_file
from transformers.utils.quantization_config import Mxfp4Config

from qwen_ui.model.weights.dequantizing import settings_given_anew
from tests.helpers.checkpoint_families import (
    SHAPE,
    Weights,
    change_config,
    change_weights,
    save_random,
)

SHAPE_64: dict[str, Any] = SHAPE | {"hidden_size": 64, "intermediate_size": 128}
LARGEST_E4M3 = 448.0
BLOCK = 16


def _llama(**other: Any) -> t.PreTrainedConfig:
    return t.LlamaConfig(**SHAPE_64, tie_word_embeddings=False, **other)


def _fp8(folder: Path, configuration: t.PreTrainedConfig) -> Path:
    """As DeepSeek and Qwen publish: `weight` in float8, `weight_scale_inv` for its squares."""
    save_random(folder, configuration)
    change_weights(folder, _in_squares)
    settings = {"quant_method": "fp8", "activation_scheme": "dynamic", "fmt": "e4m3"}
    block = {"weight_block_size": [BLOCK, BLOCK]}
    return change_config(folder, quantization_config={**settings, **block})


def _in_squares(weights: Weights) -> Weights:
    made: Weights = {}
    for name, weight in weights.items():
        if not name.endswith("proj.weight"):
            made[name] = weight
            continue
        rows, columns = weight.shape[0] // BLOCK, weight.shape[1] // BLOCK
        squares = weight.reshape(rows, BLOCK, columns, BLOCK)
        scale = squares.abs().amax((1, 3), keepdim=True) / LARGEST_E4M3
        made[name] = (squares / scale).reshape(weight.shape).to(torch.float8_e4m3fn)
        made[f"{name}_scale_inv"] = scale.reshape(rows, columns)
    return made


def _experts() -> t.PreTrainedConfig:
    moe: dict[str, Any] = {
        "moe_intermediate_size": 32, "num_experts": 4, "num_experts_per_tok": 2, "head_dim": 16,
    }  # fmt: skip
    return t.Qwen3MoeConfig(**SHAPE_64, **moe, tie_word_embeddings=False)


def _bitsandbytes(folder: Path, configuration: t.PreTrainedConfig, **settings: Any) -> Path:
    plain = save_random(folder.with_name(f"{folder.name}-plain"), configuration)
    form = t.BitsAndBytesConfig(**settings)
    model = t.AutoModelForCausalLM.from_pretrained(
        plain, quantization_config=form, dtype=torch.float32, device_map={"": "cpu"}
    )
    model.save_pretrained(folder)
    t.AutoTokenizer.from_pretrained(plain).save_pretrained(folder)
    return folder


def _mxfp4(folder: Path) -> Path:
    """As OpenAI publishes: experts in halves of bytes, an exponent for 32 of them."""
    save_random(
        folder,
        t.GptOssConfig(
            **SHAPE_64, head_dim=16, num_local_experts=4, num_experts_per_tok=2, sliding_window=16
        ),
    )
    change_weights(folder, _in_halves)
    skipped = ["model.layers.*.self_attn", "model.layers.*.mlp.router", "lm_head"]
    settings = {"quant_method": "mxfp4", "modules_to_not_convert": skipped}
    return change_config(folder, quantization_config=settings)


def _in_halves(weights: Weights) -> Weights:
    generator = torch.Generator().manual_seed(0)
    made: Weights = {}
    for name, weight in weights.items():
        if not name.endswith(("experts.gate_up_proj", "experts.down_proj")):
            made[name] = weight
            continue
        experts, columns, rows = weight.shape
        shape = (experts, rows, columns // 32)
        halves = torch.randint(0, 256, (*shape, 16), generator=generator, dtype=torch.uint8)
        exponents = torch.randint(118, 122, shape, generator=generator, dtype=torch.uint8)
        made |= {f"{name}_blocks": halves, f"{name}_scales": exponents}
    return made


def save_quantized(folder: Path, form: str) -> Path:
    """A tiny quantized model with seeded weights: a key of `PLAIN`."""
    if form == "fp8":
        return _fp8(folder, _llama())
    if form == "fp8 experts":
        return _fp8(folder, _experts())
    if form == "mxfp4":
        return _mxfp4(folder)
    if form == "int8":
        return _bitsandbytes(folder, _llama(), load_in_8bit=True)
    made = _experts() if form == "nf4 experts" else _llama()
    return _bitsandbytes(
        folder,
        made,
        load_in_4bit=True,
        bnb_4bit_quant_type=form.split()[0],
        bnb_4bit_use_double_quant=form == "nf4",
    )


def _told(settings: Any, folder: Path) -> Any:
    with settings_given_anew():
        return t.AutoModelForCausalLM.from_pretrained(
            folder, quantization_config=settings(dequantize=True), dtype=torch.float32
        )


def _afterwards(folder: Path) -> Any:
    model = t.AutoModelForCausalLM.from_pretrained(
        folder, dtype=torch.float32, device_map={"": "cpu"}
    )
    return model.dequantize()


def plainly(folder: Path, form: str) -> Any:
    """The whole model as transformers makes it plain, in float32."""
    if form.startswith("fp8"):
        return _told(t.FineGrainedFP8Config, folder)
    return _told(Mxfp4Config, folder) if form == "mxfp4" else _afterwards(folder)


FORMS = ("fp8", "fp8 experts", "mxfp4", "nf4", "nf4 experts", "fp4", "int8")


def in_shards(folder: Path) -> Path:
    """The same checkpoint in two files and an index."""
    whole = folder / "model.safetensors"
    weights = load_file(whole)
    names = sorted(weights)
    files = {f"model-0000{n + 1}-of-00002.safetensors": set(names[n::2]) for n in (0, 1)}
    for file, inside in files.items():
        save_file({name: weights[name] for name in inside}, folder / file, {"format": "pt"})
    placed = {name: file for file, inside in files.items() for name in inside}
    size = whole.stat().st_size
    index = {"metadata": {"total_size": size}, "weight_map": placed}
    (folder / "model.safetensors.index.json").write_text(json.dumps(index))
    whole.unlink()
    return folder
