"""The learning-rate finder as a run: it tries rates by short runs and records what they came to."""

from __future__ import annotations

import time
from dataclasses import asdict, replace

from qwen_ui.engine.hardware import peak_bytes
from qwen_ui.engine.rate_finder import best_rate, next_rate, search_steps, trial_steps
from qwen_ui.engine.rate_trials import RateTrials, Stopped
from qwen_ui.engine.setup import Prepared
from qwen_ui.engine.start_fields import start_fields
from qwen_ui.engine.step_report import StepReport
from qwen_ui.formats import rate_text
from qwen_ui.runs import Phases, Writer


class RateSearch:
    """Tries rates for a prepared run; what it trained is left in no file.

    Args:
        prepared: from `set_up`; its number of steps is the one that a rate is sought for.
        writer: records events and status.
        tell: records what is done; None for one of its own.
    """

    def __init__(self, prepared: Prepared, writer: Writer, tell: Phases | None = None) -> None:
        self._run, self._writer, self._tell = prepared, writer, tell or Phases(writer)
        self._steps = trial_steps(prepared.spec.optimization.steps)
        self._step = self._tokens = 0
        self._elapsed = 0.0
        self._losses: dict[float, float | None] = {}

    def run(self) -> None:
        """Try rates until the best lies between two others, or something asks to stop."""
        run, writer = self._run, self._writer
        self._announce()
        foreseen = search_steps(run.spec.optimization.steps)
        writer.event("start", **start_fields(run, step=0, steps=foreseen))
        for note in run.notes:
            writer.event("log", level="warning", message=note)
        self._tell("before")
        trials = RateTrials(run, self._report)
        self._tell("training")
        writer.event("eval", step=0, loss=trials.before, elapsed=0.0)
        while (rate := next_rate(self._losses, run.rate.rate)) is not None:
            began = time.perf_counter()
            try:
                loss = trials.after(rate, self._steps)
            except Stopped:
                reason = f"Stopped by the user after {len(self._losses)} rates."
                writer.event("end", status="stopped", reason=reason)
                writer.status("stopped", reason)
                return
            self._losses[rate] = loss
            self._elapsed += time.perf_counter() - began
            writer.event("trial", rate=rate, loss=loss, steps=self._steps, elapsed=self._elapsed)
            self._announce()
        self._end(trials.before)

    def _announce(self) -> None:
        """How far it is; how many rates it takes is known at the end alone."""
        foreseen = search_steps(self._run.spec.optimization.steps, len(self._losses))
        self._writer.status("running", steps=foreseen, step=self._step)

    def _report(self, report: StepReport, seconds: float) -> None:
        if self._run.loop.group.any(self._writer.stop_requested):
            raise Stopped
        self._step += 1
        self._writer.event(
            "step",
            **asdict(replace(report, step=self._step, tokens=self._tokens + report.tokens)),
            seconds=seconds,
            elapsed=self._elapsed,
            memory_bytes=peak_bytes(self._run.loop.group.device),
        )
        if report.step == self._steps:
            self._tokens += report.tokens

    def _end(self, before: float) -> None:
        steps = self._run.spec.optimization.steps
        found = best_rate(self._losses, before, steps)
        if found is None:
            said = (
                f"No learning rate lowered the evaluation loss in {self._steps} steps: check the "
                "data and the plan."
            )
        else:
            said = (
                f"For {steps:,} steps a learning rate of {rate_text(found)}, by "
                f"{len(self._losses)} runs of {self._steps} steps."
            )
        level = "info" if found else "warning"
        self._writer.event("log", level=level, message=said)
        self._writer.event("end", status="completed", reason=said, learning_rate=found)
        self._writer.status("completed", said, step=self._step, steps=self._step)
