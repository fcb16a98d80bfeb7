"""The Train tab's form and view, without a browser."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from qwen_ui.errors import DataError, SettingsError
from qwen_ui.freeze import FreezePlan, preset
from qwen_ui.paths import ASSETS, home
from qwen_ui.train.runs import RunWriter, create_run
from qwen_ui.ui import charts
from qwen_ui.ui.session import Session
from qwen_ui.ui.train_form import KJV, OWN, intent, latest_run, model_to_train, spec_of

FORM: dict[str, Any] = {
    "data": KJV,
    "upload": None,
    "steps": 60,
    "learning_rate": 0.003,
    "batch_size": 8,
    "sequence_length": 128,
    "eval_every": 20,
    "seed": 0,
    "schedule": "cosine",
    "weight_decay": 0.0,
    "gradient_clip": 1.0,
    "prefix_cache": "auto",
    "dtype": "auto",
    "device": "auto",
    "prompt": " And ",
}


@pytest.fixture(scope="module")
def session() -> Session:
    return Session()


def test_a_model_without_weights_trains_its_twin(session: Session) -> None:
    found = intent(session, "qwen2.5-1.5b-instruct", preset("attention"))
    assert found.model == model_to_train(session, "qwen2.5-1.5b-instruct") == "nano"
    assert "are not on this machine" in found.text
    assert "197,632 of 6,043,776" in found.text


def test_a_plan_has_a_rate_of_its_own(session: Session) -> None:
    bitfit = intent(session, "nano", preset("bitfit")).rate
    attention = intent(session, "nano", preset("attention")).rate
    assert bitfit is not None
    assert attention is not None
    assert bitfit > attention


def test_a_plan_that_trains_nothing_cannot_be_launched(session: Session) -> None:
    found = intent(session, "nano", FreezePlan())
    assert found.rate is None
    assert "trains nothing" in found.text


def test_the_form_becomes_a_spec() -> None:
    spec = spec_of(FORM, "nano", preset("bitfit"))
    assert spec.data == str(ASSETS / "data" / "kjv-train.txt")
    assert spec.eval_data == str(ASSETS / "data" / "kjv-eval.txt")
    assert spec.sample_prompts == ("And",)
    assert FreezePlan.from_dict(spec.plan) == preset("bitfit")


def test_an_uploaded_file_is_kept(tmp_path: Path) -> None:
    file = tmp_path / "mine.txt"
    file.write_text("once upon a time")
    spec = spec_of({**FORM, "data": OWN, "upload": str(file)}, "nano", preset("bitfit"))
    file.unlink()
    assert Path(spec.data).read_text() == "once upon a time"
    assert Path(spec.data).parent == home() / "uploads"
    assert spec.eval_data is None


@pytest.mark.parametrize(
    ("change", "says"),
    [({"steps": 0}, "steps"), ({"steps": None}, "empty"), ({"learning_rate": -1}, "learning_rate")],
)
def test_a_setting_out_of_range_is_a_sentence(change: dict[str, Any], says: str) -> None:
    with pytest.raises(SettingsError, match=says):
        spec_of({**FORM, **change}, "nano", preset("bitfit"))


def test_own_data_without_a_file_is_a_sentence() -> None:
    with pytest.raises(DataError, match="No file was chosen"):
        spec_of({**FORM, "data": OWN}, "nano", preset("bitfit"))


def test_the_run_that_goes_on_is_shown_first() -> None:
    assert latest_run() == ""
    older = create_run({"model": "nano", "steps": 2}, {"name": "older"})
    with RunWriter(older):
        newer = create_run({"model": "nano", "steps": 2}, {"name": "zz"})
        with RunWriter(newer) as run:
            run.status("completed")
        assert latest_run() == older.name


def test_a_poll_brings_only_what_is_new() -> None:
    folder = create_run({"model": "nano", "steps": 1000}, {"name": "a"})
    with RunWriter(folder) as run:
        run.event("start", step=0, steps=1000)
        for step in range(1, 501):
            run.event(
                "step", step=step, loss=3.0, seconds=0.1, elapsed=0.1 * step, tokens=step * 10
            )
        first = charts.poll({"run": folder.name, "offset": 0})
        assert first["step"] == 500
        assert first["remaining"] == pytest.approx(50)
        assert len(first["lines"]["loss"][0]) == 500
        again = {"run": folder.name, "offset": first["offset"], "carry": first["carry"]}
        assert charts.poll(again)["lines"] == {}
        assert charts.poll(again)["step"] == 500
        run.event("step", step=501, loss=2.0, seconds=0.1, elapsed=50.1, tokens=5010)
        assert charts.poll(again)["lines"]["loss"] == ([501], [2.0])


def test_a_poll_after_a_resume_asks_to_begin_again() -> None:
    folder = create_run({"model": "nano", "steps": 9}, {"name": "a"})
    with RunWriter(folder) as run:
        run.event("start", step=0, steps=9)
        offset = charts.poll({"run": folder.name})["offset"]
        assert not charts.poll({"run": folder.name})["again"]
        run.event("start", step=0, steps=9)
        assert charts.poll({"run": folder.name, "offset": offset})["again"]


def test_a_run_that_is_gone_is_a_sentence() -> None:
    assert "There is no run" in charts.poll({"run": "../../etc"})["error"]
    assert "There is no run" in charts.act({"run": "gone", "action": "stop"})["error"]


def test_plotly_is_served_from_the_installed_package() -> None:
    assert charts.plotly_script().is_file()
    assert charts.plotly_script().stat().st_size > 1_000_000
