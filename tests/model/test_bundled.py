"""The shipped anatomies are what building the models gives."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from qwen_ui.model import bundled, open_model, preset_models, unreached
from qwen_ui.model.opening import build_anatomy
from qwen_ui.model.reach_tracing import unreached_by_text


@pytest.mark.parametrize("name", preset_models())
def test_a_bundled_anatomy_equals_the_built_one(name: str) -> None:
    found, built = bundled.bundled_anatomy(name), build_anatomy(name)
    assert found == built
    assert found is not None
    assert json.dumps(found.config) == json.dumps(built.config)
    assert found.kinds == built.kinds
    assert found.configuration.to_dict() == built.configuration.to_dict()


@pytest.mark.parametrize("name", preset_models())
def test_text_reaches_all_of_a_shipped_model(name: str) -> None:
    assert unreached(open_model(name)) == unreached_by_text(build_anatomy(name)) == frozenset()


def test_a_bundled_anatomy_of_another_version_is_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    assert bundled.bundled_anatomy("nano") is not None
    monkeypatch.setattr(bundled, "version", lambda _: "0.0")
    assert bundled.bundled_anatomy("nano") is None
    assert open_model("nano").total_parameters > 0


def test_a_preset_opens_without_torch() -> None:
    code = (
        "import sys; from qwen_ui.model import open_model; from qwen_ui.freeze import resolve, "
        "preset; s = resolve(preset('bitfit'), open_model('qwen2.5-1.5b-instruct')); "
        "print(s.trainable_parameters, s.summary, 'torch' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.startswith("8192 Trains 8,192 of 1,543,714,304")
    assert done.stdout.split()[-1] == "False"
