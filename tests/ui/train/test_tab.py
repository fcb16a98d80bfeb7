"""The Train tab's form and view, without a browser."""

from __future__ import annotations

import json
import re
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest

from qwen_ui.errors import DataError, RunError, SettingsError
from qwen_ui.formats import unbroken
from qwen_ui.freeze import FreezePlan, preset
from qwen_ui.paths import ASSETS, home, runs_folder
from qwen_ui.runs import RunWriter, create_run, read_spec, run_names, status_of
from qwen_ui.ui.page import run_view as charts
from qwen_ui.ui.page.data_check import check_choice
from qwen_ui.ui.page.data_choice import KJV, OWN
from qwen_ui.ui.page.keep_choice import AUSTEN, GENERAL, NONE, kept_text_file, suited
from qwen_ui.ui.page.run_actions import act
from qwen_ui.ui.page.session import Session
from qwen_ui.ui.page.stand_in import trained_model
from qwen_ui.ui.train.form import (
    intent,
    latest_run,
    rate_found,
    spec_of,
    waits_for,
)
from qwen_ui.ui.train.machines import written
from qwen_ui.ui.train.preview import shown_data
from qwen_ui.ui.train.price import needs, price_html
from qwen_ui.ui.train.settings import Settings
from qwen_ui.ui.train.tab import linked_or_latest_run

FORM: dict[str, Any] = {
    "data": KJV,
    "upload": None,
    "eval_upload": None,
    "columns": "",
    "keep": AUSTEN,
    "keep_upload": None,
    "validation_percent": None,
    "steps": 60,
    "learning_rate": 0.003,
    "batch_size": 8,
    "sequence_length": 128,
    "eval_every": 20,
    "eval_tokens": 16384,
    "seed": 0,
    "schedule": "cosine",
    "weight_decay": 0.0,
    "gradient_clip": 1.0,
    "prefix": "auto",
    "dtype": "auto",
    "device": "auto",
    "warmup_percent": 10,
    "gradient_accumulation_steps": 1,
    "optimizer": "adamw",
    "gradient_checkpointing": False,
    "optimizer_offload": False,
    "packing": False,
    "early_stopping_patience": 0,
    "checkpoint_every": 0,
    "mixed_precision": "no",
    "processes": 1,
    "sharded": True,
    "trackers": [],
    "sample_prompts": " And \n\nIn the beginning",
}


@pytest.fixture(scope="module")
def session() -> Session:
    return Session()


def test_a_text_to_keep_goes_with_the_model_and_the_data(session: Session, tmp_path: Path) -> None:
    from tests.helpers.tiny_models import save_model  # noqa: PLC0415

    plan = preset("bitfit")
    assert spec_of(FORM, "nano", plan).data.keep == str(ASSETS / "data" / "austen-keep.txt")
    assert spec_of({**FORM, "keep": NONE}, "nano", plan).data.keep is None
    assert suited(session, "nano") == suited(session, "qwen2.5-1.5b-instruct") == AUSTEN
    instruct = save_model(tmp_path / "instruct", "qwen2")
    assert suited(session, str(instruct)) == GENERAL
    (instruct / "chat_template.jinja").unlink()
    assert suited(session, str(instruct)) == AUSTEN
    own = tmp_path / "own.txt"
    own.write_text("What it knew before. " * 20)
    kept = kept_text_file(OWN, str(own))
    assert kept is not None
    assert Path(kept).name == "own.txt"
    assert Path(kept).read_text() == own.read_text()
    with pytest.raises(DataError, match="text to keep"):
        kept_text_file(OWN, None)


def test_an_own_text_to_keep_is_checked_before_a_launch(session: Session, tmp_path: Path) -> None:
    broken = tmp_path / "broken.jsonl"
    broken.write_text("{")
    empty = check_choice(session, "nano", KJV, None, "", keep=OWN)
    assert not empty.usable
    wrong = check_choice(session, "nano", KJV, None, "", keep=OWN, keep_upload=str(broken))
    assert not wrong.usable
    assert "Text to keep" in wrong.text
    good = tmp_path / "good.txt"
    good.write_text("What it knew before. " * 20)
    assert check_choice(session, "nano", KJV, None, "", keep=OWN, keep_upload=str(good)).usable


