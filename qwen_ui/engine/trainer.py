"""A prepared run from its first step to its last: what is done between the steps, in order.

The file is longer than others because the order is its one idea: a run that is stopped, told to end
or resumed at any point must come out as if it had not been.
"""

from __future__ import annotations

import math
import time
from contextlib import AbstractContextManager, nullcontext
from dataclasses import asdict, replace
from typing import Any

from qwen_ui.engine.checkpoint import Progress, last_checkpoint, write_checkpoint
from qwen_ui.engine.early_stopping import EarlyStopping
from qwen_ui.engine.forecast import Forecast
from qwen_ui.engine.hardware import peak_bytes
from qwen_ui.engine.leavings import leave_delta, leave_held_out, trained_tensors
from qwen_ui.engine.live_grid import LiveGrid
from qwen_ui.engine.movement import BaseFiles, Movement
from qwen_ui.engine.sample import Sampler
from qwen_ui.engine.setup import Prepared
from qwen_ui.engine.start_fields import start_fields
from qwen_ui.engine.step_report import Evaluation, PendingStep, StepReport
from qwen_ui.runs import (
    KeptText,
    PhaseName,
    Phases,
    Terminated,
    Writer,
    standard_error,
    termination,
    write_kept_text,
)

CHECKPOINTS = "checkpoints"
MOVEMENTS = 20


