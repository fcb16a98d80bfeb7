from __future__ import annotations

import json
import math
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import AutoModelForCausalLM

from qwen_ui.engine.checkpoint import last_checkpoint
from qwen_ui.engine.delta import apply_delta, read_delta
from qwen_ui.engine.trainer import Trainer
from qwen_ui.errors import ModelError, RunError
from qwen_ui.freeze import FreezePlan, resolve
from qwen_ui.model import open_model
from qwen_ui.model.weights.loading import weights_folder
from qwen_ui.runs import create_run, rate_search_of, run_summary
from qwen_ui.workers.launch import start, wait
from qwen_ui.workers.worker import main
from tests.helpers.runs import events_of, killed_and_resumed, losses_of, spec_for, train
from tests.helpers.tiny_models import save_model


def test_a_run_leaves_all_that_it_should(tiny: Path, sentences: Path) -> None:
    folder = train(spec_for(tiny, sentences, steps=30, sample_every=10, eval_every=10))
    told = run_summary(folder)
    assert told["status"] == "completed"
    assert told["prefix_blocks"] == 2
    assert len(losses_of(folder)) == 30
    assert told["eval_loss_after"] < told["eval_loss_before"]
    assert [event["step"] for event in events_of(folder, "eval")] == [0, 10, 20, 30]
    assert [event["step"] for event in events_of(folder, "sample")] == [0, 10, 20, 30]
    (start_event,) = events_of(folder, "start")
    assert start_event["device"] == "cpu"
    last = events_of(folder, "movement")[-1]["blocks"]
    assert [block for block, moved in last if moved > 0] == [2, 3]


@pytest.mark.parametrize("plan", ["attention", "bitfit", "full"])
def test_the_delta_holds_the_trained_tensors_alone(tiny: Path, sentences: Path, plan: str) -> None:
    spec = spec_for(tiny, sentences, plan)
    folder = train(spec)
    anatomy = open_model(str(tiny))
    selection = resolve(FreezePlan.from_dict(spec.plan), anatomy)
    delta = read_delta(folder / "delta.safetensors")
    assert delta.tensors.keys() == selection.names
    base = load_file(tiny / "model.safetensors")
    assert all(not torch.equal(tensor, base[name]) for name, tensor in delta.tensors.items())
    assert delta.plan == spec.plan
    overhead = 8192
    size = (folder / "delta.safetensors").stat().st_size
    assert size <= 4 * selection.trainable_parameters + overhead


def test_apply_writes_a_model_that_plain_transformers_loads(
    tiny: Path, sentences: Path, tmp_path: Path
) -> None:
    folder = train(spec_for(tiny, sentences))
    applied = apply_delta(folder / "delta.safetensors", str(tiny), tmp_path / "whole")
    loaded = AutoModelForCausalLM.from_pretrained(tmp_path / "whole").state_dict()
    base, delta = load_file(tiny / "model.safetensors"), read_delta(folder / "delta.safetensors")
    for name, tensor in base.items():
        assert torch.equal(loaded[name], delta.tensors.get(name, tensor)), name
    assert applied.tensors == len(delta.tensors)
    assert (tmp_path / "whole" / "tokenizer.json").is_file()