def test_a_model_without_weights_trains_its_twin(session: Session) -> None:
    found = intent(session, "qwen2.5-1.5b-instruct", preset("attention"), 60, 8)
    assert found.model == trained_model(session, "qwen2.5-1.5b-instruct") == "nano"
    assert "are not on this machine" in found.text
    assert "197,632 of 6,043,776" in found.text


def test_a_plan_has_a_rate_of_its_own(session: Session) -> None:
    bitfit = intent(session, "nano", preset("bitfit"), 60, 8).rate
    attention = intent(session, "nano", preset("attention"), 60, 8).rate
    longer = intent(session, "nano", preset("attention"), 600, 8).rate
    assert bitfit is not None
    assert attention is not None
    assert longer is not None
    assert bitfit > attention > longer


def test_a_plan_that_trains_nothing_cannot_be_launched(session: Session) -> None:
    found = intent(session, "nano", FreezePlan(), 60, 8)
    assert found.rate is None
    assert "trains nothing" in found.text


def test_the_form_becomes_a_spec() -> None:
    spec = spec_of(FORM, "nano", preset("bitfit"))
    assert spec.data.source == str(ASSETS / "data" / "kjv-train.txt")
    assert spec.data.eval_data == str(ASSETS / "data" / "kjv-eval.txt")
    assert spec.evaluation.sample_prompts == ("And", "In the beginning")
    assert spec.optimization.warmup_steps == 6
    assert not spec.resources.sharded, "one process has nobody to share with"
    assert FreezePlan.from_dict(spec.plan) == preset("bitfit")
    ways = {"optimizer": "adamw_8bit", "gradient_checkpointing": True, "optimizer_offload": True}
    saving = spec_of({**FORM, **ways}, "nano", preset("bitfit")).flat()
    assert {name: saving[name] for name in ways} == ways


def test_an_uploaded_file_is_kept(tmp_path: Path) -> None:
    file = tmp_path / "mine.txt"
    file.write_text("once upon a time")
    spec = spec_of({**FORM, "data": OWN, "upload": str(file)}, "nano", preset("bitfit"))
    file.unlink()
    assert Path(spec.data.source).read_text() == "once upon a time"
    assert Path(spec.data.source).parent.parent == home() / "uploads"
    assert Path(spec.data.source).name == "mine.txt"
    assert spec.data.eval_data is None
    assert spec.data.validation_split is None


def test_an_own_file_is_evaluated_on_a_part_or_on_another_file(tmp_path: Path) -> None:
    for name in ("mine", "other"):
        (tmp_path / f"{name}.txt").write_text(name)
    own = {**FORM, "data": OWN, "upload": str(tmp_path / "mine.txt"), "validation_percent": 20}
    assert spec_of(own, "nano", preset("bitfit")).data.validation_split == 0.2
    other = {**own, "eval_upload": str(tmp_path / "other.txt")}
    held_out = spec_of(other, "nano", preset("bitfit")).data.eval_data
    assert held_out is not None
    assert Path(held_out).read_text() == "other"
    with pytest.raises(SettingsError, match="validation split"):
        spec_of({**own, "validation_percent": 0}, "nano", preset("bitfit"))


@pytest.mark.parametrize(
    ("change", "says"),
    [({"steps": 0}, "steps"), ({"steps": None}, "empty"), ({"learning_rate": -1}, "learning_rate")],
)
def test_a_setting_out_of_range_is_a_sentence(change: dict[str, Any], says: str) -> None:
    with pytest.raises(SettingsError, match=says):
        spec_of({**FORM, **change}, "nano", preset("bitfit"))


def test_the_form_has_the_fields_that_a_spec_is_made_of() -> None:
    assert {field.name for field in fields(Settings)} == FORM.keys()


