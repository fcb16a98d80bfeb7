"""Training from a program: the worker, the checks and the queue of the command line."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from qwen_ui import workers
from qwen_ui.engine import checked_spec
from qwen_ui.library.plans import AnyPlan, as_contender
from qwen_ui.library.runs import OnEvent, Run
from qwen_ui.model import Anatomy


def train(
    model: str | Path | Anatomy,
    plan: AnyPlan,
    data: str | Path,
    *,
    steps: int = 100,
    learning_rate: float | None = None,
    batch_size: int = 8,
    sequence_length: int = 128,
    seed: int = 0,
    wait: bool = True,
    on_event: OnEvent | None = None,
    **settings: Any,
) -> Run:
    """Train what a plan selects, in a process of its own, and return when it is over.

    The run outlives this process: interrupt it, and the run goes on; `find_run` finds it again.

    Args:
        model: one whose weights are on this machine: a preset (`nano`), a folder, a hub id, or an
            anatomy that was opened from one.
        plan: a plan, a selection, or a name as `compare --plans` takes it (`bitfit@last:4`).
        data: a file, a `datasets` folder or a hub id.
        learning_rate: None for the one suggested for this plan.
        wait: whether to return when the run is over; else at once, for `Run.wait` or `Run.stop`.
        on_event: called with every event of the run while this waits.
        settings: any other setting, by the name of its option of the command `train`.

    Raises:
        UserError: the run cannot be started as asked; or it failed while this waited.
    """
    contender = as_contender(plan)
    settings.setdefault("lora_rank", contender.lora_rank)
    spec = checked_spec(
        model=model.source if isinstance(model, Anatomy) else str(model),
        plan=contender.plan,
        data=str(data),
        steps=steps,
        learning_rate=learning_rate,
        batch_size=batch_size,
        sequence_length=sequence_length,
        seed=seed,
        **settings,
    )
    run = Run(workers.start(spec))
    return run.wait(on_event) if wait else run
