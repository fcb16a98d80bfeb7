"""Exit codes, one line for a mistake, and what starting the command line imports."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from qwen_ui import __version__
from qwen_ui.model.remote_code import VARIABLE
from tests.helpers.commands import KJV, SHORT, commands, group, run


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


def test_the_module_runs_as_a_process() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "qwen_ui", "freeze", "nano", "--preset", "bitfit", "--json"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert json.loads(done.stdout)["trainable_parameters"] == 4 * (128 + 64 + 64)


def test_a_models_own_code_runs_only_after_the_flag(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(VARIABLE, "0")
    (tmp_path / "config.json").write_text(
        json.dumps({"model_type": "homemade", "auto_map": {"AutoConfig": "code.Config"}})
    )
    code, _, said = run(["inspect", str(tmp_path)], capsys)
    assert code == 2
    assert "that code is not run" in said
    code, _, said = run(["--trust-remote-code", str(tmp_path), "inspect", str(tmp_path)], capsys)
    assert code == 2  # it is looked for now, and there is none
    assert "gives no configuration" in said


def test_every_command_and_option_has_a_sentence_of_help() -> None:
    for name, command in commands().items():
        assert command.help, name
        assert re.fullmatch(r"[A-Z].+[.?]", " ".join(command.help.split())), command.help
        for parameter in command.params:
            help_ = parameter.help
            assert help_, (name, parameter.name)
            assert help_.endswith("."), (name, parameter.name, help_)


def test_starting_the_command_line_loads_no_slow_library() -> None:
    slow = ["torch", "transformers", "gradio", "plotly", "pandas", "datasets"]
    code = f"import sys, qwen_ui.__main__; print(*(n for n in {slow} if n in sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == []


def test_options_of_the_dashboard_do_not_go_before_a_command(
    capsys: pytest.CaptureFixture[str],
) -> None:
    code, out, err = run(["--port", "7000", "runs"], capsys)
    assert (code, out) == (2, "")
    assert err.startswith("Error: --port is for the dashboard")


def test_version_and_help(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["--version"], capsys)[:2] == (0, f"qwen-ui {__version__}\n")
    code, out, _ = run(["--help"], capsys)
    assert code == 0
    assert "[OPTIONS] [COMMAND]" in out
    assert not {name for name in commands() if f"  {name} " not in out}
    assert not {flag for param in group().params for flag in param.opts if flag not in out}