def test_quantized_weights_cannot_be_launched(session: Session, tmp_path: Path) -> None:
    config = json.loads((ASSETS / "nano" / "config.json").read_text())
    config["quantization_config"] = {"quant_method": "awq", "bits": 4}
    (tmp_path / "config.json").write_text(json.dumps(config))
    (tmp_path / "model.safetensors").write_bytes(b"")
    found = intent(session, str(tmp_path), preset("bitfit"), 60, 8)
    assert found.rate is None
    assert "quantized (awq)" in found.text


def test_the_preview_marks_what_carries_loss_and_escapes(session: Session, tmp_path: Path) -> None:
    file = tmp_path / "mine.jsonl"
    file.write_text('{"prompt": "<b>why?</b>\\n", "completion": " because"}\n')
    shown = shown_data(session, "nano", str(file), 64, False).tokens
    assert "<b>" not in shown.replace("<b>mine", "")
    assert "mine.jsonl, line 1" in shown
    carried = re.findall(r'qt-carries">([^<]*)<', shown)[1:]
    assert "".join(carried).startswith(" because")
    assert "&lt;" in shown


def test_the_preview_says_what_is_wrong_with_the_data(session: Session, tmp_path: Path) -> None:
    file = tmp_path / "mine.jsonl"
    file.write_text('{"text": "fine"}\n{"words": 1}\n')
    assert "mine.jsonl, line 2" in shown_data(session, "nano", str(file), 64, False).tokens
    assert "Upload a file" in shown_data(session, "nano", None, 64, False).tokens


def test_the_data_are_judged_and_looked_through(session: Session, tmp_path: Path) -> None:
    file = tmp_path / "mine.jsonl"
    rows = [{"prompt": "a", "completion": "b c " * (40 if n == 3 else 1)} for n in range(8)]
    file.write_text("\n".join(map(json.dumps, rows)))
    found = shown_data(session, "nano", str(file), 16, False, batch=2, steps=12)
    facts = re.findall(r"<dt>(.+?)</dt><dd>(.+?)</dd>", found.verdict)
    assert ("samples", "8") in facts
    assert ("sequences of 16", "8") in facts
    assert ("times seen", "3") in facts
    assert "Samples cut at 16 tokens: 1 of 8" in found.verdict
    assert (found.first, found.more) == (0, True)
    assert "3. mine.jsonl, line 3" in found.tokens
    later = shown_data(session, "nano", str(file), 16, False, first=6)
    assert (later.first, later.more) == (6, False)
    assert "8. mine.jsonl, line 8" in later.tokens


def test_every_mistake_of_own_data_is_said_at_once(session: Session, tmp_path: Path) -> None:
    file = tmp_path / "mine.jsonl"
    file.write_text('{"text": "fine"}\n{"words": 1}\n{"text": \n{"text": "x"}\n7\n')
    found = check_choice(session, "nano", OWN, str(file), "")
    assert not found.usable
    assert "3 lines cannot be used" in found.text
    assert re.findall(r"<li>mine.jsonl, line (\d+)", found.text) == ["2", "3", "5"]


def test_a_packed_preview_shows_where_samples_begin(session: Session, tmp_path: Path) -> None:
    file = tmp_path / "mine.jsonl"
    file.write_text('{"text": "one"}\n{"text": "two"}\n')
    assert "qt-begins" in shown_data(session, "nano", str(file), 64, True).tokens
    assert "qt-begins" not in shown_data(session, "nano", str(file), 64, False).tokens


