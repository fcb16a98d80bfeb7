"""The command that repeats a run, parsed by the command line, is the same run."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from qwen_ui.engine import request
from qwen_ui.freeze import preset
from qwen_ui.runs import command_line, create_run, make_spec, read_spec, train_command
from qwen_ui.runs.lineage import LINEAGE_NAME, lineage_of, note_resume, note_retry
from tests.helpers.commands import KJV, parsed

OTHER: dict[str, Any] = {
    "eval_data": "held out 'file'.txt",
    "columns": "prompt=question,completion=answer",
    "learning_rate": 3e-05,
    "batch_size": 2,
    "gradient_accumulation_steps": 3,
    "optimizer": "adamw_8bit",
    "schedule": "linear",
    "warmup_steps": 0,
    "seed": 7,
    "packing": True,
    "gradient_checkpointing": True,
    "sample_prompts": ("-- a", "b c", "$HOME `x`"),
    "trackers": ("tensorboard", "wandb"),
    "validation_split": 0.25,
    "lora_rank": 4,
    "prefix": "off",
    "device": "cpu",
}


def repeated(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """The spec that the run's command asks for, as `train` makes it."""
    words = train_command(folder)
    assert words[:3] == ["python", "-m", "qwen_ui"]
    given = parsed(words[3:])
    monkeypatch.setattr(request, "check_named_spec", lambda spec: None)
    plan = json.loads(Path(str(given.pop("plan"))).read_text())
    from qwen_ui.freeze import FreezePlan  # noqa: PLC0415

    shared = {"preset_name", "match", "layers", "output", "seal", "as_json"}
    slurm = {name for name in given if name.startswith("slurm")}
    settings = {k: v for k, v in given.items() if k not in shared | slurm}
    return request.checked_spec(plan=FreezePlan.from_dict(plan), **settings)


@pytest.mark.parametrize("settings", [{}, OTHER], ids=["defaults", "others"])
def test_the_command_is_the_same_run(
    settings: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    plan = preset("attention", "last:4").to_dict()
    spec = make_spec(model="nano", data=KJV, plan=plan, steps=100, **settings)
    folder = create_run(spec.to_dict(), plan)
    assert read_spec(folder) == spec
    assert repeated(folder, monkeypatch) == spec


def test_defaults_are_left_out_and_the_shell_reads_what_was_meant() -> None:
    import shlex  # noqa: PLC0415

    plan = preset("bitfit").to_dict()
    spec = make_spec(model="it's", data="a b.txt", plan=plan, steps=3, seed=2)
    words = train_command(create_run(spec.to_dict(), plan))
    assert shlex.split(command_line(words)) == words
    assert [word for word in words if word.startswith("--")] == [
        "--plan", "--data", "--steps", "--seed",
    ]  # fmt: skip


def test_a_lineage_is_kept_and_a_damaged_one_says_nothing() -> None:
    folder = create_run({"model": "nano", "steps": 2}, {"name": "x"})
    assert lineage_of(folder).retry_of == ""
    note_retry(folder, "20260101-000000-first-run")
    note_resume(folder)
    note_resume(folder)
    found = lineage_of(folder)
    assert found.retry_of == "20260101-000000-first-run"
    assert len(found.resumed) == 2
    for text in ("", "[]", '{"retry_of": 5, "resumed": ["x"]}', '{"resumed": 3}'):
        (folder / LINEAGE_NAME).write_text(text)
        assert lineage_of(folder) == type(found)()
