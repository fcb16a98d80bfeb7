"""The adapters of a LoRA run as a folder that `peft`'s own `PeftModel.from_pretrained` loads."""

from __future__ import annotations

import shutil
import warnings
from pathlib import Path

import torch

from qwen_ui.engine.delta import read_delta
from qwen_ui.engine.lora import check_peft, lora_config, put_adapters
from qwen_ui.engine.snippet import loadable_name
from qwen_ui.errors import RunError
from qwen_ui.freeze import FreezePlan, resolve
from qwen_ui.model import build_on_meta, open_model


def write_adapter(file: Path, output: Path) -> Path:
    """Write a LoRA run's delta in `peft`'s form; the folder appears when it is whole.

    No weights of the base are read: a model without data is given the adapters, and `peft` itself
    names and stores them.

    Args:
        file: the delta.
        output: a folder that does not exist yet.

    Raises:
        RunError: the run trained no adapters, or the output exists.
        ModelError: the base cannot be opened.
    """
    delta = read_delta(file)
    if not delta.adapters:
        raise RunError(
            "This run trained the weights themselves, not LoRA adapters. Merge it into a model, or "
            "load the delta in PyTorch (`export RUN --as snippet`)."
        )
    if output.exists():
        raise RunError(f"'{output}' exists already. Give a new folder.")
    check_peft()
    from peft import get_peft_model  # noqa: PLC0415  optional, and slow

    anatomy = open_model(str(delta.settings["model"]))
    selection = resolve(FreezePlan.from_dict(delta.plan), anatomy)
    model = build_on_meta(anatomy.configuration, torch.float32)
    config = lora_config(model, selection, int(delta.settings["lora_rank"]))
    config.task_type = "CAUSAL_LM"
    with warnings.catch_warnings():
        # peft 0.21 asks transformers 5.24 by a name that is on its way out.
        warnings.filterwarnings("ignore", message=".*is_gradient_checkpointing")
        adapted = get_peft_model(model, config)
    put_adapters(adapted.base_model.model, delta.tensors)
    config.base_model_name_or_path = loadable_name(anatomy)
    config.inference_mode = True
    part = output.with_name(f".{output.name}.part")
    shutil.rmtree(part, ignore_errors=True)
    part.parent.mkdir(parents=True, exist_ok=True)
    # "auto" would ask the hub whether the vocabulary has grown; no embedding is adapted here.
    adapted.save_pretrained(part, save_embedding_layers=False)
    part.rename(output)
    return output
