"""Short runs from the same weights, one after the other: the same plan at one rate after another.

The model is loaded, its shortcuts proven and its frozen prefix computed once for all of them.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from qwen_ui.data import padding_id
from qwen_ui.engine.loop import Loop
from qwen_ui.engine.schedule import rate_at
from qwen_ui.engine.step_report import StepReport
from qwen_ui.model import embedding_rows

if TYPE_CHECKING:
    from qwen_ui.engine.setup import Prepared

# Handed the report of every step, and its seconds.
OnStep = Callable[[StepReport, float], None]


class Stopped(Exception):
    """Raised by an `OnStep` to end a trial before its last step."""


class RateTrials:
    """Runs a prepared run's plan at any rate, always from the weights that it began with.

    Args:
        prepared: from `set_up`; its own loop is not stepped.
        on_step: told of every step of every trial.

    Attributes:
        start: a copy of the untrained tensors, which every trial begins with.
        before: evaluation loss of the untouched model (nats per token).
    """

    def __init__(self, prepared: Prepared, on_step: OnStep | None = None) -> None:
        self._run, self._on_step = prepared, on_step
        state = prepared.loop.optimizer.state_tensors()
        self.start = {name: tensor.clone() for name, tensor in state.items()}
        self.before = prepared.loop.evaluate().loss

    def after(self, rate: float, steps: int, seed: int | None = None) -> float | None:
        """Evaluation loss after so many steps with this peak, the schedule run to its end.

        Args:
            seed: of data order and dropout; None for the run's own.

        Returns:
            Nats per token; None where the loss or a gradient ceased to be finite.
        """
        loop = self._loop(rate, steps, seed)
        try:
            for step in range(1, steps + 1):
                began = time.perf_counter()
                report = loop.step(step)
                if self._on_step is not None:
                    self._on_step(report, time.perf_counter() - began)
        except FloatingPointError:
            return None
        return loop.evaluate().loss

    def _loop(self, rate: float, steps: int, seed: int | None) -> Loop:
        run, settings = self._run, self._run.spec.optimization
        # One optimizer for all trials: a new one each time would hold its moments beside the old's.
        optimizer = run.loop.optimizer
        optimizer.adam.state.clear()
        optimizer.load_state_tensors(self.start)
        warmup = round(settings.warmup * steps / settings.steps)
        return Loop(
            run.loop.trainee,
            optimizer,
            run.data.training,
            run.data.evaluation,
            rate=lambda step: rate_at(
                step, peak=rate, steps=steps, warmup=warmup, schedule=settings.schedule
            ),
            batch_size=settings.batch_size,
            gradient_accumulation_steps=settings.gradient_accumulation_steps,
            seed=settings.seed if seed is None else seed,
            pad=padding_id(run.data.tokenizer, embedding_rows(run.base.selection.anatomy)),
            group=run.loop.group,
            steps=steps,
            prefix_sources=run.loop.prefix_sources,
        )
