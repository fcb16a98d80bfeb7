"""What a run is judged by does not depend on its training seed."""

from __future__ import annotations

from pathlib import Path

from qwen_ui.engine import set_up
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
