"""`apply` on the command line."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from transformers import AutoModelForCausalLM

from qwen_ui.engine.delta import write_delta
from qwen_ui.model import open_model
from qwen_ui.model.weights import folder_fingerprint
from tests.helpers.commands import record, run


def test_apply_puts_a_delta_on_its_base(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    weights = open_model("nano").weights_folder
    assert weights is not None
    name, file = "model.layers.27.self_attn.q_proj.bias", tmp_path / "delta.safetensors"
    trained = {name: torch.full((128,), 0.25)}
    write_delta(file, trained, base=folder_fingerprint(weights), plan={}, spec={}, step=1)
    whole = tmp_path / "whole"
    found = record(["apply", str(file), "--base", "nano", "-o", str(whole)], capsys)
    assert (found["tensors"], found["parameters"]) == (1, 128)
    model = AutoModelForCausalLM.from_pretrained(whole)
    assert torch.equal(model.get_parameter(name), trained[name])
    write_delta(file, trained, base="of others", plan={}, spec={}, step=1)
    code, _, err = run(["apply", str(file), "--base", "nano", "-o", str(tmp_path / "n")], capsys)
    assert code == 2
    assert "other weights" in err
