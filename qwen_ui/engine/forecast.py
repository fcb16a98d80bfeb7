"""What a run measures beside its steps, told as phases, and how long the rest is expected to take.

Before the first step nothing is known of its speed but what the first evaluation shows: a step is
a forward pass and, on the way back, twice as much work again. From the first step on, a view counts
by the steps' own times, and by what is expected here of evaluations and samples still to come.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from qwen_ui.data import Examples
from qwen_ui.engine.evaluation import EvaluationPass
from qwen_ui.engine.setup import Prepared
from qwen_ui.runs import PhaseName, Phases, RunSpec

# A backward pass costs twice a forward pass (arXiv 2001.08361, section 2.1).
STEP_PASSES = 3


class Forecast:
    """Times passes and samples, tells of them, and says what is expected of those to come.

    Args:
        run: whose passes are watched from now on.
        tell: records the phases.
    """

    def __init__(self, run: Prepared, tell: Phases) -> None:
        self._tell, self._spec = tell, run.spec
        passes = run.loop.passes
        for one in passes:
            one.watch = self._count
        settings, training = run.spec.optimization, run.data.training
        sequences = settings.batch_size * settings.gradient_accumulation_steps
        sequences *= run.loop.group.world_size
        self._step_tokens = _tokens(training) / len(training.items) * sequences
        self._pass_tokens = sum(_tokens(one.examples) for one in passes)
        self._evaluations, self._samplings = to_come(run.spec, 0)
        self._phase: PhaseName = "before"
        self._done = self._total = 0
        self._began = 0.0
        self._timed_tokens, self._timed_seconds = 0, 0.0
        self._sampling_seconds = 0.0

    def training(self, step: int) -> None:
        """Steps are taken from here; this one is done."""
        self._evaluations, self._samplings = to_come(self._spec, step)
        self._foresee()
        self._tell("training")

    @contextmanager
    def measuring(self, phase: PhaseName, passes: Sequence[EvaluationPass]) -> Iterator[None]:
        """Inside, these passes are run."""
        self._phase, self._done, self._began = phase, 0, time.perf_counter()
        self._total = sum(_tokens(one.examples) for one in passes)
        self._tell(phase, 0, self._total)
        yield
        self._timed_tokens += self._done
        self._timed_seconds += time.perf_counter() - self._began
        self._done = self._total = 0

    @contextmanager
    def sampling(self) -> Iterator[None]:
        """Inside, text is sampled."""
        began = time.perf_counter()
        self._tell("sampling")
        yield
        self._sampling_seconds = time.perf_counter() - began

    def _count(self, tokens: int) -> None:
        self._done += tokens
        self._foresee()
        self._tell(self._phase, min(self._done, self._total), self._total)

    def _foresee(self) -> None:
        """Bring what is expected up to date, by all passes so far and the one under way."""
        tokens, seconds = self._timed_tokens + self._done, self._timed_seconds
        if self._done:
            seconds += time.perf_counter() - self._began
        if not tokens:
            return
        ahead = max(0, self._total - self._done) + self._evaluations * self._pass_tokens
        each = seconds / tokens
        self._tell.beside = each * ahead + self._sampling_seconds * self._samplings
        self._tell.per_step = each * STEP_PASSES * self._step_tokens


def to_come(spec: RunSpec, step: int) -> tuple[int, int]:
    """Evaluations and samplings that come after this step, those after the last one included."""
    steps, evaluation = spec.optimization.steps, spec.evaluation

    def due(every: int) -> int:
        return (steps - 1) // every - min(step, steps - 1) // every if every else 0

    samplings = due(evaluation.sample_every) + 1 if evaluation.sample_tokens else 0
    return due(evaluation.eval_every) + 1, samplings


def _tokens(examples: Examples) -> int:
    return examples.arrays.bounds[-1]
