"""The demonstration on a real model: attention-only against BitFit on SmolLM2-135M and chat rows.

A former version said "no difference shown (spread 1.691)", because each seed was judged by other
rows.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from qwen_ui.compare import comparison_record, make_comparison, run_comparison
from qwen_ui.freeze import preset
from qwen_ui.paths import ASSETS
from scripts.smol_model import make_smol_model

pytestmark = [pytest.mark.long, pytest.mark.timeout(1800)]
ROWS = 60
Pair = tuple[str, str]
FORMATS: dict[str, Callable[[str, str], dict[str, Any]]] = {
    "messages": lambda asked, said: {
        "messages": [
            {"role": "user", "content": asked},
            {"role": "assistant", "content": said},
        ]
    },
    "prompt and completion": lambda asked, said: {"prompt": asked, "completion": said},
    "alpaca": lambda asked, said: {"instruction": asked, "input": "", "output": said},
    "text": lambda asked, said: {"text": f"{asked} {said}"},
}


@pytest.fixture(scope="session")
def smol(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("smol")
    make_smol_model(folder)
    return folder


def rows() -> list[Pair]:
    lines = (ASSETS / "data" / "kjv-chat.jsonl").read_text(encoding="utf-8").splitlines()
    chats = [json.loads(line)["messages"] for line in lines[:ROWS]]
    return [(turns[0]["content"], turns[-1]["content"]) for turns in chats]


@pytest.mark.parametrize("form", FORMATS)
def test_attention_beats_bitfit_whatever_the_rows_look_like(
    smol: Path, tmp_path: Path, form: str
) -> None:
    file = tmp_path / "rows.jsonl"
    file.write_text("\n".join(json.dumps(FORMATS[form](*pair)) for pair in rows()))
    record = compared(smol, file, seeds=2)
    assert len({run["eval_loss_before"] for run in record["runs"]}) == 1
    assert record["paired"]["lower"].startswith("attention")
    assert record["paired"]["decided"], record["verdict"]
    assert record["paired"]["samples"] == 12


def test_four_seeds(smol: Path, tmp_path: Path) -> None:
    file = tmp_path / "rows.jsonl"
    file.write_text("\n".join(json.dumps(FORMATS["messages"](*pair)) for pair in rows()))
    paired = compared(smol, file, seeds=4)["paired"]
    assert paired["decided"]
    assert len(paired["seeds"]) == 4
    assert paired["half_width"] < 0.1


def compared(model: Path, data: Path, *, seeds: int) -> dict[str, Any]:
    made = make_comparison(
        str(model),
        [preset("attention"), preset("bitfit")],
        seeds=range(seeds),
        learning_rates=[5e-4, 5e-3],
        data=str(data),
        steps=40,
        batch_size=4,
        sequence_length=128,
    )
    return comparison_record(run_comparison(made))
