"""The command line's contract: keys, exit codes, one line for a mistake."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from transformers import AutoModelForCausalLM

from qwen_ui.engine.delta import write_delta
from qwen_ui.model import open_model, remote_code
from qwen_ui.model.weights.fingerprint import folder_fingerprint
from qwen_ui.paths import ASSETS
from qwen_ui.runs.spec import RunSpec
from tests.helpers.commands import record, run

KJV = str(ASSETS / "data" / "kjv-train.txt")
SHORT = ["--data", KJV, "--steps", "3", "--batch-size", "2", "--sequence-length", "32"]


def test_inspect_prints_the_figures_of_the_default_model(
    capsys: pytest.CaptureFixture[str],
) -> None:
    found = record(["inspect"], capsys)
    assert found["total_parameters"] == 1_543_714_304
    assert found["tensors"] == 338
    assert found["block_count"] == len(found["blocks"]) == 28
    assert {block["parameters"] for block in found["blocks"]} == {46_797_824}
    assert found["blocks"][7]["name"] == "model.layers.7"
    assert len([kind for kind in found["kinds"] if kind["blocks"]]) == 12
    assert found["tied"] == [["model.embed_tokens.weight", "lm_head.weight"]]
    assert found["dtype"] == "bfloat16"
    assert found["bytes"] == 2 * found["total_parameters"]


@pytest.mark.parametrize(
    ("options", "count"),
    [
        (["--preset", "attention"], 22_028_288),
        (["--preset", "bitfit"], 8_192),
        (["--preset", "attention", "--layers", "all"], 154_198_016),
        (["--preset", "mlp"], 1_156_055_040),
        (["--preset", "norms"], 87_552),
        (["--preset", "bitfit", "--layers", "all"], 57_344),
        (["--preset", "embeddings"], 233_373_696),
        (["--preset", "full"], 1_543_714_304),
        (["--preset", "none"], 0),
        (["--match", r"\.bias$", "--layers", "24-27"], 8_192),
    ],
)
def test_freeze_prints_the_exact_counts(
    options: list[str], count: int, capsys: pytest.CaptureFixture[str]
) -> None:
    found = record(["freeze", "qwen2.5-1.5b-instruct", *options], capsys)
    assert found["trainable_parameters"] == count
    assert found["trainable_fraction"] == count / 1_543_714_304
    assert found["trainable_names"] == sorted(found["trainable_names"])
    in_blocks = sum(block["trainable_parameters"] for block in found["blocks"])
    outside = {"norms": 1536, "embeddings": 233_373_696, "full": 233_373_696 + 1536}
    assert in_blocks + outside.get(options[1], 0) == count


def test_a_saved_plan_freezes_the_same_names_in_another_model(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "plan.json"
    first = record(["freeze", "--preset", "attention", "--save", str(file)], capsys)
    second = record(["freeze", "nano", "--plan", str(file)], capsys)
    assert first["trainable_names"] == second["trainable_names"]


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["inspect", "no-such-model"], "There is no model 'no-such-model'"),
        (["inspect", "nobody/nothing"], "not in the local cache"),
        (["freeze", "nano"], "--preset"),
        (["freeze", "nano", "--preset", "bitfit", "--match", "x"], "exactly one"),
        (["freeze", "nano", "--preset", "nonsense"], "attention, bitfit"),
        (["freeze", "nano", "--preset", "attention", "--layers", "27-24"], "backwards"),
        (["freeze", "nano", "--match", "no_such_parameter"], "trains nothing"),
        (["freeze", "nano", "--match", "("], "regular expression"),
        (["freeze", "nano", "--plan", "/no/such/file"], "no plan file"),
        (["compare", "nano", "--plans", "bitfit", *SHORT], "at least two plans"),
        (["compare", "nano", "--plans", "bitfit,magic", *SHORT], "neither a preset"),
        (["compare", "nano", "--plans", "bitfit,mlp", "--learning-rates", "x", *SHORT], "rates"),
        (["compare", "qwen2.5-7b-instruct", "--plans", "bitfit,mlp", *SHORT], "weights"),
        (["rank", "nano", "--data", KJV, "--method", "magic"], "There are gradient, "),
        (["rank", "nano", "--data", "/no/such/file"], "/no/such/file"),
        (["apply", "/no/such.safetensors", "--base", "nano", "-o", "/tmp/x"], "no delta"),
        (["apply", "20260101-000000-no", "--base", "nano", "-o", "/tmp/x"], "no run"),
        (["train", "nano", "--data", "x", "--steps", "0", "--preset", "bitfit"], "steps"),
        (
            [
                "train",
                "nano",
                "--data",
                "x",
                "--steps",
                "1",
                "--preset",
                "bitfit",
                "--tracker",
                "q",
            ],
            "trackers",
        ),
        (["freeze", "nano", "--preset", "mlp", "--save", "/no/such/plan"], "cannot be written"),
        (["dance"], "dance"),
        (["inspect", "--dance"], "--dance"),
    ],
)
def test_a_mistake_is_one_clear_line_and_exit_code_two(
    arguments: list[str], says: str, capsys: pytest.CaptureFixture[str]
) -> None:
    code, out, err = run(arguments, capsys)
    assert code == 2
    assert out == ""
    assert err.count("\n") == 1
    assert says in err


def test_an_unreadable_configuration_is_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "config.json").write_text('{"model_type": "qwen2", ')
    code, _, err = run(["inspect", str(tmp_path)], capsys)
    assert code == 2
    assert "config.json" in err


def test_the_module_runs_as_a_process() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "qwen_ui", "freeze", "nano", "--preset", "bitfit", "--json"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert json.loads(done.stdout)["trainable_parameters"] == 4 * (128 + 64 + 64)


def test_words_for_people_hold_the_exact_figures(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = run(["inspect"], capsys)
    assert code == 0
    assert "1,543,714,304 parameters in 338 tensors, 28 blocks" in out
    assert "model.embed_tokens.weight = lm_head.weight" in out


def test_cost_prints_the_figures_of_one_step(capsys: pytest.CaptureFixture[str]) -> None:
    found = record(
        ["cost", "--preset", "attention", "--batch-size", "4", "--sequence-length", "512"], capsys
    )
    assert found["flops_step"] == pytest.approx(8.12e12, rel=0.01)
    assert found["full"]["flops_step"] == pytest.approx(18.97e12, rel=0.01)
    assert found["activation_bytes"] == pytest.approx(1.9e9, rel=0.02)
    assert found["full"]["activation_bytes"] == pytest.approx(7.6e9, rel=0.02)
    assert found["weight_bytes"] == 3_087_428_608
    assert found["gradient_bytes"] == 2 * 22_028_288
    assert found["optimizer_bytes"] == 8 * 22_028_288
    assert found["peak_bytes"] < found["full"]["peak_bytes"]


def test_report_prints_its_checks_and_writes_its_text(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "report.md"
    found = record(["report", "nano", "-o", str(file)], capsys)
    assert found["checks"]
    assert all(check["passed"] and check["evidence"] for check in found["checks"])
    assert file.read_text() == found["markdown"]


@pytest.fixture
def short_text(tmp_path: Path) -> str:
    file = tmp_path / "short.txt"
    file.write_text((ASSETS / "data" / "kjv-eval.txt").read_text(encoding="utf-8")[:4000])
    return str(file)


@pytest.mark.slow
def test_compare_prints_runs_rows_and_the_verdict(
    short_text: str, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["compare", "nano", "--plans", "attention,bitfit", *SHORT]
    code, out, err = run([*arguments, "--eval-data", short_text, "--json"], capsys)
    assert code == 0
    found = json.loads(out)
    assert [r["status"] for r in found["runs"]] == ["completed", "completed"]
    assert all(len(r["losses"]) == 3 and r["prefix_blocks"] == 24 for r in found["runs"])
    assert [row["trainable"] for row in found["rows"]] == [197_632, 1_024]
    assert "One seed each" in found["verdict"]
    assert f"comparison {found['comparison']}" in err


def test_rank_prints_a_score_for_every_block_and_the_top_ones(
    short_text: str, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["rank", "nano", "--data", short_text, "--method", "activation"]
    sizes = ["--sequences", "2", "--sequence-length", "32", "--top", "3"]
    code, out, err = run([*arguments, *sizes, "--json"], capsys)
    assert code == 0
    found = json.loads(out)
    scores = [block["score"] for block in found["blocks"]]
    assert [block["index"] for block in found["blocks"]] == list(range(28))
    assert found["top"] == sorted(range(28), key=lambda i: -scores[i])[:3]
    assert "rank by activation" in err
    assert "the highest blocks are" in run([*arguments, *sizes], capsys)[1]


def test_apply_puts_a_delta_on_its_base(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    weights = open_model("nano").weights_folder
    assert weights is not None
    name, file = "model.layers.27.self_attn.q_proj.bias", tmp_path / "delta.safetensors"
    trained = {name: torch.full((128,), 0.25)}
    write_delta(file, trained, base=folder_fingerprint(weights), plan={}, spec={}, step=1)
    whole = tmp_path / "whole"
    found = record(["apply", str(file), "--base", "nano", "-o", str(whole)], capsys)
    assert (found["tensors"], found["parameters"]) == (1, 128)
    model = AutoModelForCausalLM.from_pretrained(whole)
    assert torch.equal(model.get_parameter(name), trained[name])
    write_delta(file, trained, base="of others", plan={}, spec={}, step=1)
    code, _, err = run(["apply", str(file), "--base", "nano", "-o", str(tmp_path / "n")], capsys)
    assert code == 2
    assert "other weights" in err


def test_every_setting_of_a_run_is_an_option_with_help(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = run(["train", "--help"], capsys)
    assert code == 0
    for name, field in RunSpec.model_fields.items():
        flag = {"sample_prompts": "sample-prompt", "trackers": "tracker"}.get(name, name)
        assert f"--{flag.replace('_', '-')} " in out or name == "model", name
        assert field.description, name


def test_inspect_says_whether_the_weights_at_hand_fit(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    nano = record(["inspect", "nano"], capsys)["weights"]
    assert nano["fits"]
    assert nano["missing"] == nano["unexpected"] == nano["mismatched"] == []
    assert 0 < nano["bytes_read"] < 100_000
    for name in ("config.json", "model.safetensors"):
        (tmp_path / name).write_bytes((ASSETS / "nano" / name).read_bytes())
    (tmp_path / "model.safetensors").write_bytes(b"cut")
    cut = record(["inspect", str(tmp_path)], capsys)["weights"]
    assert not cut["fits"]
    assert "cut off" in cut["summary"]
    assert record(["inspect"], capsys)["weights"] is None


def test_a_models_own_code_runs_only_after_the_flag(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(remote_code.VARIABLE, "0")
    (tmp_path / "config.json").write_text(
        json.dumps({"model_type": "homemade", "auto_map": {"AutoConfig": "code.Config"}})
    )
    code, _, said = run(["inspect", str(tmp_path)], capsys)
    assert code == 2
    assert "that code is not run" in said
    code, _, said = run(["--trust-remote-code", "inspect", str(tmp_path)], capsys)
    assert code == 2  # it is looked for now, and there is none
    assert "gives no configuration" in said
