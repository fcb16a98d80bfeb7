"""A comparison whose runs are over, without training: its folders as workers leave them."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from qwen_ui.compare import Comparison, make_comparison, parse_plans, write_comparison
from qwen_ui.runs import RunWriter, create_run
from qwen_ui.ui.page.data_choice import KJV, data_files


def finished_run(entry: Any, loss: float) -> str:
    """A run folder as a worker leaves it, written by the same writer."""
    folder = create_run(entry.spec.to_dict(), entry.spec.plan)
    counts = {"trainable_parameters": 10, "total_parameters": 100, "learning_rate": 1e-3}
    with RunWriter(folder) as writer:
        writer.event("start", step=0, steps=2, prefix_blocks=24, **counts)
        writer.event("eval", step=0, loss=6.0, elapsed=0.0)
        writer.event("sample", step=0, prompt="And", text=" <b>so</b>")
        for step in (1, 2):
            writer.event(
                "step", step=step, loss=5.0, seconds=0.5, elapsed=0.5 * step, tokens=64 * step
            )
        writer.event("sample", step=2, prompt="And", text=" it came")
        end = {"eval_loss_before": 6.0, "eval_loss_after": loss}
        writer.event("end", status="completed", reason="", delta=None, **end)
        writer.status("completed", step=2, steps=2)
    return folder.name


def finished_comparison(*losses: float) -> Comparison:
    """Attention against BitFit, its runs completed with these evaluation losses."""
    data, held_out = data_files(KJV, None)
    plans = parse_plans("attention,bitfit")
    made = make_comparison("nano", plans, data=data, eval_data=held_out, steps=2, find_rates=False)
    entries = tuple(
        replace(entry, run=finished_run(entry, loss))
        for entry, loss in zip(made.entries, losses, strict=True)
    )
    write_comparison(replace(made, entries=entries))
    return replace(made, entries=entries)
