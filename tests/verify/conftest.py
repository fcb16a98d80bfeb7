"""A tiny base with a tied head, and what honest tools made of it."""

from __future__ import annotations

import shutil
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import AutoModelForCausalLM

from qwen_ui.freeze import FreezePlan, preset
from qwen_ui.model import open_model
from tests.helpers.checkpoint_families import save_family

Changed = Callable[[Any], None]


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A 4-block Qwen2 in float32, its head tied."""
    return save_family(tmp_path_factory.mktemp("base") / "base", "qwen2")


@pytest.fixture(scope="session")
def top_attention() -> FreezePlan:
    """Attention of the last block."""
    return preset("attention", "last:1")


def saved_by_transformers(base: Path, target: Path, change: Changed, **options: Any) -> Path:
    """The base with a change made in place, as `save_pretrained` writes it."""
    model = AutoModelForCausalLM.from_pretrained(base)
    with torch.no_grad():
        change(model)
    model.save_pretrained(target, **options)
    return target


def trained(plan: FreezePlan, base: Path) -> Changed:
    """Moves what the plan trains, and nothing else."""
    from qwen_ui.freeze import resolve  # noqa: PLC0415

    names = resolve(plan, open_model(str(base))).names

    def change(model: Any) -> None:
        drawn = torch.Generator().manual_seed(1)
        for name, parameter in model.named_parameters():
            if name in names:
                parameter.add_(0.01 * torch.randn(parameter.shape, generator=drawn))

    return change


def save_adapter(base: Path, target: Path, *, inert: bool = False, **settings: Any) -> Path:
    """An adapter on the base, as peft saves it; B is drawn unless it is to be inert."""
    from peft import LoraConfig, get_peft_model  # noqa: PLC0415

    model = AutoModelForCausalLM.from_pretrained(base)
    config = LoraConfig(**{"r": 2, "target_modules": ["q_proj"], "lora_alpha": 4, **settings})
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        adapted = get_peft_model(model, config)
        drawn = torch.Generator().manual_seed(2)
        with torch.no_grad():
            for name, parameter in adapted.named_parameters():
                if parameter.requires_grad and not (inert and "lora_B" in name):
                    parameter.add_(0.05 * torch.randn(parameter.shape, generator=drawn))
        adapted.save_pretrained(str(target))
    return target


def copied(base: Path, target: Path) -> Path:
    shutil.copytree(base, target)
    return target
