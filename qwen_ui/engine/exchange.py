"""One base in memory whose tensors are exchanged, in place, for those of finished runs.

Only the tensors that a delta holds are touched. Their base values are kept aside and copied back:
adding and subtracting a change would leave rounding behind (in bfloat16 7.9 % of the entries of
SmolLM2's attention came back changed). So two runs of a 1.5B need its weights once, and an exchange
takes as long as a copy of what was trained.
"""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import nn

from qwen_ui.engine.delta import Delta
from qwen_ui.engine.strength import blended
from qwen_ui.errors import RunError

# By the names of the base's parameters, in its dtype and on its device; {} is the base itself.
Values = dict[str, torch.Tensor]
BASE: Values = {}


class Exchange:
    """Puts deltas into a model and takes them out again.

    Args:
        model: the base with its weights; nothing else may write to its parameters.
    """

    def __init__(self, model: nn.Module) -> None:
        self._parameters = dict(model.named_parameters(remove_duplicate=False))
        self._kept: Values = {}
        self._present: Values = BASE

    def values(self, delta: Delta, strength: float = 1.0) -> Values:
        """What this delta, at this strength, makes of the base's tensors, ready for `put`.

        Adapters become the weight that `apply` writes: W + B A.

        Raises:
            RunError: the base lacks a tensor that the delta trains, or has it in another shape.
        """
        if strength == 0:
            return BASE
        return {name: self._value(delta, name, strength) for name in delta.weights}

    def _value(self, delta: Delta, name: str, strength: float) -> torch.Tensor:
        parameter = self._parameters.get(name)
        if parameter is None or parameter.shape != delta.shape(name):
            raise RunError(
                f"The base has no tensor '{name}' of the shape that the delta trains. Give the "
                "base that the run used."
            )
        if name not in self._kept:
            self._kept[name] = parameter.detach().clone()
        base = self._kept[name]
        on_cpu = base.cpu()
        tuned = delta.exactly_on(name, on_cpu)
        return blended(on_cpu, tuned, strength).to(base.device, base.dtype, copy=True)

    def put(self, values: Values) -> None:
        """Make the model the base with these values in it; `BASE` makes it the base, bitwise."""
        if values is self._present:
            return
        with torch.no_grad():
            for name in self._present.keys() - values.keys():
                self._parameters[name].copy_(self._kept[name])
            for name, value in values.items():
                self._parameters[name].copy_(value)
        self._present = values

    def keep_only(self, used: Iterable[Values]) -> None:
        """Make the model the base, and drop what was kept for others than these values."""
        self.put(BASE)
        names = {name for values in used for name in values}
        self._kept = {name: value for name, value in self._kept.items() if name in names}
