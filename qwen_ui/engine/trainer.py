"""A prepared run from its first step to its last: measures, checkpoints, samples, stopping."""

from __future__ import annotations

import math
import resource
import sys
import time
from collections.abc import Iterable
from dataclasses import asdict, replace
from typing import Any

import torch

from qwen_ui.engine.checkpoint import Progress, last_checkpoint, write_checkpoint
from qwen_ui.engine.delta import write_delta
from qwen_ui.engine.loop import StepReport
from qwen_ui.engine.lora import weight_changes
from qwen_ui.engine.sample import continuation, prompt_from
from qwen_ui.engine.schedule import steepest_rate
from qwen_ui.engine.setup import Prepared
from qwen_ui.runs.null_writer import SilentWriter
from qwen_ui.runs.writer import RunWriter

# Copies of what trained tensors began as are held for the movement view up to this size.
MAX_ORIGIN_BYTES = 1024**3
MOVEMENTS = 20
BEST = "best/"


class Trainer:
    """Runs what `prepare` made and tells the writer."""

    def __init__(self, prepared: Prepared, writer: RunWriter | SilentWriter) -> None:
        self._run, self._writer = prepared, writer
        self._spec, self._loop = prepared.spec, prepared.loop
        self._progress = Progress()
        self._curve: list[tuple[float, float]] = []
        self._prompts = self._spec.sample_prompts or (
            prompt_from(prepared.evaluation, prepared.tokenizer),
        )
        trained = self._loop.optimizer.trained()
        size = sum(t.numel() * t.element_size() for t in trained.values())
        held = size <= MAX_ORIGIN_BYTES
        self._origin = {n: t.clone() for n, t in trained.items()} if held else {}
        # With early stopping: the masters as they were at `best_step`, named as in a checkpoint.
        self._best: dict[str, torch.Tensor] = {}

    def run(self) -> None:
        """Train to the last step, or until something asks to stop."""
        self._begin()
        status, reason = "completed", ""
        for step in range(self._progress.step + 1, self._spec.steps + 1):
            self._step(step)
            reason = self._reason_to_stop()
            if reason:
                status = "stopped" if reason.startswith("Stopped") else "completed"
                break
        self._finish(status, reason)

    def _begin(self) -> None:
        run, spec = self._run, self._spec
        found = last_checkpoint(self._writer.folder / "checkpoints")
        if found is not None:
            tensors, self._progress = found
            self._loop.optimizer.load_state_tensors(tensors)
            held = {name: t for name, t in tensors.items() if name.startswith(BEST)}
            self._best = {name.removeprefix(BEST): t for name, t in held.items()}
            self._loop.tokens = self._progress.tokens
        self._writer.status("running", steps=spec.steps, step=self._progress.step)
        self._writer.event("start", **self._start_fields())
        for note in run.notes:
            self._writer.event("log", level="warning", message=note)
        if spec.trackers:
            run.accelerator.init_trackers("qwen_ui", config=_flat(spec.model_dump(mode="json")))
        if found is None and not spec.rate_test:
            before = self._evaluate()
            self._progress = replace(self._progress, eval_before=before, eval_best=before)
            self._samples()

    def _start_fields(self) -> dict[str, Any]:
        run, loop = self._run, self._loop
        total = run.selection.total_parameters
        trained = loop.optimizer.elements
        return {
            "step": self._progress.step,
            "steps": self._spec.steps,
            "device": loop.team.device.type,
            "device_name": _device_name(loop.team.device),
            "processes": loop.team.count,
            "threads": torch.get_num_threads(),
            "dtype": str(next(run.model.parameters()).dtype).removeprefix("torch."),
            "prefix_blocks": loop.trainee.prefix_blocks,
            "trainable_parameters": trained,
            "total_parameters": total + (trained if self._spec.lora_rank else 0),
            "learning_rate": run.rate.rate,
            "learning_rate_source": run.rate.source,
            "training_examples": len(run.training.items),
            "evaluation_examples": len(run.evaluation.items),
            "fingerprint": run.fingerprint,
        }

    def _step(self, step: int) -> None:
        began = time.perf_counter()
        report = self._loop.step(step)
        seconds = time.perf_counter() - began
        self._progress = replace(
            self._progress,
            step=step,
            tokens=report.tokens,
            elapsed=self._progress.elapsed + seconds,
        )
        self._tell(report, seconds)
        spec = self._spec
        if spec.rate_test:
            self._curve.append((report.learning_rate, report.loss))
        if _due(step, spec.eval_every) and step < spec.steps:
            self._judge(self._evaluate())
        if _due(step, spec.sample_every) and step < spec.steps:
            self._samples()
        if _due(step, max(1, spec.steps // MOVEMENTS)):
            self._movement()
        if _due(step, spec.checkpoint_every) and step < spec.steps:
            self._checkpoint()

    def _tell(self, report: StepReport, seconds: float) -> None:
        self._writer.event(
            "step",
            **asdict(report),
            seconds=seconds,
            elapsed=self._progress.elapsed,
            memory_bytes=peak_bytes(self._loop.team.device),
        )
        if self._spec.trackers:
            values = {"loss": report.loss, "learning_rate": report.learning_rate}
            self._run.accelerator.log(values, step=report.step)

    def _evaluate(self) -> float:
        loss = self._loop.evaluate()
        step, elapsed = self._progress.step, self._progress.elapsed
        self._writer.event("eval", step=step, loss=loss, elapsed=elapsed)
        return loss

    def _judge(self, loss: float) -> None:
        best = self._progress.eval_best
        if best is None or loss < best:
            self._progress = replace(self._progress, eval_best=loss, eval_stale=0)
            if self._spec.early_stopping and self._origin:
                trained = self._loop.optimizer.trained()
                self._best = {f"master/{name}": tensor.clone() for name, tensor in trained.items()}
                self._progress = replace(self._progress, best_step=self._progress.step)
        else:
            self._progress = replace(self._progress, eval_stale=self._progress.eval_stale + 1)

    def _samples(self) -> None:
        # All processes write: where the weights are shared out, none can alone.
        if not self._spec.sample_tokens:
            return
        for prompt in self._prompts:
            text = continuation(
                self._loop.trainee, self._run.tokenizer, prompt, self._spec.sample_tokens
            )
            self._writer.event("sample", step=self._progress.step, prompt=prompt, text=text)

    def _movement(self) -> None:
        if not self._origin:
            return
        squares: dict[int, float] = {}
        trained, by_name = self._loop.optimizer.trained(), self._run.selection.anatomy.by_name
        moves: Iterable[tuple[str, torch.Tensor]]
        if self._spec.lora_rank:  # B is 0 to begin with: what is added now is the movement
            moves = weight_changes(trained).items()
        else:
            moves = ((name, trained[name] - begun) for name, begun in self._origin.items())
        for name, move in moves:
            block = by_name[name].block
            if block is not None:
                squares[block] = squares.get(block, 0.0) + float(move.square().sum())
        blocks = [[block, math.sqrt(total)] for block, total in sorted(squares.items())]
        self._writer.event("movement", step=self._progress.step, blocks=blocks)

    def _checkpoint(self) -> None:
        state = self._loop.optimizer.state_tensors()
        state |= {BEST + name: tensor for name, tensor in self._best.items()}
        if self._loop.team.rank == 0:
            write_checkpoint(self._writer.folder / "checkpoints", state, self._progress)

    def _reason_to_stop(self) -> str:
        team, patience = self._loop.team, self._spec.early_stopping
        asked = self._writer.stop_requested
        if team.count > 1:
            # Only the first process looks at the folder; all have to stop at the same step.
            asked = float(team.total(torch.tensor(float(asked), device=team.device))) > 0
        if asked and self._progress.step < self._spec.steps:
            return f"Stopped by hand after step {self._progress.step}."
        if patience and self._progress.eval_stale >= patience:
            said = f"No better evaluation loss in {patience} evaluations."
            best = self._progress.best_step
            return f"{said} Its tensors are those of step {best}." if self._best else said
        return ""

    def _finish(self, status: str, reason: str) -> None:
        if status == "stopped":
            self._checkpoint()
        elif reason and self._best:
            self._loop.optimizer.load_state_tensors(self._best)
        self._movement()
        after = None if self._spec.rate_test else self._evaluate()
        if self._spec.rate_test:
            self._tell_rate()
        else:
            self._samples()
        delta = self._write_delta()
        if self._spec.trackers:
            self._run.accelerator.end_training()
        self._writer.event(
            "end",
            status=status,
            reason=reason,
            eval_loss_before=self._progress.eval_before,
            eval_loss_after=after,
            delta=delta,
        )
        self._writer.status(status, reason, step=self._progress.step)

    def _tell_rate(self) -> None:
        rates, losses = [r for r, _ in self._curve], [loss for _, loss in self._curve]
        best = steepest_rate(rates, losses)
        said = f"{best:.1e}" if best else "none: the loss never fell"
        message = f"The loss falls fastest at a learning rate of {said}."
        self._writer.event("log", level="info", message=message)

    def _write_delta(self) -> str:
        file = self._writer.folder / "delta.safetensors"
        trained = self._loop.optimizer.trained()
        if self._loop.team.rank == 0:
            write_delta(
                file,
                trained,
                base=self._run.fingerprint,
                plan=self._spec.plan,
                spec=self._spec.model_dump(mode="json"),
                step=self._progress.step,
            )
        return file.name


def peak_bytes(device: torch.device) -> int:
    """The most memory that this process has held so far, on its device."""
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device)
    # Kilobytes on Linux, bytes on a Mac; see getrusage(2).
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit


def _device_name(device: torch.device) -> str:
    return torch.cuda.get_device_name(device) if device.type == "cuda" else device.type


def _due(step: int, every: int) -> bool:
    return every > 0 and step % every == 0


def _flat(values: dict[str, Any]) -> dict[str, Any]:
    """Settings as trackers take them: no lists, no dictionaries."""
    return {k: v if isinstance(v, int | float | str) else str(v) for k, v in values.items()}
