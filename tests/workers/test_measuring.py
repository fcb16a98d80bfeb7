"""What the machine does while a run trains, read beside its steps."""

from __future__ import annotations

import pytest

from qwen_ui.gpus import GpuReading
from qwen_ui.runs import Event, create_run, csv_of, fold_run, lines_of
from qwen_ui.workers import measuring
from qwen_ui.workers.measuring import MeasuringWriter, gpu_figures
from tests.helpers.fake_driver import GIGABYTE, FakeGpu, install
from tests.helpers.step_runs import PLAN, spec


def readings(device: str, processes: int = 1) -> list[Event]:
    folder = create_run(spec(), PLAN)
    with MeasuringWriter(folder) as writer:
        writer.event("start", step=0, device=device, processes=processes)
        for step in (1, 2):
            writer.event("step", step=step, loss=2.0, tokens=step * 10, elapsed=step * 1.0)
        writer.event("end", status="completed")
    return fold_run(folder).machine


@pytest.fixture
def _at_every_step(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(measuring, "READING_SECONDS", 0.0)


@pytest.mark.usefixtures("_at_every_step")
def test_a_run_on_a_gpu_records_that_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    used = FakeGpu("GPU-used", free=4 * GIGABYTE, busy=97)
    install(monkeypatch, FakeGpu("GPU-other"), used)
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "GPU-used")
    first, _ = readings("cuda")
    told = {name: first[name] for name in ("busy_percent", "used_bytes", "celsius", "watts")}
    assert told == {"busy_percent": 97, "used_bytes": 20 * GIGABYTE, "celsius": 61, "watts": 250}


@pytest.mark.usefixtures("_at_every_step")
def test_a_run_on_the_cpu_records_processor_and_memory() -> None:
    found = readings("cpu")
    assert [reading["step"] for reading in found] == [1, 2]
    assert all(0 <= reading["busy_percent"] <= 100 for reading in found)
    assert all(reading["used_bytes"] > GIGABYTE / 10 for reading in found)
    assert "watts" not in found[0]


def test_steps_that_follow_quickly_are_not_all_measured() -> None:
    assert readings("cpu") == []


def test_several_gpus_are_one_figure_which_no_card_is_missing_from() -> None:
    cool, hot = GpuReading(40, 10, 50, 100), GpuReading(60, 20, 70, None)
    figures = gpu_figures([cool, hot])
    assert figures == {"busy_percent": 50, "used_bytes": 30, "celsius": 70}


@pytest.mark.usefixtures("_at_every_step")
def test_readings_are_lines_and_rows_of_the_csv_file() -> None:
    folder = create_run(spec(), PLAN)
    with MeasuringWriter(folder) as writer:
        writer.event("start", step=0, device="cpu")
        writer.event("step", step=1, loss=2.0, tokens=10, elapsed=3.0)
    fold = fold_run(folder)
    assert lines_of(fold, axis="elapsed")["busy_percent"][0] == [3.0]
    assert lines_of(fold)["watts"] == ([], [])
    head, *rows = (line.split(",") for line in csv_of(fold).splitlines())
    assert [bool(row[head.index("used_bytes")]) for row in rows] == [False, True]
