"""Quantized weights that are read a part at a time are those that transformers makes plain."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from qwen_ui.errors import ModelError
from qwen_ui.model import open_model
from qwen_ui.model.weights import (
    PiecewiseModel,
    check_weights,
    load_model,
    refuse_untrainable,
    weights_of,
)
from tests.helpers.checkpoint_families import change_config, save_family
from tests.helpers.quantized_models import FORMS, plainly, save_quantized

CPU = torch.device("cpu")


@pytest.mark.parametrize("form", FORMS)
def test_blocks_and_the_whole_are_what_transformers_makes_plain(form: str, tmp_path: Path) -> None:
    folder = save_quantized(tmp_path / "quantized", form)
    expected = plainly(folder, form).state_dict()
    anatomy = open_model(str(folder))
    found = check_weights(anatomy, weights_of(anatomy))
    assert found.fits, found.sentence
    assert "read as plain numbers" in found.sentence
    assert set(expected) == {name for p in anatomy.parameters for name in p.names}
    pieces = PiecewiseModel(folder, anatomy, torch.float32, CPU)
    for index in range(anatomy.block_count):
        inside = pieces.inside(f"{anatomy.stack}.{index}")
        with pieces.here(inside):
            for name in inside:
                assert torch.equal(pieces.model.get_parameter(name), expected[name]), name
    held = load_model(folder, anatomy, torch.float32).state_dict()
    assert all(torch.equal(held[name], tensor) for name, tensor in expected.items())


def test_a_form_that_stays_packed_is_refused_by_its_name(tmp_path: Path) -> None:
    folder = save_family(tmp_path, "llama")
    anatomy = open_model(
        str(change_config(folder, quantization_config={"quant_method": "awq", "bits": 4}))
    )
    with pytest.raises(ModelError, match=r"quantized \(awq\).*one in fp8, in mxfp4"):
        refuse_untrainable(anatomy)


def test_without_bitsandbytes_its_forms_are_refused_with_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = save_family(tmp_path, "llama")
    anatomy = open_model(str(change_config(folder, quantization_config={"load_in_4bit": True})))
    refuse_untrainable(anatomy)
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(ModelError, match="pip install bitsandbytes"):
        refuse_untrainable(anatomy)
