"""The processes that train together: what they agree on, and what they refuse."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch
from accelerate.state import AcceleratorState

from qwen_ui.engine.accelerator import make_accelerator, make_process_group
from qwen_ui.engine.process_group import ProcessGroup
from qwen_ui.engine.stream.refusal import StreamError
from qwen_ui.errors import ModelError, SettingsError
from qwen_ui.runs import ResourceSettings, create_run, run_folder, run_summary
from qwen_ui.workers import start, wait
from tests.helpers.checkpoint_families import save_family, save_random
from tests.helpers.failing_process import run_failing
from tests.helpers.runs import events_of, losses_of, spec_for, train
from tests.helpers.tiny_families import tiny_configuration
from tests.helpers.two_processes import Stack, first_weight, inputs


def test_one_process_agrees_with_itself() -> None:
    group = ProcessGroup()
    assert (group.any(True), group.any(False)) == (True, False)
    assert (group.all(True), group.all(False)) == (True, False)
    assert float(group.all_reduce_sum(torch.tensor(3.0))) == 3.0


def test_processes_agree_by_asking_every_one() -> None:
    """The other process answers as each case says."""
    for other in (False, True):
        group = ProcessGroup(world_size=2, all_reduce_sum=partial(torch.add, other=float(other)))
        assert [group.any(mine) for mine in (False, True)] == [other, True]
        # `all` asks who fails: the other fails where it answers.
        assert [group.all(mine) for mine in (False, True)] == [False, not other]


def test_what_fails_elsewhere_is_raised_here_by_its_kind() -> None:
    def group(told: str) -> ProcessGroup:
        return ProcessGroup(world_size=2, gather=lambda mine: [mine, told])

    def fail() -> None:
        raise ValueError("mine")

    assert group("").together(lambda: 3) == 3
    with pytest.raises(StreamError, match=r"In process 1 of 2: HRM$"):
        group("stream HRM").together(lambda: 3)
    with pytest.raises(ModelError, match=r"In process 1 of 2: OSError: full$"):
        group("other OSError: full").together(lambda: 3)
    for told in ("", "stream HRM"):
        with pytest.raises(ValueError, match="mine"):
            group(told).together(fail)


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"processes": 2}, "2 processes were asked for and 1 run"),
        ({"sharded": True}, "at least two processes"),
        ({"trackers": ("mlflow",)}, "pip install mlflow"),
    ],
)
def test_what_this_process_cannot_be_is_refused(
    tmp_path: Path, settings: dict[str, Any], says: str
) -> None:
    with pytest.raises(SettingsError, match=says):
        make_accelerator(ResourceSettings(device="cpu", **settings), tmp_path)


def test_a_device_that_is_not_there_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    with pytest.raises(SettingsError, match="'cuda' is not on this machine"):
        make_accelerator(ResourceSettings(device="cuda"), tmp_path)


@pytest.fixture
def fresh_accelerate() -> Iterator[None]:
    """accelerate decides once per process; this test decides anew."""
    AcceleratorState._reset_state(reset_partial_state=True)
    yield
    AcceleratorState._reset_state(reset_partial_state=True)


@pytest.mark.usefixtures("fresh_accelerate")
@pytest.mark.parametrize(("precision", "dtype"), [("no", "float32"), ("bf16", "bfloat16")])
def test_the_group_of_one_process_casts_as_it_was_asked(
    tmp_path: Path, precision: Any, dtype: str
) -> None:
    resources = ResourceSettings(device="cpu", mixed_precision=precision)
    module = torch.nn.Linear(2, 2)
    group = make_process_group(make_accelerator(resources, tmp_path), module)
    assert (group.world_size, group.rank, group.sharded) == (1, 0, False)
    with group.autocast():
        assert str(torch.nn.functional.linear(torch.ones(1, 2), module.weight).dtype)[6:] == dtype


@pytest.mark.slow
def test_two_processes_sum_and_agree(both: list[dict[str, Any]]) -> None:
    for found in both:
        assert found["world_size"] == 2
        assert found["sum"] == 3.0
        assert found["any"] == [False, True, True]
        assert found["all"] == [False, False, True]


@pytest.mark.slow
def test_gradients_are_exchanged_with_the_last_micro_batch_alone(
    both: list[dict[str, Any]],
) -> None:
    for rank, found in enumerate(both):
        assert found["replicated"]["alone"] == pytest.approx(plain_gradient((rank, 0)))
        whole = [(rank, number) for rank in (0, 1) for number in (0, 1)]
        expected = [value / 2 for value in plain_gradient(*whole)]
        assert found["replicated"]["together"] == pytest.approx(expected)


def plain_gradient(*batches: tuple[int, int]) -> list[float]:
    """The first block's gradient of these micro-batches in one process."""
    module = Stack()
    for rank, number in batches:
        module(inputs(rank, number)).backward()
    gradient = first_weight(module).grad
    assert gradient is not None
    return list(gradient.flatten().tolist())


@pytest.mark.slow
@pytest.mark.parametrize("prefix", ["keep", "stream", "off"])
def test_two_processes_give_the_losses_of_one_with_the_double_batch(
    tiny: Path, sentences: Path, prefix: str
) -> None:
    spec = spec_for(tiny, sentences, batch_size=2, processes=2, prefix=prefix)
    together = run_folder(wait(start(spec))["run"])
    alone = train(spec_for(tiny, sentences, batch_size=4, prefix=prefix))
    assert events_of(together, "start")[0]["processes"] == 2
    assert losses_of(together) == pytest.approx(losses_of(alone), rel=1e-5)
    summary, expected = run_summary(together), run_summary(alone)
    assert summary["status"] == "completed"
    assert summary["eval_loss_after"] == pytest.approx(expected["eval_loss_after"], rel=1e-5)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("where", "said"),
    [
        ("proof", "In process 1 of 2: In this model (llama) a token's states depend on later"),
        ("disk", "In process 1 of 2: The outputs of the frozen blocks cannot be written"),
    ],
)
def test_what_fails_in_one_process_ends_the_other_and_is_said(
    sentences: Path, tmp_path: Path, where: str, said: str
) -> None:
    base = save_family(tmp_path / "llama", "llama")
    spec = spec_for(base, sentences, batch_size=2, processes=2, prefix="stream")
    folder = create_run(spec.to_dict(), spec.plan)
    assert run_failing(folder, where) != 0
    summary = run_summary(folder)
    assert summary["status"] == "failed"
    assert said in summary["reason"]


@pytest.mark.slow
def test_two_processes_hold_together_what_cannot_be_streamed(
    sentences: Path, tmp_path: Path
) -> None:
    base = save_random(tmp_path / "hrm", tiny_configuration("hrm_text"))
    spec = spec_for(base, sentences, batch_size=2, processes=2, prefix="auto", layers="last:2")
    folder = create_run(spec.to_dict(), spec.plan)
    assert run_failing(folder, "chosen") == 0
    assert run_summary(folder)["status"] == "completed"
    notes = [event["message"] for event in events_of(folder, "log")]
    assert any("All weights are held" in note for note in notes), notes
