"""What a run is judged by does not depend on its training seed."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from qwen_ui.engine import set_up
from qwen_ui.engine.setup import bfloat16_note
from qwen_ui.errors import SettingsError
from qwen_ui.model import open_model
from qwen_ui.model.weights import training_dtype
from tests.helpers.runs import spec_for


def test_runs_of_all_seeds_are_judged_by_the_same_samples(
    tiny: Path, sentences: Path, tmp_path: Path
) -> None:
    runs = [
        set_up(spec_for(tiny, sentences, "attention", seed=seed, split_seed=split), tmp_path)
        for seed, split in ((0, 0), (1, 0), (0, 1))
    ]
    held_out = [run.data.evaluation.fingerprint for run in runs]
    assert held_out[0] == held_out[1] != held_out[2]
    losses = [run.loop.evaluate().loss for run in runs]
    assert losses[0] == losses[1] != losses[2]
    batches = [run.loop._order.batch(0) for run in runs]
    assert batches[0] != batches[1]


def test_a_gpu_without_bfloat16_trains_in_float32_and_says_so(
    tiny: Path, sentences: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A T4 emulates bfloat16: torch says that it is supported unless it is asked exactly."""
    anatomy, gpu = open_model("qwen2.5-1.5b-instruct"), torch.device("cuda")
    native = {"including_emulation": False}
    for supported in (True, False):
        monkeypatch.setattr(
            torch.cuda,
            "is_bf16_supported",
            lambda supported=supported, **asked: supported or asked != native,
        )
        dtype = torch.bfloat16 if supported else torch.float32
        assert training_dtype("auto", anatomy, gpu) == dtype
        said = bfloat16_note(spec_for(tiny, sentences, "attention"), anatomy, gpu)
        assert said == (
            ""
            if supported
            else "This GPU does not compute in bfloat16, so the weights are held in float32."
        )
    for asked in ({"dtype": "bfloat16"}, {"mixed_precision": "bf16"}):
        with pytest.raises(SettingsError, match="does not compute in bfloat16"):
            bfloat16_note(spec_for(tiny, sentences, "attention", **asked), anatomy, gpu)
    assert training_dtype("auto", anatomy, torch.device("cpu")) == torch.float32
