"""What every test stands on: no hub, no telemetry, a home folder of its own, few threads."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

# Before any import of the libraries that read them.
os.environ["HF_HUB_OFFLINE"] = "1"
os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
# Tests share the processor with browsers, dashboards and workers; see `process.child_environment`.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

REPOSITORY = Path(__file__).resolve().parent.parent


@pytest.fixture(autouse=True)
def home_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Runs, prefixes and settings of a test lie in its own folder, its workers' too."""
    home = tmp_path / "home"
    monkeypatch.setenv("QWEN_UI_HOME", str(home))
    return home
