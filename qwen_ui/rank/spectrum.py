"""Importance by the weights alone: how far each matrix's spectrum stands out of noise."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch

from qwen_ui.data import Batch
from qwen_ui.model import Anatomy
from qwen_ui.model.libraries import PreTrainedModel
from qwen_ui.rank.blocks import Here, held
from qwen_ui.rank.scores import Cells, Progress, Scores, scores_of


def weight_pass(
    model: PreTrainedModel,
    anatomy: Anatomy,
    batches: Sequence[Batch],
    on_progress: Progress,
    here: Here = held,
) -> dict[str, Scores]:
    """`weight`: the signal-to-noise ratio of every matrix; reads no data."""
    cells: Cells = {}
    unranked: dict[str, None] = {}
    parameters = [p for p in anatomy.parameters if p.block is not None]
    done = 0
    for block in anatomy.blocks:
        with here(block.index):
            for parameter in (p for p in parameters if p.block == block.index):
                ratio = math.inf
                if len(parameter.shape) == 2:
                    ratio = signal_to_noise(model.get_parameter(parameter.name).detach())
                if math.isfinite(ratio):
                    cells[block.index, parameter.kind] = ratio
                else:
                    unranked[parameter.kind] = None
                done += 1
                on_progress(done, len(parameters))
    return {"weight": scores_of(cells, anatomy.block_count, "relative", tuple(unranked))}


def signal_to_noise(weight: torch.Tensor) -> float:
    """Spectrum's ratio for one matrix (n, m); infinite where no singular value counts as noise."""
    values = torch.linalg.svdvals(weight.double())
    upper, lower = torch.quantile(values, 0.75), torch.quantile(values, 0.25)
    # The spread of the middle half of a normal distribution is 1.349 standard deviations.
    sigma = (upper - lower) / 1.349
    beta = min(weight.shape) / max(weight.shape)
    bound = sigma * (1 + math.sqrt(beta))
    noise = float(values[values <= bound].sum())
    if noise == 0 or float(values[0]) == 0:
        return math.inf
    return float(values[values > bound].sum()) / noise / float(values[0])
