"""Sharded weights (FSDP2): what each process holds, and that training is the same."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from typing import Any

import pytest
import torch

from qwen_ui.engine.delta import read_delta
from qwen_ui.engine.sharding import fill, local, sharded_like, whole
from qwen_ui.runs import RunSpec, run_folder, run_summary
from qwen_ui.workers import start, wait
from qwen_ui.workers.launch_command import launch_command
from tests.helpers.runs import events_of, losses_of, spec_for, train
from tests.helpers.two_processes import REPOSITORY, WIDTH, Stack, first_weight, inputs


def test_what_is_not_sharded_is_whole_and_local() -> None:
    tensor, values = torch.zeros(2, 3), torch.ones(2, 3)
    assert whole(tensor) is tensor
    assert local(tensor) is tensor
    assert torch.equal(sharded_like(tensor, values), values)
    fill(tensor, values)
    assert torch.equal(tensor, values)


@pytest.mark.slow
def test_each_process_holds_half_and_both_see_the_whole(both: list[dict[str, Any]]) -> None:
    weight = first_weight(Stack()).flatten().tolist()
    for found in both:
        assert found["local"] == [WIDTH // 2, WIDTH]
        assert found["whole"] == weight


@pytest.mark.slow
def test_whole_values_are_cut_as_the_target_is(both: list[dict[str, Any]]) -> None:
    values = [float(number) for number in range(WIDTH * WIDTH)]
    half = len(values) // 2
    assert [found["like"] for found in both] == [values[:half], values[half:]]
    assert [found["filled"] for found in both] == [values, values]


@pytest.mark.slow
def test_the_prefix_and_generation_run_outside_a_forward_pass(both: list[dict[str, Any]]) -> None:
    module, x = Stack(), inputs(0, 0)
    for found in both:
        assert found["prefix"] == pytest.approx(module.run_prefix(x).flatten().tolist())
        assert found["generated"] == pytest.approx(module.generate(x).flatten().tolist())


@pytest.mark.slow
def test_gradients_are_those_of_replicated_weights(both: list[dict[str, Any]]) -> None:
    for found in both:
        assert found["sharded"]["together"] == pytest.approx(found["replicated"]["together"])


@pytest.mark.slow
@pytest.mark.parametrize("plan", ["attention", pytest.param("full", marks=pytest.mark.long)])
def test_sharded_weights_give_the_losses_of_one_process(
    tiny: Path, sentences: Path, plan: str
) -> None:
    values = {"eval_every": 3, "checkpoint_every": 4, "gradient_accumulation_steps": 2}
    spec = spec_for(tiny, sentences, plan, batch_size=2, processes=2, sharded=True, **values)
    together = run_folder(wait(start(spec))["run"])
    alone = train(spec_for(tiny, sentences, plan, batch_size=4, **values))
    expected = losses_of(alone)
    assert losses_of(together) == pytest.approx(expected, rel=1e-5)
    summary, alike = run_summary(together), run_summary(alone)
    assert summary["status"] == "completed"
    assert summary["prefix_blocks"] == alike["prefix_blocks"]
    assert summary["eval_loss_after"] == pytest.approx(alike["eval_loss_after"], rel=1e-5)
    ours = read_delta(together / "delta.safetensors").tensors
    theirs = read_delta(alone / "delta.safetensors").tensors
    assert ours.keys() == theirs.keys()
    for name, tensor in theirs.items():
        torch.testing.assert_close(ours[name], tensor, rtol=1e-3, atol=1e-5)
    if plan == "attention":
        work_together(spec, together)  # goes on from the checkpoint of step 4
        assert [event["step"] for event in events_of(together, "step")] == [1, 2, 3, 4, 5, 6, 5, 6]
        assert losses_of(together)[6:] == pytest.approx(expected[4:], rel=1e-5)


def work_together(spec: RunSpec, folder: Path) -> None:
    """Run the workers of this run again, in two processes."""
    launch = launch_command(spec, folder)
    paths = {"PYTHONPATH": str(REPOSITORY), "OMP_NUM_THREADS": "1"}
    environment = {**os.environ, **launch.environment, **paths}
    # A deadlock of two processes would hang for ever.
    subprocess.run(launch.command, env=environment, check=False, capture_output=True, timeout=240)
