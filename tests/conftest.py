"""What every test stands on: no hub, no telemetry, a home folder of its own, few threads."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import settings

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerFast

    from qwen_ui.model import Anatomy

# Before any import of the libraries that read them.
os.environ["HF_HUB_OFFLINE"] = "1"
os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
# Tests share the processor with browsers, dashboards and workers; see `workers.processes`.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

# A busy machine is slow, not wrong: examples have no deadline. A failure is printed to be repeated.
settings.register_profile("project", deadline=None, print_blob=True)
settings.load_profile("project")


@pytest.fixture(autouse=True)
def home_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Runs, prefixes and settings of a test lie in its own folder, its workers' too."""
    home = tmp_path / "home"
    monkeypatch.setenv("QWEN_UI_HOME", str(home))
    return home


@pytest.fixture(scope="session")
def qwen() -> Anatomy:
    """Qwen2.5-1.5B-Instruct, weightless."""
    from qwen_ui.model import open_model  # noqa: PLC0415  many tests need no torch

    return open_model("qwen2.5-1.5b-instruct")


@pytest.fixture(scope="session")
def tokenizer() -> PreTrainedTokenizerFast:
    """One token a byte, and Qwen's special tokens."""
    from tests.helpers.tiny_models import byte_tokenizer  # noqa: PLC0415

    return byte_tokenizer()


@pytest.fixture(scope="session")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a 4-block Qwen2 in float32."""
    from tests.helpers.tiny_models import save_model  # noqa: PLC0415

    return save_model(tmp_path_factory.mktemp("tiny"), "qwen2")


@pytest.fixture(scope="session")
def sentences(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Twenty texts of different lengths, as jsonl."""
    from tests.helpers.tiny_models import write_sentences  # noqa: PLC0415

    return write_sentences(tmp_path_factory.mktemp("data") / "sentences.jsonl")


@pytest.fixture(scope="session")
def forked_workers() -> Iterator[None]:
    """Workers are forked, as the dashboard's are; it saves each its imports."""
    from qwen_ui.workers import spawn  # noqa: PLC0415

    spawn.preload()
    yield
    spawn._fork_server.stop()


@pytest.fixture
def step_worker(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Workers that only write a run, without a model; none is left at the end."""
    from qwen_ui.paths import runs_folder  # noqa: PLC0415
    from qwen_ui.runs import run_names  # noqa: PLC0415
    from qwen_ui.workers import processes, worker_pid  # noqa: PLC0415

    monkeypatch.setattr(processes, "WORKER", "tests.helpers.step_worker")
    yield
    for name in run_names():
        pid = worker_pid(runs_folder() / name)
        if pid is not None:
            processes.end_tree(pid)