def test_a_delta_is_refused_on_another_base(tiny: Path, sentences: Path, tmp_path: Path) -> None:
    folder = train(spec_for(tiny, sentences))
    other = save_model(tmp_path / "other", "qwen2")
    weights = load_file(other / "model.safetensors")
    weights["model.norm.weight"] += 1
    save_file(weights, other / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(RunError, match="other weights"):
        apply_delta(folder / "delta.safetensors", str(other), tmp_path / "whole")
    assert not (tmp_path / "whole").exists()


def test_apply_also_mends_weights_whose_file_has_other_names(
    tmp_path: Path, sentences: Path
) -> None:
    base = save_model(tmp_path / "gpt2", "gpt2")
    file = base / "model.safetensors"
    short = {name.removeprefix("transformer."): t for name, t in load_file(file).items()}
    save_file(short, file, metadata={"format": "pt"})
    folder = train(spec_for(base, sentences))
    apply_delta(folder / "delta.safetensors", str(base), tmp_path / "whole")
    loaded = AutoModelForCausalLM.from_pretrained(tmp_path / "whole").state_dict()
    delta = read_delta(folder / "delta.safetensors").tensors
    for name, tensor in short.items():
        assert torch.equal(loaded[f"transformer.{name}"], delta.get(f"transformer.{name}", tensor))


def test_a_folder_in_use_is_not_written_to(tiny: Path, sentences: Path, tmp_path: Path) -> None:
    folder = train(spec_for(tiny, sentences))
    with pytest.raises(RunError, match="not an empty folder"):
        apply_delta(folder / "delta.safetensors", str(tiny), tiny)


def test_a_file_that_is_no_delta_is_refused(tiny: Path, tmp_path: Path) -> None:
    with pytest.raises(RunError, match="not a delta of this program"):
        apply_delta(tiny / "model.safetensors", str(tiny), tmp_path / "whole")
    with pytest.raises(RunError, match="There is no delta"):
        read_delta(tmp_path / "nowhere.safetensors")


def test_equal_seeds_give_equal_losses_and_others_do_not(tiny: Path, sentences: Path) -> None:
    first, second = (losses_of(train(spec_for(tiny, sentences, seed=5))) for _ in range(2))
    assert first == second
    assert first != losses_of(train(spec_for(tiny, sentences, seed=6)))


def test_the_kept_prefix_changes_no_loss_beyond_rounding(tiny: Path, sentences: Path) -> None:
    kept = losses_of(train(spec_for(tiny, sentences, steps=20)))
    computed = losses_of(train(spec_for(tiny, sentences, steps=20, prefix="off")))
    assert kept == pytest.approx(computed, rel=1e-5)


@pytest.mark.parametrize("kill_at", [1, 4, 7, 10, 11])
def test_a_killed_run_resumes_to_bitwise_the_same_losses_and_delta(
    tiny: Path, sentences: Path, monkeypatch: pytest.MonkeyPatch, kill_at: int
) -> None:
    spec = spec_for(tiny, sentences, steps=12, checkpoint_every=4, eval_every=3)
    whole = train(spec)
    folder = killed_and_resumed(spec, kill_at, monkeypatch)
    resumed = {event["step"]: event["loss"] for event in events_of(folder, "step")}
    assert [resumed[step] for step in range(1, 13)] == losses_of(whole)
    ours, theirs = (read_delta(run / "delta.safetensors").tensors for run in (folder, whole))
    assert all(torch.equal(ours[name], theirs[name]) for name in theirs)
    delta, expected = ((run / "delta.safetensors").read_bytes() for run in (folder, whole))
    assert delta == expected
    told = run_summary(folder)
    assert told["eval_loss_before"] == run_summary(whole)["eval_loss_before"]
    assert told["eval_loss_after"] == run_summary(whole)["eval_loss_after"]


def test_stop_saves_a_checkpoint_and_a_delta(
    tiny: Path, sentences: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    spec = spec_for(tiny, sentences, steps=50)
    folder = create_run(spec.to_dict(), spec.plan)
    honest = Trainer._step

    def ask(self: Trainer, step: int) -> None:
        honest(self, step)
        if step == 3:
            (folder / "stop").touch()

    monkeypatch.setattr(Trainer, "_step", ask)
    main(folder)
    assert run_summary(folder)["status"] == "stopped"
    assert len(losses_of(folder)) == 3
    found = last_checkpoint(folder / "checkpoints")
    assert found is not None
    assert found[1].step == 3
    assert read_delta(folder / "delta.safetensors").tensors


def test_early_stopping_ends_a_run_that_no_longer_learns(tiny: Path, sentences: Path) -> None:
    spec = spec_for(
        tiny,
        sentences,
        steps=60,
        eval_every=2,
        early_stopping_patience=2,
        learning_rate=1.0,
        plan="full",
    )
    folder = train(spec)
    assert len(losses_of(folder)) < 60
    assert "No better evaluation loss" in run_summary(folder)["reason"]


def test_early_stopping_leaves_the_best_tensors_resumed_or_not(
    tiny: Path, sentences: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A rate that is good at first and then too high for the little data: it gets worse again."""
    often: dict[str, Any] = {"eval_every": 5, "checkpoint_every": 5, "early_stopping_patience": 3}
    spec = spec_for(tiny, sentences, steps=400, learning_rate=0.02, plan="full", **often)
    folder = train(spec)
    told = run_summary(folder)
    evaluations = events_of(folder, "eval")[1:-1]
    best = min(evaluations, key=lambda event: event["loss"])
    assert best["loss"] < told["eval_loss_before"]
    assert len(evaluations) == evaluations.index(best) + 1 + 3
    assert f"those of step {best['step']}" in told["reason"]
    assert told["eval_loss_after"] == best["loss"]
    resumed = killed_and_resumed(spec, best["step"] + 7, monkeypatch)
    assert run_summary(resumed)["reason"] == told["reason"]
    delta, expected = ((run / "delta.safetensors").read_bytes() for run in (resumed, folder))
    assert delta == expected


def test_the_finder_tries_rates_from_the_same_weights_and_another_run_takes_what_it_found(
    tiny: Path, sentences: Path
) -> None:
    spec = spec_for(tiny, sentences, steps=12, learning_rate_finder=True, plan="full", seed=9)
    folder = train(spec)
    search = rate_search_of(folder)
    assert search.rate is not None
    assert (search.status, search.steps) == ("completed", 10)
    assert f"{search.rate:g}, by {len(search.trials)} runs of 10 steps" in search.reason
    losses = losses_of(folder)
    assert len(losses) == 10 * len(search.trials)
    firsts = losses[::10]
    assert firsts == [firsts[0]] * len(firsts), "each begins with the untouched weights"
    assert not (folder / "delta.safetensors").exists()
    follower = train(spec_for(tiny, sentences, plan="full", learning_rate_run=folder.name))
    (start,) = events_of(follower, "start")
    assert start["learning_rate"] == search.rate
    assert start["learning_rate_source"] == search.source


def test_a_trial_is_the_run_that_it_stands_for(tiny: Path, sentences: Path) -> None:
    """At the rate and steps of a trial, a run of its own ends at the same loss."""
    spec = spec_for(tiny, sentences, steps=8, learning_rate_finder=True, plan="mlp")
    search = rate_search_of(train(spec))
    for rate, loss in search.trials[:2]:
        again = spec.changed(learning_rate_finder=False, learning_rate=rate)
        assert run_summary(train(again))["eval_loss_after"] == pytest.approx(loss, rel=1e-6)


def test_a_loss_that_explodes_fails_the_run_with_what_to_do(
    tiny: Path, sentences: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    nothing_is_finite = SimpleNamespace(**{**vars(math), "isfinite": lambda value: False})
    monkeypatch.setattr("qwen_ui.engine.step_report.math", nothing_is_finite)
    folder = train(spec_for(tiny, sentences))
    told = run_summary(folder)
    assert told["status"] == "failed"
    assert "Lower the learning rate" in told["reason"]


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"model": "qwen2.5-1.5b-instruct"}, "weights of 'Qwen/Qwen2.5-1.5B-Instruct'"),
        ({"data": "nowhere.jsonl"}, "nowhere.jsonl"),
        ({"plan": {"schema": 1, "name": "", "rules": []}}, "trains nothing"),
        ({"processes": 2}, "2 processes were asked for and 1 run"),
        ({"device": "cuda"}, "not on this machine"),
        ({"trackers": ("mlflow",)}, "pip install mlflow"),
    ],
)
def test_a_persons_mistake_fails_the_run_in_one_sentence(
    tiny: Path, sentences: Path, values: dict[str, Any], said: str
) -> None:
    spec = spec_for(tiny, sentences).changed(**values)
    folder = create_run(spec.to_dict(), spec.plan)
    assert main(folder) == 2
    told = run_summary(folder)
    assert told["status"] == "failed"
    assert said in told["reason"]
    assert "Traceback" not in told["reason"]


def test_quantized_weights_are_refused(tmp_path: Path, sentences: Path) -> None:
    folder = save_model(tmp_path / "quantized", "qwen2")
    config = json.loads((folder / "config.json").read_text())
    config["quantization_config"] = {"quant_method": "gptq", "bits": 4}
    (folder / "config.json").write_text(json.dumps(config))
    with pytest.raises(ModelError, match=r"quantized \(gptq\)"):
        weights_folder(open_model(str(folder)))


@pytest.mark.slow
@pytest.mark.parametrize("plan", ["attention", "bitfit"])
def test_the_nano_twin_learns_in_a_process_of_its_own(plan: str) -> None:
    spec = spec_for(
        "nano",
        "assets/data/kjv-train.txt",
        plan,
        eval_data="assets/data/kjv-eval.txt",
        layers="last:4",
        steps=15,
        batch_size=4,
        sequence_length=64,
    )
    told = wait(start(spec))
    assert told["status"] == "completed"
    assert told["prefix_blocks"] == 24
    assert told["eval_loss_after"] < told["eval_loss_before"]


@pytest.mark.parametrize(
    ("processes", "said"), [("1", "written\ntaken down\n"), ("2", "written\n")]
)
def test_one_of_several_processes_ends_without_taking_python_down(
    processes: str, said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WORLD_SIZE", processes)
    program = (
        "import atexit; from qwen_ui.workers.worker import leave\n"
        "atexit.register(print, 'taken down'); print('written'); leave(3)"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout) == (3, said)
