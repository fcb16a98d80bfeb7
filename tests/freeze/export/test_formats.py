"""Every export trains exactly the selection's names: all are run, none is only looked at."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from safetensors.torch import load_file

from qwen_ui.errors import PlanError
from qwen_ui.freeze import (
    FreezePlan,
    Selection,
    export_formats,
    export_text,
    preset,
    resolve,
)
from qwen_ui.model import Anatomy, open_model
from qwen_ui.paths import ASSETS
from tests.helpers.small_models import build

PLANS = [
    preset("attention", "last:2"),
    preset("bitfit", "1,3"),
    preset("norms"),
    preset("embeddings"),
    FreezePlan.from_dict({"schema": 1, "rules": [{}, {"train": False, "layers": "1"}]}),
]


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("model")
    build("qwen2").save_pretrained(folder)
    return folder


def selection_of(saved: Path, plan: FreezePlan) -> Selection:
    return resolve(plan, open_model(str(saved)))


@pytest.mark.slow
def test_the_pytorch_snippet_freezes_the_same_in_a_fresh_interpreter(
    saved: Path, tmp_path: Path
) -> None:
    expected = []
    code = ["import json, runpy, sys", "from transformers import AutoModelForCausalLM"]
    for number, plan in enumerate(PLANS):
        selection = selection_of(saved, plan)
        expected.append(sorted(selection.names))
        file = tmp_path / f"freeze{number}.py"
        file.write_text(export_text(selection, "pytorch"))
        code.append(f"freeze = runpy.run_path({str(file)!r})['freeze']")
        code.append(f"model = freeze(AutoModelForCausalLM.from_pretrained({str(saved)!r}))")
        code.append("names = [n for n, p in model.named_parameters() if p.requires_grad]")
        code.append("print(json.dumps(sorted(names)))")
    # The last one as a person would run it.
    code.append(f"runpy.run_path({str(file)!r}, run_name='__main__')")
    done = run_python("\n".join(code))
    lines = done.splitlines()
    assert [json.loads(line) for line in lines[: len(PLANS)]] == expected
    assert lines[-1] == f"{selection.trainable_parameters:,} parameters train"


def run_python(code: str) -> str:
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.slow
@pytest.mark.parametrize("format", ["trl", "accelerate"])
def test_the_scripts_train_the_chosen_names_and_no_other(tmp_path: Path, format: str) -> None:
    """A real run of two steps on nano, and the saved weights beside the first.

    What `accelerate launch` starts is the Trainer's script, letter by letter.
    """
    selection = resolve(preset("attention", "last:2"), open_model("nano"))
    assert export_text(selection, "trainer") in export_text(selection, "accelerate")
    text = (ASSETS / "data" / "kjv-eval.txt").read_text(encoding="utf-8")
    (tmp_path / "train.txt").write_text(text[:20_000], encoding="utf-8")
    script = tmp_path / export_formats()[format].file_name
    script.write_text(export_text(selection, format).replace(" 100 output", " 2 output"))
    command = [sys.executable, str(script), "train.txt", "2", "output"]
    if format == "accelerate":
        command = ["bash", str(script)]
    path = os.pathsep.join((str(Path(sys.executable).parent), os.environ["PATH"]))
    done = subprocess.run(
        command,
        cwd=tmp_path,
        env={**os.environ, "PATH": path, "ACCELERATE_USE_CPU": "true"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert selection.anatomy.weights_folder is not None
    before = load_file(selection.anatomy.weights_folder / "model.safetensors")
    after = load_file(tmp_path / "output" / "model.safetensors")
    moved = {name for name in before if not before[name].equal(after[name])}
    # A key bias shifts all scores of a query alike: no gradient but rounding moves it.
    steady = {name for name in selection.names if name.endswith("k_proj.bias")}
    assert selection.names - steady <= moved <= selection.names


@pytest.mark.parametrize("format", ["trainer", "trl", "accelerate"])
def test_scripts_are_python_with_the_same_set_of_names(saved: Path, format: str) -> None:
    selection = selection_of(saved, PLANS[0])
    text = export_text(selection, format)
    if format == "accelerate":
        head, text, tail = re.split(r"cat > train_frozen.py <<'END'\n|END\n", text)
        assert head == ""
        assert tail.startswith("accelerate launch ")
        assert "train_frozen.py" in tail
    compile(text, format, "exec")
    found = re.search(r"^TRAINABLE = (.*?)^def freeze", text, re.M | re.S)
    assert found is not None
    assert eval(found[1], {"range": range}) == selection.names


def test_every_format_has_a_title_and_a_file_name() -> None:
    formats = export_formats()
    assert {"pytorch", "trainer", "trl", "accelerate", "axolotl", "llama-factory"} <= set(formats)
    assert len({f.file_name for f in formats.values()}) == len(formats)


def test_an_unknown_format_is_named_with_those_that_exist(qwen: Anatomy) -> None:
    with pytest.raises(PlanError, match="axolotl"):
        export_text(resolve(preset("attention"), qwen), "keras")


def test_a_preset_is_exported_for_its_hub_id(qwen: Anatomy) -> None:
    assert "Qwen/Qwen2.5-1.5B-Instruct" in export_text(
        resolve(preset("attention"), qwen), "pytorch"
    )