def test_the_price_is_marked_where_it_does_not_fit(session: Session) -> None:
    sizes: dict[str, Any] = {
        "batch_size": 8,
        "sequence_length": 128,
        "gradient_accumulation_steps": 1,
        "dtype": "auto",
        "kind": "cpu",
        "free": 1e12,
        "prefix": "auto",
    }
    kept = needs(session, "nano", preset("attention"), **sizes)
    full = needs(session, "nano", preset("full"), **sizes)
    assert 6e8 < kept.bytes < full.bytes
    assert kept.streamed == ""
    summed = needs(
        session,
        "nano",
        preset("full"),
        **sizes | {"gradient_accumulation_steps": 2},
    )
    assert summed.bytes > full.bytes
    assert "qt-bad" not in price_html(kept, 2 * kept.bytes, 1, "the CPU")
    assert "will not fit" in price_html(kept, kept.bytes / 2, 1, "the CPU")
    both = needs(session, "nano", preset("attention"), **sizes, processes=2)
    assert "for 2 processes" in price_html(both, kept.bytes * 1.5, 2, "the CPU")
    assert "will not fit" in price_html(both, kept.bytes * 1.5, 2, "the CPU")


def test_what_is_read_once_is_said_beside_the_price(session: Session) -> None:
    sizes: dict[str, Any] = {"batch_size": 1, "sequence_length": 64, "kind": "cpu"}
    plan = preset("attention", "last:2")
    held = needs(session, "qwen2.5-1.5b-instruct", plan, free=1e12, **sizes)
    streamed = needs(session, "qwen2.5-1.5b-instruct", plan, free=held.bytes / 2, **sizes)
    assert held.streamed == ""
    assert streamed.bytes < held.bytes / 2
    shown = price_html(streamed, held.bytes / 2, 1, "the CPU")
    said = "4.87 GB of weights are read once and never held; 1.31 GB stay."
    assert unbroken(said) in shown
    assert "will not fit" not in shown


def test_the_finder_fills_in_the_rate_that_it_found() -> None:
    spec = spec_of(FORM, "nano", preset("bitfit")).finder()
    assert spec.optimization.learning_rate_finder
    assert spec.optimization.steps == FORM["steps"], "the rate is sought for so many steps"
    assert (spec.evaluation.eval_every, spec.evaluation.sample_tokens) == (0, 0)
    folder = create_run(spec.to_dict(), spec.plan)
    with RunWriter(folder) as run:
        assert rate_found(folder.name) is None
        for rate, loss in ((0.1, 4.0), (0.3, 3.5), (1.0, None)):
            run.event("trial", rate=rate, loss=loss, steps=15, elapsed=2.0)
        said = "For 60 steps a learning rate of 0.25."
        run.event("end", status="completed", reason=said, learning_rate=0.25)
        run.status("completed", said)
    assert rate_found(folder.name) == (0.25, f"{said} It took 2 s.")


def test_what_is_written_for_several_machines_is_not_started() -> None:
    note, _, slurm, command, accelerate = written(spec_of(FORM, "nano", preset("bitfit")), 2, 4)
    (name,) = [name for name in run_names() if name in note]
    assert status_of(runs_folder() / name).status == "stopped"
    assert "--nodes=2" in slurm
    assert "--gpus-per-node=4" in slurm
    assert name in command
    assert "num_processes: 8" in accelerate
    assert (runs_folder() / name / "job.slurm").read_text() == slurm
    assert read_spec(runs_folder() / name).resources.processes == 8


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
        assert linked_or_latest_run({"tab": "runs", "run": newer.name}) == older.name
        assert linked_or_latest_run({"tab": "train", "run": newer.name}) == newer.name


def test_a_poll_brings_only_what_is_new() -> None:
    folder = create_run({"model": "nano", "steps": 1000}, {"name": "a"})
    with RunWriter(folder) as run:
        run.event("start", step=0, steps=1000)
        for step in range(1, 501):
            run.event(
                "step", step=step, loss=3.0, seconds=0.1, elapsed=0.1 * step, tokens=step * 10
            )
        first = charts.poll(folder.name)
        assert first["step"] == 500
        assert first["remaining"] == pytest.approx(50)
        assert len(first["lines"]["loss"][0]) == 500
        again = {"run": folder.name, "offset": first["offset"], "carry": first["carry"]}
        assert charts.poll(**again)["lines"] == {}
        assert charts.poll(**again)["step"] == 500
        run.event("step", step=501, loss=2.0, seconds=0.1, elapsed=50.1, tokens=5010)
        assert charts.poll(**again)["lines"]["loss"] == ([501], [2.0])


