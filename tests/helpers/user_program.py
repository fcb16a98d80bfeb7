"""A program that a user would write. `make lint` checks its types, and a test runs it.

`python -m tests.helpers.user_program DATA EVAL_DATA` prints a line of JSON.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any, assert_type

import qwen_ui

if __name__ == "__main__":
    data, eval_data = sys.argv[1:]
    anatomy = qwen_ui.open_model("nano")
    assert_type(anatomy, qwen_ui.Anatomy)
    selection = qwen_ui.resolve(qwen_ui.preset("bitfit", layers="last:4"), anatomy)
    assert_type(selection.trainable_parameters, int)
    cost = qwen_ui.estimate_cost(anatomy, selection, batch_size=2, sequence_length=32)
    assert_type(cost.peak_bytes, int)

    short: dict[str, Any] = {
        "eval_data": eval_data,
        "batch_size": 2,
        "sequence_length": 32,
        "sample_tokens": 0,
    }
    seen: list[str] = []
    run = qwen_ui.train(
        anatomy,
        selection,
        data,
        steps=3,
        on_event=lambda event: seen.append(event["event"]),
        **short,
    )
    assert_type(run.losses, list[float])
    assert_type(run.delta, Path | None)
    compared = qwen_ui.compare_plans(
        "nano", ["attention@last:4", "bitfit@last:4"], data, steps=3, find_rates=False, **short
    )
    assert_type(compared.verdict, str)
    assert_type(compared.runs, tuple[qwen_ui.Run, ...])
    ranking = qwen_ui.rank_blocks("nano", data, method="weight")
    assert_type(ranking.top(4), tuple[int, ...])

    long = qwen_ui.train("nano", "bitfit@last:1", data, steps=5000, wait=False, **short)
    long.stop()
    long.wait()
    try:
        qwen_ui.train("nano", "nothing of this name", data)
    except qwen_ui.UserError as error:
        refused = str(error)
    runs = qwen_ui.list_runs()
    assert_type(runs[0], qwen_ui.Run)
    assert runs[-1] == run == qwen_ui.find_run(run.name)
    shown = (anatomy, selection, cost, run, compared, ranking, runs)
    told = {
        "trainable": selection.trainable_parameters,
        "status": run.status,
        "steps": seen.count("step"),
        "losses": run.losses,
        "delta": run.delta is not None and run.delta.is_file(),
        "verdict": compared.verdict,
        "compared": [one.status for one in compared.runs],
        "top": ranking.top(4),
        "stopped": long.status,
        "refused": refused,
        "runs": len(runs),
        "views": [value._repr_html_() for value in shown],
        "imported": sorted({"gradio", "plotly"} & set(sys.modules)),
    }
    print(json.dumps(told))
