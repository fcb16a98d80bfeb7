"""The command `verify`: its keys, its exit codes, its report."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

from qwen_ui.freeze import preset
from tests.helpers.checkpoint_families import change_weights, save_family
from tests.helpers.commands import run
from tests.verify.conftest import copied

NAME = "model.layers.3.self_attn.q_proj.weight"
KEYS = {
    *("changed", "unchanged", "missing", "unexpected", "frozen_but_changed"),
    *("trainable_but_unchanged", "problems"),
}


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, str]:
    """A base, and the same with one matrix moved by a rank of one."""
    folder = tmp_path_factory.mktemp("pair")
    base = save_family(folder / "base", "qwen2")
    step = torch.outer(torch.arange(32.0), torch.ones(32)) / 100
    tuned = change_weights(copied(base, folder / "tuned"), lambda w: w | {NAME: w[NAME] + step})
    return str(base), str(tuned)


def test_the_record(pair: tuple[str, str], capsys: pytest.CaptureFixture[str]) -> None:
    code, out, err = run(["verify", *pair, "--json"], capsys)
    assert code == 0
    found = json.loads(out)
    assert found.keys() >= KEYS
    (change,) = found["changed"]
    assert change["name"] == NAME
    assert change["rank"] == pytest.approx(1, abs=1e-4)
    assert change["largest"] == pytest.approx(0.31, rel=1e-4)
    assert NAME not in found["unchanged"]
    assert len(found["unchanged"]) == 49
    assert found["grid"]["values"][0][0] == 0
    assert err.splitlines()[-1].startswith("verify: 100 %")


def test_exit_codes_and_report(
    pair: tuple[str, str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    plan, names = tmp_path / "plan.json", tmp_path / "names.txt"
    plan.write_text(preset("mlp", "last:1").to_json())
    names.write_text(NAME)
    report = tmp_path / "report.md"
    code, out, _ = run(["verify", *pair, "--plan", str(plan), "-o", str(report)], capsys)
    assert code == 1
    assert "The plan was not kept" in out
    text = report.read_text()
    assert f"## Frozen but changed (1)\n\n- `{NAME}`" in text
    assert text.count("\n- `model.layers.3.mlp") == 3
    assert "| 3 | " in text
    code, out, _ = run(["verify", *pair, "--config", str(names)], capsys)
    assert code == 0
    assert out.startswith("The plan was kept: 1 tensor changed, 49 are the same.")


@pytest.mark.parametrize(
    ("more", "said"),
    [
        (["/no/such/folder"], "There is no checkpoint"),
        (["BASE", "--plan", "/no/such.json"], "There is no plan file"),
        (["BASE", "--plan", "a", "--config", "b"], "Give the selection once"),
    ],
)
def test_a_person_s_mistake(
    pair: tuple[str, str], more: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = [pair[0] if word == "BASE" else word for word in more]
    code, out, err = run(["verify", pair[0], *arguments, "--json"], capsys)
    assert code == 2
    assert out == ""
    assert len(err.splitlines()) == 1
    assert said.lower() in err.lower()


def test_intruder_dimensions(pair: tuple[str, str], capsys: pytest.CaptureFixture[str]) -> None:
    """The step's direction is none of the base's: it intrudes, and nothing else does."""
    _, out, _ = run(["verify", *pair, "--intruders", "--json"], capsys)
    assert json.loads(out)["changed"][0]["intruders"] >= 1
