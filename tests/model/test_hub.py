"""Hub ids against a server of our own that answers as the hub does."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import ClassVar

import pytest

CONFIG = {
    "model_type": "qwen2",
    "hidden_size": 32,
    "intermediate_size": 64,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "vocab_size": 100,
    "auto_map": {"AutoModelForCausalLM": "evil--model.Model"},
}


class Hub(BaseHTTPRequestHandler):
    """One model, one gated model; everything else is unknown."""

    asked: ClassVar[list[str]] = []

    def do_HEAD(self) -> None:
        self.answer(send_body=False)

    def do_GET(self) -> None:
        self.answer(send_body=True)

    def answer(self, *, send_body: bool) -> None:
        self.asked.append(self.path)
        if self.path.startswith("/someone/secret"):
            return self.refuse(403, "GatedRepo")
        if self.path != "/someone/tiny/resolve/main/config.json":
            return self.refuse(404, "RepoNotFound")
        body = json.dumps(CONFIG).encode()
        self.send_response(200)
        self.send_header("ETag", '"0123456789abcdef"')
        self.send_header("X-Repo-Commit", "a" * 40)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if send_body:
            self.wfile.write(body)

    def refuse(self, status: int, code: str) -> None:
        self.send_response(status)
        self.send_header("X-Error-Code", code)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Quiet."""


@pytest.fixture
def endpoint() -> Iterator[str]:
    Hub.asked.clear()
    server = ThreadingHTTPServer(("127.0.0.1", 0), Hub)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


def inspect(model: str, home: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """The command line in a process of its own: the hub's address is read when it starts."""
    settings = {"HF_HOME": str(home), "HF_HUB_OFFLINE": "0", "HF_HUB_DISABLE_TELEMETRY": "1"}
    return subprocess.run(
        [sys.executable, "-m", "qwen_ui", "inspect", model, "--json"],
        env={**os.environ, **settings, **environment},
        capture_output=True,
        text=True,
        timeout=120,
    )


@pytest.mark.slow
def test_a_hub_id_is_fetched_once_and_found_offline_afterwards(
    tmp_path: Path, endpoint: str
) -> None:
    first = inspect("someone/tiny", tmp_path, HF_ENDPOINT=endpoint)
    assert first.returncode == 0, first.stderr
    assert json.loads(first.stdout)["block_count"] == 2
    assert all(path.endswith("config.json") for path in Hub.asked)  # no weights, no code
    offline = inspect("someone/tiny", tmp_path, HF_ENDPOINT=endpoint, HF_HUB_OFFLINE="1")
    assert json.loads(offline.stdout) == json.loads(first.stdout)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("model", "says"),
    [("someone/unknown", "has no model 'someone/unknown'"), ("someone/secret", "is gated")],
)
def test_what_the_hub_refuses_is_one_sentence(
    tmp_path: Path, endpoint: str, model: str, says: str
) -> None:
    done = inspect(model, tmp_path, HF_ENDPOINT=endpoint)
    assert done.returncode == 2
    assert says in done.stderr
    assert done.stderr.strip().count("\n") == 0


@pytest.mark.slow
def test_without_a_network_the_sentence_says_what_still_opens(tmp_path: Path) -> None:
    done = inspect("someone/tiny", tmp_path, HF_ENDPOINT="http://127.0.0.1:9")
    assert done.returncode == 2
    assert "cannot be reached" in done.stderr
    assert "preset" in done.stderr
