"""What one reading of the frozen blocks has answered, for whoever asks it later."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import torch

from qwen_ui.engine.stream.passengers import Carried, Influence


@dataclass(frozen=True, slots=True)
class Reference:
    """What the model's own forward, running every block, came to.

    Attributes:
        inputs: its arguments.
        outcome: the states (B, T, H), or what the model raised.
        runs: how often each block ran.
    """

    inputs: dict[str, Any]
    outcome: torch.Tensor | Exception
    runs: Counter[int]

    @property
    def result(self) -> tuple[torch.Tensor, Counter[int]]:
        """The states and the counts; raises what the model raised."""
        if isinstance(self.outcome, Exception):
            raise self.outcome
        return self.outcome, self.runs


class Foreseen:
    """Answers about a few tokens, by the arguments that they were asked with."""

    def __init__(self) -> None:
        self._outputs: dict[tuple[Any, ...], list[torch.Tensor]] = {}
        self._influences: dict[tuple[Any, ...], Influence] = {}
        self._references: dict[tuple[Any, ...], Reference] = {}

    def add(
        self, carried: Iterable[Carried], influences: Iterable[Influence], reference: Reference
    ) -> None:
        """Hold these; what a block raised is not held, and raised again when it is asked for."""
        for one in (one for one in carried if one.error is None):
            self._outputs.setdefault(_key(one.inputs, one.training), []).append(one.output)
        for asked in (asked for asked in influences if asked.error is None):
            self._influences[(*_key(asked.inputs), *_bounds(asked.states))] = asked
            self._outputs.setdefault(_key(asked.inputs), []).append(asked.output)
        self._references[_key(reference.inputs)] = reference

    def output(self, inputs: dict[str, Any], *, training: bool) -> torch.Tensor | None:
        """The output of the frozen blocks (B, T, H); in training mode each one is given once.

        Whether two runs in training mode are equal is what is asked there.
        """
        held = self._outputs.get(_key(inputs, training))
        if not held:
            return None
        return held.pop() if training else held[0]

    def influence(self, inputs: dict[str, Any], states: slice) -> Influence | None:
        return self._influences.get((*_key(inputs), *_bounds(states)))

    def reference(self, inputs: dict[str, Any]) -> Reference | None:
        return self._references.get(_key(inputs))


def _bounds(states: slice) -> tuple[Any, Any]:
    return states.start, states.stop


def _key(inputs: dict[str, Any], training: bool = False) -> tuple[Any, ...]:
    """What a forward pass is known by: its mode, and its arguments' names and values."""
    values = (
        (name, tuple(value.shape), value.cpu().numpy().tobytes())
        if torch.is_tensor(value)
        else (name, value)
        for name, value in sorted(inputs.items())
    )
    return (training, *values)
