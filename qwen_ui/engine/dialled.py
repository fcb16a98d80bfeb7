"""A finished run at other strengths, measured: gain, and what it does to a text to keep.

One set-up of the run's own model, data and split, at the base's weights; a point then costs an
exchange of what was trained and an evaluation. The frozen prefix is the same at every strength, so
its cached outputs serve all points. A LoRA run is measured by the weights that `apply` writes,
W0 + s B A.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from qwen_ui.data import Example
from qwen_ui.engine.delta import Delta, read_delta, write_delta
from qwen_ui.engine.exchange import BASE, Exchange
from qwen_ui.engine.lora import turned_adapters
from qwen_ui.engine.sample import Sampler
from qwen_ui.engine.setup import set_up
from qwen_ui.engine.step_report import Evaluation
from qwen_ui.engine.strengths import Strengths
from qwen_ui.engine.token_losses import TokenLosses, token_losses
from qwen_ui.errors import RunError
from qwen_ui.model import Anatomy
from qwen_ui.runs import DELTA_NAME, KeptText, RunSpec, read_spec


@dataclass(frozen=True, slots=True)
class Measured:
    """A run at some strength.

    Attributes:
        evaluation: losses of the held-out samples.
        kept: losses and divergences of the text to keep; None where there is none.
        samples: (prompt, continuation).
    """

    evaluation: Evaluation
    kept: KeptText | None
    samples: tuple[tuple[str, str], ...]


class Dialled:
    """Measures a run at any strength.

    Args:
        folder: of the run.
        keep: text to keep in place of the run's own; None for that one.
        sample_tokens: length of a sample; None for that of the run's.

    Raises:
        RunError: the run has no delta, or its base or its data are not what they were.
        UserError: model or data cannot be used.
    """

    def __init__(
        self, folder: Path, *, keep: str | None = None, sample_tokens: int | None = None
    ) -> None:
        self._delta = read_delta(folder / DELTA_NAME)
        spec = _evaluated(read_spec(folder), keep)
        prepared = set_up(spec, folder)
        if prepared.base.fingerprint != self._delta.base:
            raise RunError(
                f"The weights of '{spec.model.source}' are not those that the run trained. Put "
                "them back, or train again."
            )
        self._loop, self._batch_size = prepared.loop, spec.optimization.batch_size
        self._tokenizer = prepared.data.tokenizer
        self.examples: tuple[Example, ...] = prepared.data.evaluation.items
        self.anatomy: Anatomy = prepared.base.selection.anatomy
        self.notes = prepared.notes
        tokens = spec.evaluation.sample_tokens if sample_tokens is None else sample_tokens
        self._sampler = Sampler(
            self._loop.trainee,
            prepared.data.tokenizer,
            prepared.data.evaluation,
            prompts=spec.evaluation.sample_prompts,
            tokens=tokens,
        )
        self._exchange = Exchange(prepared.model)
        if self._loop.keep is not None:
            self._loop.keep.record_baseline()

    def decode(self, token: int) -> str:
        """A token's text, by itself."""
        return str(self._tokenizer.decode([token]))

    @property
    def blocks(self) -> tuple[int, ...]:
        """The blocks that the run trained something of, in order."""
        by_name = self.anatomy.by_name
        found = {by_name[name].block for name in self._delta.weights if name in by_name}
        return tuple(sorted(block for block in found if block is not None))

    def save(self, strengths: Strengths, file: Path) -> None:
        """Write the run at these strengths as a delta of its own, which says so."""
        delta = self._delta.at(strengths, self.anatomy)
        if delta.adapters:
            tensors = turned_adapters(delta.tensors, delta.strengths)
        else:
            base = dict(self._loop.trainee.model.named_parameters(remove_duplicate=False))
            tensors = {n: delta.exactly_on(n, base[n].detach().cpu()) for n in delta.weights}
        write_delta(
            file,
            tensors,
            base=delta.base,
            plan=delta.plan,
            spec=delta.settings,
            step=delta.step,
            strengths=strengths,
        )

    def at(self, strengths: Strengths, *, samples: bool = True) -> Measured:
        """The run at these strengths, measured."""
        with self._turned(strengths):
            evaluation = self._loop.evaluate()
            kept = None if self._loop.keep is None else self._loop.keep.evaluate()
            written: Sequence[tuple[str, str]] = list(self._sampler.samples()) if samples else ()
        return Measured(evaluation, kept, tuple(written))

    def tokens_at(self, strengths: Strengths) -> tuple[TokenLosses, ...]:
        """Losses of the single tokens of every held-out sample at these strengths."""
        with self._turned(strengths):
            return token_losses(self._loop.over_evaluation, self._batch_size)

    @contextmanager
    def _turned(self, strengths: Strengths) -> Iterator[None]:
        """Inside, the model is the run at these strengths; afterwards the base again."""
        delta: Delta = self._delta.at(strengths, self.anatomy)
        base = not any(delta.strengths.values())
        self._exchange.put(BASE if base else self._exchange.values(delta))
        try:
            yield
        finally:
            self._exchange.put(BASE)


def _evaluated(spec: RunSpec, keep: str | None) -> RunSpec:
    """The run's settings for measuring alone: one process, and plain weights under its plan."""
    changes = {} if keep is None else {"keep": keep}
    return spec.changed(
        **changes,
        lora_rank=0,
        learning_rate_finder=False,
        processes=1,
        sharded=False,
        optimizer="adamw",
        optimizer_offload=False,
        gradient_checkpointing=False,
        trackers=(),
    )
