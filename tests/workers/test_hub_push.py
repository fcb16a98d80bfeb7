"""A push to a hub-like server on loopback: files, card, and a push that was cut off."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from huggingface_hub import ModelCard
from huggingface_hub.errors import HfHubHTTPError
from safetensors.torch import load
from transformers import AutoModelForCausalLM

from qwen_ui.errors import SettingsError
from qwen_ui.paths import home
from qwen_ui.workers import hub_push
from tests.helpers.fake_hub import TOKEN, FakeHub
from tests.helpers.runs import spec_for, train
from tests.helpers.waiting import until

WITHOUT_TOKEN = ("HF_TOKEN", "HUGGING_FACE_HUB_TOKEN")


@pytest.fixture
def hub() -> Iterator[FakeHub]:
    made = FakeHub()
    yield made
    made.close()


def pushing(hub: FakeHub, *words: str, token: str = TOKEN) -> subprocess.Popen[str]:
    """The command `push` in a process that believes this server to be the hub."""
    environment = {k: v for k, v in os.environ.items() if k not in WITHOUT_TOKEN}
    environment |= {
        "HF_ENDPOINT": hub.url,
        "HF_HUB_OFFLINE": "0",
        "HF_HUB_DISABLE_XET": "1",
        "HF_HUB_DISABLE_PROGRESS_BARS": "1",
        "HF_HOME": str(home() / "hf"),
        **({"HF_TOKEN": token} if token else {}),
    }
    return subprocess.Popen(
        [sys.executable, "-m", "qwen_ui", "push", *words],
        env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip


@pytest.mark.long
def test_a_merged_model_arrives_after_a_cut_with_its_card(
    hub: FakeHub, tiny: Path, sentences: Path
) -> None:
    (tiny / "README.md").write_text("---\nlicense: apache-2.0\n---\n# Tiny\n")
    folder = train(spec_for(tiny, sentences, steps=2))
    words = (folder.name, "--repo", "me/tiny-attention", "--merged")
    tokenizer = hashlib.sha256((tiny / "tokenizer.json").read_bytes()).hexdigest()
    hub.held = _AllBut(tokenizer)
    first = pushing(hub, *words)
    try:
        assert hub.holding.wait(120)
        until(lambda: tokenizer in hub.objects, 60)
    finally:
        first.kill()
        told = first.communicate()
    assert hub.repos["me/tiny-attention"] == {"private": True, "files": {}}, told
    hub.held = set()
    hub.sent.clear()

    out, err = (second := pushing(hub, *words)).communicate(timeout=240)
    assert second.returncode == 0, err
    assert f"{hub.url}/me/tiny-attention" in out
    assert TOKEN not in out + err
    files = hub.repos["me/tiny-attention"]["files"]
    weights = hashlib.sha256(files["model.safetensors"]).hexdigest()
    assert hub.sent == [weights]  # what had arrived was not sent again
    assert {"README.md", "config.json", "plan.json", "spec.json", "tokenizer.json"} <= files.keys()
    assert not (home() / "push" / f"{folder.name}-merged").exists()
    assert not any(TOKEN in file.read_text(errors="replace") for file in home().rglob("*.json"))

    card = ModelCard(files["README.md"].decode())
    assert card.data.get("license") == "apache-2.0"
    assert card.data.get("library_name") == "transformers"
    for said in ("eval loss after", "attention", "sentences.jsonl", "python -m qwen_ui train"):
        assert said in card.text
    target = home() / "downloaded"
    target.mkdir()
    for name, content in files.items():
        (target / name).write_bytes(content)
    model = AutoModelForCausalLM.from_pretrained(target)
    delta = load((folder / "delta.safetensors").read_bytes())
    assert all(torch.equal(model.get_parameter(name), value) for name, value in delta.items())


class _AllBut(set[str]):
    """Every hash but one."""

    def __init__(self, one: str) -> None:
        super().__init__()
        self._one = one

    def __contains__(self, value: object) -> bool:
        return value != self._one


def test_what_is_put_together_of_a_delta_and_of_adapters(tiny: Path, sentences: Path) -> None:
    def names(folder: Path) -> set[str]:
        return {file.name for file in folder.iterdir()}

    run = train(spec_for(tiny, sentences, "bitfit", steps=1)).name
    folder = hub_push.staged(run, "me/x", merged=False, tell=lambda _: None)
    assert names(folder) == {"README.md", "delta.safetensors", "plan.json", "spec.json"}
    card = ModelCard.load(folder / "README.md")
    assert card.data.get("license") in (None, "apache-2.0")
    assert "weights[name].copy_(value)" in card.text
    assert "| eval loss after | " in card.text


@pytest.mark.parametrize("repo", ["", "a/b/c", "../x", "a--b", "with space", "x" * 200])
def test_a_name_that_is_no_repository_s_is_refused(repo: str) -> None:
    with pytest.raises(SettingsError, match="not a repository's name"):
        hub_push.check_repo(repo)


def test_no_token_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hub_push, "get_token", lambda: None)
    with pytest.raises(SettingsError, match="hf auth login"):
        hub_push.push("any", "me/x", merged=False, public=False)


@pytest.mark.parametrize(
    ("status", "said"), [(403, "does not let this token write"), (500, "refused the push of me/x")]
)
def test_what_the_hub_refuses_is_said(status: int, said: str) -> None:
    response: Any = SimpleNamespace(status_code=status, headers={}, request=None)
    assert said in hub_push._refused("me/x", HfHubHTTPError("no", response=response))


def test_a_hub_that_may_not_be_asked_is_said(
    tiny: Path, sentences: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hub_push, "get_token", lambda: TOKEN)
    run = train(spec_for(tiny, sentences, steps=1)).name
    with pytest.raises(SettingsError, match="HF_HUB_OFFLINE is set"):
        hub_push.push(run, "me/x", merged=False, public=False)

    def cut(*_: object, **__: object) -> None:
        raise ConnectionError("reset")

    monkeypatch.setattr("huggingface_hub.HfApi.create_repo", cut)
    with pytest.raises(SettingsError, match=r"cut off \(reset\). Push again"):
        hub_push.push(run, "me/x", merged=False, public=False)
    assert (home() / "push" / f"{run}-delta").is_dir()
