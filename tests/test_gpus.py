"""GPUs as the driver tells of them; the driver is a stand-in."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from qwen_ui.gpus import driver, list_gpus, read_gpus
from tests.helpers.fake_driver import GIGABYTE, FakeGpu, install

REPOSITORY = Path(__file__).resolve().parent.parent
ONE = FakeGpu("GPU-1aaa", free=1 * GIGABYTE)
TWO = FakeGpu("GPU-2bbb", free=23 * GIGABYTE, celsius=None, watts=None)
OLD = FakeGpu("GPU-3ccc", name="Tesla T4", capability=(7, 5))


def test_without_a_driver_there_are_no_gpus() -> None:
    if Path("/dev/nvidiactl").exists():
        pytest.skip("this machine has a driver")
    driver.cache_clear()
    assert list_gpus() == ()
    assert read_gpus(["GPU-1aaa"]) == []


def test_a_gpu_is_named_as_nvidia_smi_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    install(monkeypatch, ONE, OLD)
    first, second = list_gpus()
    assert first.label == "GPU 0, NVIDIA GeForce RTX 4090"
    assert (first.free_bytes, first.total_bytes) == (1 * GIGABYTE, 24 * GIGABYTE)
    assert (first.has_bfloat16, second.has_bfloat16) == (True, False)


@pytest.mark.parametrize(
    ("named", "found"),
    [
        ("1", [1]),
        ("1,0", [1, 0]),
        ("GPU-3", [2]),
        ("GPU-2bbb, 0", [1, 0]),
        ("", []),
        ("-1", []),
        ("0,9,1", [0]),
        ("GPU-", []),
    ],
)
def test_only_gpus_that_cuda_would_show_are_used(
    monkeypatch: pytest.MonkeyPatch, named: str, found: list[int]
) -> None:
    install(monkeypatch, ONE, TWO, OLD)
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", named)
    assert [gpu.index for gpu in list_gpus()] == found


def test_a_lost_gpu_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    install(monkeypatch, FakeGpu("GPU-1", lost=True), TWO)
    assert [gpu.uuid for gpu in list_gpus()] == ["GPU-2bbb"]


def test_a_gpu_that_is_cut_up_is_its_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    parts = (FakeGpu("MIG-a", total=10 * GIGABYTE), FakeGpu("MIG-b", total=20 * GIGABYTE))
    install(monkeypatch, FakeGpu("GPU-1", parts=parts), TWO)
    assert [(gpu.uuid, gpu.index) for gpu in list_gpus()] == [
        ("MIG-a", 0),
        ("MIG-b", 0),
        ("GPU-2bbb", 1),
    ]


def test_a_sensor_that_a_card_lacks_is_left_open(monkeypatch: pytest.MonkeyPatch) -> None:
    install(monkeypatch, ONE, TWO)
    hot, silent = read_gpus(["GPU-1aaa", "GPU-2bbb", "GPU-gone"])
    assert (hot.busy_percent, hot.celsius, hot.watts) == (50, 61, 250)
    assert (silent.used_bytes, silent.celsius, silent.watts) == (1 * GIGABYTE, None, None)


# A machine with two GPUs, as far as torch and our driver say, on which nothing may ask CUDA. The
# question whether there is a GPU, which a `FakeTensorMode` asks, is answered by the driver too.
NO_CUDA = """
from qwen_ui.ui.dashboard import set_environment

set_environment()
import torch
from qwen_ui import gpus
from tests.helpers.fake_driver import FakeDriver, FakeGpu

def refuse(*_, **__):
    raise AssertionError("CUDA was called")

def asks_the_driver():
    assert torch.cuda._nvml_based_avail()
    return 2

torch.cuda.device_count = asks_the_driver
torch.cuda.is_available = lambda: asks_the_driver() > 0
makes_a_context = "_lazy_init current_device mem_get_info get_device_name get_device_properties"
for name in (makes_a_context + " get_device_capability is_bf16_supported init").split():
    assert hasattr(torch.cuda, name), name
    setattr(torch.cuda, name, refuse)
driver = FakeDriver(FakeGpu("GPU-1"), FakeGpu("GPU-2"))
gpus.driver = lambda: driver
"""
SERVED = """
import json, os, urllib.request
from qwen_ui.freeze import StepSettings, preset, resolve
from qwen_ui.ui.page import Session, build_app
from qwen_ui.ui.freeze.prices import found_memory, price_record, worker_settings
from qwen_ui.workers import Supervisor, find_devices

demo = build_app(Session())
Supervisor().round()
_, address, _ = demo.launch(server_name="127.0.0.1", prevent_thread_lock=True, quiet=True)
with urllib.request.urlopen(address + "config") as answer:
    assert answer.status == 200
assert find_devices().label == "GPU 0, NVIDIA GeForce RTX 4090"
assert find_devices("cpu").free_bytes
assert found_memory().bytes == 24e9
anatomy = Session().anatomy("nano")
selection = resolve(preset("attention", "last:2"), anatomy)
price_record(selection, worker_settings(StepSettings(batch_size=1, sequence_length=32), anatomy))
demo.close()
"""
IMPORTED = """
from importlib import import_module
from qwen_ui.workers.fork_server import PRELOADED, asked_a_driver

for module in PRELOADED:
    import_module(module)
assert not asked_a_driver()
"""


@pytest.mark.slow
@pytest.mark.parametrize("code", [SERVED, IMPORTED], ids=["the dashboard", "the fork server"])
def test_a_process_that_may_have_no_context_never_asks_cuda(code: str) -> None:
    command = [sys.executable, "-c", NO_CUDA + code]
    done = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