def test_a_poll_after_a_resume_asks_to_begin_again() -> None:
    folder = create_run({"model": "nano", "steps": 9}, {"name": "a"})
    with RunWriter(folder) as run:
        run.event("start", step=0, steps=9)
        offset = charts.poll(folder.name)["offset"]
        assert not charts.poll(folder.name)["again"]
        run.event("start", step=0, steps=9)
        assert charts.poll(folder.name, offset)["again"]


def test_a_run_that_is_gone_is_a_sentence() -> None:
    with pytest.raises(RunError, match="There is no run"):
        charts.poll("../../etc")
    with pytest.raises(RunError, match="There is no run"):
        act("gone", "stop")


def test_a_gain_within_its_noise_offers_to_find_a_rate(monkeypatch: pytest.MonkeyPatch) -> None:
    spec = spec_of(FORM, "nano", preset("bitfit"))
    folder = create_run(spec.to_dict(), spec.plan)
    measured = {"eval_loss_before": 5.0, "eval_loss_after": 4.99}
    with RunWriter(folder) as run:
        run.event("start", step=0, steps=60)
        run.event("log", level="warning", message="likely too low")
        run.event("end", status="completed", gain_error=0.001, **measured)
        assert not charts.poll(folder.name)["unsure"]
        run.event("end", status="completed", gain_error=0.01, **measured)
        run.status("completed")
    found = charts.poll(folder.name)
    assert found["unsure"]
    assert found["logs"] == [{"level": "warning", "message": "likely too low"}]
    monkeypatch.setattr("qwen_ui.workers.launch.dispatch", lambda: [])
    again = read_spec(runs_folder() / act(folder.name, "find_rate")["run"])
    assert again.optimization.learning_rate is None
    assert again.optimization.learning_rate_run is not None
    finder = read_spec(runs_folder() / again.optimization.learning_rate_run)
    assert finder == spec.finder()
    assert again.changed(learning_rate=FORM["learning_rate"], learning_rate_run=None) == spec


def test_what_own_data_are_taken_for_and_what_is_wrong_with_them(
    session: Session, tmp_path: Path
) -> None:
    file = tmp_path / "mine.jsonl"
    file.write_text('{"question": "why?", "answer": "because"}\n')
    found = check_choice(session, "nano", OWN, str(file), "")
    assert found.usable
    assert "question -&gt; prompt, answer -&gt; completion" in found.text
    by_hand = check_choice(session, "nano", OWN, str(file), "prompt=frage,completion=answer")
    assert not by_hand.usable
    assert "mine.jsonl, line 1: there is no column" in by_hand.text
    assert not check_choice(session, "nano", OWN, None, "").usable
    assert check_choice(session, "nano", KJV, None, "prompt=x").usable
    file.write_text('{"question": "why?", "answer": "because"}\n{"question": \n')
    broken = check_choice(session, "nano", OWN, str(file), "")
    assert not broken.usable
    assert "mine.jsonl, line 2" in broken.text
    held_out = tmp_path / "other.jsonl"
    held_out.write_text("<html>")
    shown = check_choice(session, "", OWN, str(file), "", eval_upload=str(held_out))
    assert not shown.usable


def test_columns_by_hand_are_of_own_data_alone(tmp_path: Path) -> None:
    file = tmp_path / "mine.jsonl"
    file.write_text('{"q": "why?", "a": "because"}\n')
    own = {**FORM, "data": OWN, "upload": str(file), "columns": " user=q,assistant=a "}
    assert spec_of(own, "nano", preset("bitfit")).data.columns == "user=q,assistant=a"
    assert spec_of({**own, "data": KJV}, "nano", preset("bitfit")).data.columns is None


def test_a_button_that_cannot_be_pressed_says_what_it_waits_for() -> None:
    assert "plan" in waits_for(trains=False, usable=True)
    assert "plan" in waits_for(trains=False, usable=False)
    assert "Data" in waits_for(trains=True, usable=False)
    assert waits_for(trains=True, usable=True) == ""
