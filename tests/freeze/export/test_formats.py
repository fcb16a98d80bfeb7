"""Every export trains exactly the selection's names: all are run, none is only looked at."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.torch import load_file

from qwen_ui.errors import PlanError
from qwen_ui.freeze import (
    FreezePlan,
    Selection,
    export_formats,
    export_text,
    import_plan,
    preset,
    resolve,
)
from qwen_ui.freeze.export.axolotl import axolotl_matches, axolotl_patterns
from qwen_ui.model import Anatomy, open_model
from qwen_ui.model.patterns import pattern_for
from qwen_ui.paths import ASSETS
from tests.helpers.small_models import CONFIGURATIONS, build, small_model
from tests.helpers.strategies import name_sets, plans

PLANS = [
    preset("attention", "last:2"),
    preset("bitfit", "1,3"),
    preset("norms"),
    preset("embeddings"),
    FreezePlan.from_dict({"schema": 1, "rules": [{}, {"train": False, "layers": "1"}]}),
]


@pytest.mark.parametrize("name", CONFIGURATIONS)
@settings(max_examples=40)
@given(data=st.data())
def test_patterns_match_the_chosen_names_and_no_other(name: str, data: st.DataObject) -> None:
    _, anatomy = small_model(name)
    try:
        selection = resolve(data.draw(plans(anatomy)), anatomy)
    except PlanError:
        return
    names = [p.name for p in anatomy.parameters]
    pattern = re.compile(pattern_for(selection.names))
    assert {n for n in names if pattern.search(n)} == selection.names
    patterns = axolotl_patterns(selection)
    assert {n for n in names if axolotl_matches(patterns, n)} == selection.names


def test_block_two_is_not_twenty_in_any_pattern(qwen: Anatomy) -> None:
    selection = resolve(preset("bitfit", "2"), qwen)
    names = [p.name for p in qwen.parameters]
    assert len([n for n in names if re.search(pattern_for(selection.names), n)]) == 3


@pytest.mark.parametrize("format", ["plan", "names", "axolotl"])
@settings(max_examples=30)
@given(data=st.data())
def test_what_was_exported_can_be_imported_again(format: str, data: st.DataObject) -> None:
    _, anatomy = small_model("qwen2")
    names = data.draw(name_sets(anatomy))
    if not names:
        return
    rules = [{"names": sorted(names)}]
    selection = resolve(FreezePlan.from_dict({"schema": 1, "rules": rules}), anatomy)
    again = import_plan(export_text(selection, format), anatomy)
    assert resolve(again, anatomy).names == names


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


@pytest.mark.parametrize(
    ("rules", "layers", "modules"),
    [
        ([{"layers": "last:4", "roles": ["attention"]}], 4, "self_attn"),
        ([{"layers": "first:3", "roles": ["mlp"]}], -3, "mlp"),
        ([{"layers": "last:2"}], 2, "all"),
        ([{"layers": "last:4"}, {"names": ["model.embed_tokens.weight"]}], 4, "all"),
    ],
)
def test_llama_factory_settings_train_the_same_by_its_own_rule(
    qwen: Anatomy, rules: list[object], layers: int, modules: str
) -> None:
    selection = resolve(FreezePlan.from_dict({"schema": 1, "rules": rules}), qwen)
    text = export_text(selection, "llama-factory")
    values = dict(line.split(": ", 1) for line in text.splitlines() if not line.startswith("#"))
    assert int(values["freeze_trainable_layers"]) == layers
    assert values["freeze_trainable_modules"] == modules
    assert llama_factory_trains(values, qwen) == selection.names


def llama_factory_trains(values: dict[str, str], anatomy: Anatomy) -> set[str]:
    """Freeze tuning as LLaMA-Factory documents it: parts of names, for the first or last layers."""
    n, count = int(values["freeze_trainable_layers"]), anatomy.block_count
    ids = range(count - n, count) if n > 0 else range(-n)
    parts = [
        f".{i}." if module == "all" else f".{i}.{module}"
        for module in values["freeze_trainable_modules"].split(",")
        for i in ids
    ]
    parts += [e for e in values.get("freeze_extra_modules", "").split(",") if e]
    return {p.name for p in anatomy.parameters if any(part in p.name for part in parts)}


@pytest.mark.parametrize("name", CONFIGURATIONS)
@settings(max_examples=40)
@given(data=st.data())
def test_llama_factory_trains_the_same_or_is_told_that_it_cannot(
    name: str, data: st.DataObject
) -> None:
    _, anatomy = small_model(name)
    try:
        selection = resolve(data.draw(plans(anatomy)), anatomy)
    except PlanError:
        return
    text = export_text(selection, "llama-factory")
    values = dict(line.split(": ", 1) for line in text.splitlines() if not line.startswith("#"))
    assert not values or llama_factory_trains(values, anatomy) == selection.names


@pytest.mark.parametrize(
    "plan",
    [
        preset("bitfit"),
        preset("attention", "3,7"),
        preset("embeddings"),
        FreezePlan.from_dict(
            {"schema": 1, "rules": [{"layers": "last:2"}, {"names": ["model.norm.weight"]}]}
        ),
    ],
)
def test_llama_factory_is_told_off_where_it_cannot_say_the_plan(
    qwen: Anatomy, plan: FreezePlan
) -> None:
    """The final norm's name is part of the other norms' names: its rule would train these, too."""
    text = export_text(resolve(plan, qwen), "llama-factory")
    assert "cannot express this plan: it" in text
    assert "freeze_trainable_layers" not in text


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
        export_text(resolve(preset("attention"), qwen), "unsloth")


def test_a_preset_is_exported_for_its_hub_id(qwen: Anatomy) -> None:
    assert "Qwen/Qwen2.5-1.5B-Instruct" in export_text(
        resolve(preset("attention"), qwen), "pytorch"
    )


def test_an_axolotl_file_of_someone_else_is_understood(qwen: Anatomy) -> None:
    text = """
base_model: Qwen/Qwen2.5-1.5B-Instruct
unfrozen_parameters:
  - ^lm_head.weight$
  - model.layers.2[4-7].self_attn
learning_rate: 0.0001
"""
    names = resolve(import_plan(text, qwen), qwen).names
    attention = resolve(preset("attention"), qwen).names
    assert names == attention | {"model.embed_tokens.weight"}


@pytest.mark.parametrize(
    "text",
    [
        "",
        "# nothing\n",
        "no.such.name",
        "[1, 2]",
        '["model.norm.weight"',
        "- ^model.embed_tokens.weight$[:32000]",
        "- (",
        '{"rules": []}',
        "x" * (17 << 20),
    ],
)
def test_what_cannot_be_imported_is_refused(qwen: Anatomy, text: str) -> None:
    with pytest.raises(PlanError):
        import_plan(text, qwen)
