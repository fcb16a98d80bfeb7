"""How far the loading of weights is, as transformers tells of it."""

from __future__ import annotations

import torch
from transformers.utils import logging

from qwen_ui.model import open_model
from qwen_ui.model.weights import load_model, weights_folder


def test_loading_is_told_parameter_by_parameter_and_ends_at_all_of_them() -> None:
    nano = open_model("nano")
    told: list[tuple[int, int]] = []
    load_model(
        weights_folder(nano),
        nano,
        torch.float32,
        tell=lambda done, total: told.append((done, total)),
    )
    assert len(told) == len(nano.parameters)
    done = [part for part, _ in told]
    assert done == sorted(done)
    assert told[-1] == (nano.total_parameters, nano.total_parameters)
    assert logging.set_tqdm_hook(None) is None, "the hook is gone again"