class Trainer:
    """Takes a prepared run through its steps and records what happens.

    Args:
        prepared: from `set_up`.
        writer: records events and status; one that writes nothing in all but the first process.
        tell: records what is done; None for one of its own.
    """

    def __init__(self, prepared: Prepared, writer: Writer, tell: Phases | None = None) -> None:
        spec, data, loop = prepared.spec, prepared.data, prepared.loop
        self._run, self._writer, self._spec, self._loop = prepared, writer, spec, loop
        self._steps = spec.optimization.steps
        self._progress = Progress()
        self._tell = tell or Phases(writer)
        self._forecast = Forecast(prepared, self._tell)
        # A GPU's numbers are read a step late, so that it never waits for this process.
        self._late = loop.group.device.type == "cuda"
        self._pending: PendingStep | None = None
        self._kept: KeptText | None = None  # as it was last measured
        self._since = 0.0
        self._sampler = Sampler(
            loop.trainee,
            data.tokenizer,
            data.evaluation,
            prompts=spec.evaluation.sample_prompts,
            tokens=spec.evaluation.sample_tokens,
        )
        self._movement = Movement(
            trained_tensors(self._run),
            prepared.base.selection,
            lora=spec.model.lora_rank > 0,
            base=BaseFiles(prepared.base.folder, prepared.model.dtype),
        )
        self._grid = LiveGrid(
            loop.optimizer,
            prepared.base.selection,
            prepared.model,
            self._steps,
            active=loop.group.rank == 0,
        )
        loop.watching = self._grid.watching
        self._stopping = EarlyStopping(
            loop.optimizer, patience=spec.evaluation.early_stopping_patience
        )

    def run(self) -> None:
        """Train to the last step, or until something asks to stop.

        Raises:
            Terminated: the process was told to end (SIGTERM). A checkpoint was taken.
        """
        self._begin()
        # The state is whole between two steps and while nothing but an evaluation runs.
        with termination.held():
            try:
                self._finish(*self._train())
            except Terminated:
                self._settle()
                self._checkpoint()
                raise Terminated(
                    f"It was told to end (SIGTERM) after step {self._progress.step} and saved a "
                    "checkpoint. Resume continues from there."
                ) from None

    def _train(self) -> tuple[str, str]:
        """Take the steps; (status, reason) that they end with."""
        if self._progress.eval_due:
            self._judge()
            if reason := self._stopping.reason_to_stop(self._progress):
                return "completed", reason
        self._forecast.training(self._progress.step)
        for step in range(self._progress.step + 1, self._steps + 1):
            self._step(step)
            if self._stop_requested(step):
                self._settle()
                return "stopped", f"Stopped by the user after step {step}."
            if reason := self._stopping.reason_to_stop(self._progress):
                return "completed", reason
        return "completed", ""

    def _begin(self) -> None:
        # Of the very base: a checkpoint's values come after.
        keep = self._loop.keep
        if keep is not None:
            with self._forecast.measuring("before", self._loop.passes[1:]):
                self._kept = keep.record_baseline()
        resumed = self._resume()
        self._writer.status("running", steps=self._steps, step=self._progress.step)
        fields = start_fields(self._run, step=self._progress.step, steps=self._steps)
        self._writer.event("start", **fields)
        for note in self._run.notes:
            self._writer.event("log", level="warning", message=note)
        if self._spec.resources.trackers:
            config = _scalars(self._spec.flat())
            self._run.accelerator.init_trackers("qwen_ui", config=config)
        if not resumed:
            before = self._evaluate("before")
            self._progress = replace(
                self._progress,
                eval_before=before.loss,
                eval_best=before.loss,
                eval_samples=before.sums,
            )
            self._sample()

    def _resume(self) -> bool:
        """Go on from the last checkpoint; False where there is none."""
        found = last_checkpoint(self._writer.folder / CHECKPOINTS)
        if found is None:
            return False
        tensors, self._progress = found
        self._loop.optimizer.load_state_tensors(tensors)
        self._stopping.load_state_tensors(tensors)
        self._loop.tokens = self._progress.tokens
        return True

    def _step(self, step: int) -> None:
        if self._pending is None:
            self._since = time.perf_counter()
        taken = self._loop.take(step)
        self._settle()
        self._pending = taken
        evaluation, last = self._spec.evaluation, step == self._steps
        evaluates = _due(step, evaluation.eval_every) and not last
        samples = _due(step, evaluation.sample_every) and not last
        moves = _due(step, max(1, self._steps // MOVEMENTS))
        checkpoints = _due(step, self._spec.resources.checkpoint_every) and not last
        if not self._late or last or evaluates or samples or moves or checkpoints:
            self._settle()
        if picture := self._grid.take():
            self._settle()
            self._writer.event("grid", **picture)
        if evaluates:
            self._judge()
        if samples:
            self._sample()
        if moves:
            self._record_movement()
        if checkpoints:
            self._tell("saving")
            self._checkpoint()
        if (evaluates or samples or checkpoints) and not last:
            self._forecast.training(step)

    def _settle(self) -> None:
        """Read and record the step that was taken and is not recorded yet, if there is one."""
        if self._pending is None:
            return
        report, self._pending = self._pending.read(), None
        now = time.perf_counter()
        seconds, self._since = now - self._since, now
        elapsed = self._progress.elapsed + seconds
        self._progress = replace(
            self._progress, step=report.step, tokens=report.tokens, elapsed=elapsed
        )
        self._record_step(report, seconds)
        for note in self._loop.take_notes():
            self._writer.event("log", level="info", message=note)

    def _judge(self) -> None:
        """Evaluate for early stopping; broken off, it is made up for after a resume."""
        self._progress = replace(self._progress, eval_due=True)
        loss = self._evaluate().loss
        self._progress = self._stopping.judged(replace(self._progress, eval_due=False), loss)

    def _record_step(self, report: StepReport, seconds: float) -> None:
        self._writer.event(
            "step",
            **asdict(report),
            seconds=seconds,
            elapsed=self._progress.elapsed,
            memory_bytes=peak_bytes(self._loop.group.device),
        )
        if self._spec.resources.trackers:
            values = {"loss": report.loss, "learning_rate": report.learning_rate}
            self._run.accelerator.log(values, step=report.step)

    def _evaluate(self, phase: PhaseName = "measuring") -> Evaluation:
        """Record the losses of the held-out samples, and what is lost of the text to keep.

        Args:
            phase: what the run does; before training the model is the base, whose figures on the
                text to keep are known.
        """
        passes = self._loop.passes[:1] if phase == "before" else self._loop.passes
        with self._breakable(), self._forecast.measuring(phase, passes):
            found = self._loop.evaluate()
            if self._loop.keep is not None and phase != "before":
                self._kept = self._loop.keep.evaluate()
        error = standard_error(found.sums, found.tokens)
        self._writer.event(
            "eval",
            step=self._progress.step,
            loss=found.loss,
            standard_error=error if math.isfinite(error) else None,
            elapsed=self._progress.elapsed,
            **({} if self._kept is None else self._kept.eval_fields()),
        )
        return found

    def _sample(self) -> None:
        with self._forecast.sampling():
            sampled = list(self._sampler.samples())
        for prompt, text in sampled:
            self._writer.event("sample", step=self._progress.step, prompt=prompt, text=text)

    def _record_movement(self) -> None:
        if self._movement.measured:
            blocks = self._movement.by_block(trained_tensors(self._run))
            self._writer.event("movement", step=self._progress.step, blocks=blocks)

    def _checkpoint(self) -> None:
        state = self._loop.optimizer.state_tensors() | self._stopping.state_tensors()
        if self._loop.group.rank == 0:
            write_checkpoint(self._writer.folder / CHECKPOINTS, state, self._progress)

    def _breakable(self) -> AbstractContextManager[None]:
        """What runs inside may be broken off: it changes nothing.

        Of several processes one may be waiting for another there, and hears of it too late.
        """
        return nullcontext() if self._loop.group.world_size > 1 else termination.released()

    def _stop_requested(self, step: int) -> bool:
        """Whether a person asked the run to stop, and this step is not its last.

        Raises:
            Terminated: the process, or another one of the run, was told to end.
        """
        group = self._loop.group
        # Only the first process looks at the folder; all have to stop at the same step.
        stop = self._writer.stop_requested
        if not group.any(stop or termination.asked):
            return False
        # A person's word comes first; it asks for more than a checkpoint.
        if step < self._steps and group.any(stop):
            return True
        if group.any(termination.asked):
            raise Terminated
        return False

    def _finish(self, status: str, reason: str) -> None:
        if status == "stopped":
            self._checkpoint()
        elif reason:
            self._stopping.restore_best()
        self._record_movement()
        after = self._evaluate("after")
        gain_error = leave_held_out(self._run, self._writer, self._progress.eval_samples, after)
        if self._kept is not None and self._loop.group.rank == 0:
            write_kept_text(self._writer.folder, self._kept)
        self._sample()
        self._tell("saving")
        delta = leave_delta(self._run, self._writer, self._progress.step)
        if self._spec.resources.trackers:
            self._run.accelerator.end_training()
        self._writer.event(
            "end",
            status=status,
            reason=reason,
            eval_loss_before=self._progress.eval_before,
            eval_loss_after=after.loss,
            gain_error=gain_error,
            delta=delta,
            **({} if self._kept is None else self._kept.end_fields()),
        )
        self._writer.status(status, reason, step=self._progress.step)


def _due(step: int, every: int) -> bool:
    return every > 0 and step % every == 0


def _scalars(values: dict[str, Any]) -> dict[str, Any]:
    """Settings as trackers take them: no lists, no dictionaries."""
    return {k: v if isinstance(v, int | float | str) else str(v) for k, v in values.items()}
