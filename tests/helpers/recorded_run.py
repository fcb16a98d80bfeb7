"""A run in this process: its events in memory, its delta on the disk."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from qwen_ui.engine import Prepared, Trainer, checked_spec, set_up
from qwen_ui.freeze import FreezePlan
from qwen_ui.runs import NullWriter


class Recorder(NullWriter):
    """Keeps the events of a run."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.steps: list[dict[str, Any]] = []
        self.ended: dict[str, Any] = {}

    def event(self, name: str, **fields: Any) -> None:
        if name == "step":
            self.steps.append(fields)
        if name == "end":
            self.ended = fields


def record_run(
    model: Path, data: Path, plan: FreezePlan, out: Path, **settings: Any
) -> tuple[Recorder, Prepared]:
    """Train by `set_up` and `Trainer` in float32 on the CPU.

    Args:
        out: folder to make, for the delta.
        settings: other than those of these small runs.
    """
    spec = checked_spec(
        model=str(model), plan=plan, data=str(data), sequence_length=32, batch_size=4,
        sample_tokens=0, dtype="float32", device="cpu", **settings,
    )  # fmt: skip
    out.mkdir()
    prepared = set_up(spec, out)
    writer = Recorder(out)
    Trainer(prepared, writer).run()
    return writer, prepared
