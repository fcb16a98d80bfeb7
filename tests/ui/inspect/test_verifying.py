"""The page's verifications: each in a process, stopped where it is no longer wanted."""

from __future__ import annotations

import gc
from pathlib import Path

import pytest

from qwen_ui.errors import ModelError, SettingsError
from qwen_ui.freeze import preset
from qwen_ui.ui.inspect.verify_process import Verifications
from qwen_ui.ui.inspect.verifying import _shortened
from tests.helpers.checkpoint_families import change_weights, save_family
from tests.helpers.waiting import until
from tests.verify.conftest import copied

NAME = "model.layers.1.mlp.up_proj.weight"


def test_a_process_compares_and_can_be_stopped(tmp_path: Path) -> None:
    base = save_family(tmp_path / "base", "qwen2")
    tuned = change_weights(copied(base, tmp_path / "tuned"), lambda w: w | {NAME: w[NAME] * 2})
    held = Verifications()
    assert held.latest(str(base)) == {}
    key = held.begin(str(base), str(tuned), preset("attention", "last:1").to_json())
    assert held.latest(str(base)) == {"key": key, "tuned": str(tuned)}
    assert held.latest("nano") == {}
    with pytest.raises(SettingsError, match="under way"):
        held.begin(str(base), str(tuned))
    until(lambda: "record" in held.state(key), 120)
    record = held.state(key)["record"]
    assert record["frozen_but_changed"] == [NAME]
    assert NAME in held.report(key)
    short = _shortened(record)
    assert short["counts"]["unchanged"] == 49
    assert short["unchanged"] == []
    stopped = held.begin(str(base), str(tuned))
    assert held.latest(str(base))["key"] == stopped
    held.stop(stopped)
    assert held.state(stopped) == {"stopped": True}
    # What begins like an option is a name.
    wrong = held.begin(str(base), "--help")
    until(lambda: ended(held, wrong), 120)
    with pytest.raises(ModelError, match="There is no checkpoint '--help'"):
        held.state(wrong)


def ended(held: Verifications, key: str) -> bool:
    try:
        return "percent" not in held.state(key)
    except ModelError:
        return True


def test_what_is_gone() -> None:
    held = Verifications()
    with pytest.raises(ModelError, match="is gone"):
        held.state("0" * 16)


def test_nothing_is_left_behind(tmp_path: Path) -> None:
    """When the dashboard ends, its process is ended and what it wrote is gone."""
    base = save_family(tmp_path / "base", "qwen2")
    held = Verifications()
    held.begin(str(base), str(base))
    (one,) = held._held.values()
    assert one.process.poll() is None
    assert one.folder.is_dir()
    del held
    gc.collect()
    assert one.process.poll() is not None
    assert not one.folder.exists()
