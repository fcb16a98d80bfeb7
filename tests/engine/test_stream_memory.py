"""A model that a process has no room for trains there, its frozen blocks read one by one."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import transformers as t

from qwen_ui.model.weights import read_weights
from tests.helpers.checkpoint_families import save_random

MB = 1024**2
# What a run maps beside its weights: buffers, stacks of threads, the outputs between two blocks.
ROOM = 120 * MB


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model of 22 blocks in one file of about 190 MB."""
    return save_random(
        tmp_path_factory.mktemp("large"),
        t.LlamaConfig(
            vocab_size=320, hidden_size=384, intermediate_size=1536, num_hidden_layers=22,
            num_attention_heads=4, num_key_value_heads=2, head_dim=96, tie_word_embeddings=True,
        ),
    )  # fmt: skip


def limited(model: Path, data: Path, out: Path, prefix: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "tests.helpers.limited_stream", str(model), str(data)]
    # Each thread's heap would reserve 64 MB of addresses, used or not.
    kept = {"QWEN_UI_HOME": str(out / "home"), "MALLOC_ARENA_MAX": "1", "OMP_NUM_THREADS": "1"}
    return subprocess.run(
        [*command, str(out), prefix, str(ROOM)],
        env=os.environ | kept,
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="the limit on addresses is Linux's")
def test_a_model_trains_where_its_weights_cannot_be_mapped(
    large: Path, sentences: Path, tmp_path: Path
) -> None:
    assert sum(file.stat().st_size for file in large.glob("*.safetensors")) > 1.4 * ROOM
    assert len({tensor.file for tensor in read_weights(large).tensors.values()}) == 1
    (tmp_path / "stream").mkdir()
    streamed = limited(large, sentences, tmp_path / "stream", "stream")
    assert streamed.returncode == 0, streamed.stderr[-2000:]
    assert len(json.loads(streamed.stdout.splitlines()[-1])) == 2
    (tmp_path / "keep").mkdir()
    held = limited(large, sentences, tmp_path / "keep", "keep")
    assert held.returncode != 0
    assert "memory" in held.stderr.lower(), held.stderr[-2000:]
