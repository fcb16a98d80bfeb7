"""AdamW for the trained tensors alone, on float32 master weights where the weights are narrower.

A bfloat16 weight near 0.02 has steps of about 1e-4: at a rate of 1e-6 plain AdamW moves 2 % of them
(docs/decisions/engine.md). The master takes the small steps, and the weight is its rounding.
"""

from __future__ import annotations

import importlib
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import nn
from torch.distributed.tensor import DTensor

from qwen_ui.engine.gradients import portions_of, total_norm
from qwen_ui.engine.process_group import ProcessGroup
from qwen_ui.engine.sharding import fill, local, sharded_like, whole
from qwen_ui.engine.weight_decay import decayed_names

BETAS = (0.9, 0.999)
EPSILON = 1e-8

# Gradients narrower than their masters are converted to float32 so many bytes at a time: a GPU has
# the room, and each portion costs it launches.
PORTION_BYTES = 128 * 1024**2
GPU_PORTION_BYTES = 1024**3
# As torch's own clipping adds it to the norm.
CLIP_EPSILON = 1e-6


class MasterAdamW:
    """Weight decay, gradient clipping and steps for the parameters that require gradients.

    Args:
        module: a plan has been applied to it.
        weight_decay: of matrices (two dimensions or more), except those of norms and embeddings.
        gradient_clip: maximum norm of all gradients together; 0 for none.
        eight_bit: keep the moments in 8 bits (Dettmers et al., arXiv 2110.02861), by bitsandbytes.
        offload: keep masters and moments in main memory, and step them there.
    """

    def __init__(
        self,
        module: nn.Module,
        *,
        weight_decay: float,
        gradient_clip: float,
        eight_bit: bool = False,
        offload: bool = False,
    ) -> None:
        self.parameters = {n: p for n, p in module.named_parameters() if p.requires_grad}
        assert self.parameters, "an optimizer needs something that trains"
        self.masters = {name: _master(p, offload) for name, p in self.parameters.items()}
        some = next(iter(self.masters.values()))
        self._sharded = isinstance(some, DTensor)
        # Whether norm and loss are looked at here before the step: these optimizers cannot be told
        # on the device to leave a step out, or what to divide gradients by.
        self._looks = self._sharded or eight_bit or offload or some.device.type == "mps"
        most = PORTION_BYTES if some.device.type == "cpu" else GPU_PORTION_BYTES
        self._portions = portions_of(self.parameters, self.masters, most)
        self._sums: dict[str, torch.Tensor] = {}
        self._clip = gradient_clip
        decayed = decayed_names(module)
        groups = [
            {
                "params": [m for n, m in self.masters.items() if n in decayed],
                "weight_decay": weight_decay,
            },
            {
                "params": [m for n, m in self.masters.items() if n not in decayed],
                "weight_decay": 0.0,
            },
        ]
        used = [group for group in groups if group["params"]]
        self.adam: torch.optim.Optimizer
        if eight_bit:
            optimizers: Any = importlib.import_module("bitsandbytes.optim")
            self.adam = optimizers.AdamW8bit(used, lr=0.0, betas=BETAS, eps=EPSILON)
        else:
            self.adam = torch.optim.AdamW(used, lr=0.0, betas=BETAS, eps=EPSILON, fused=True)

    def zero_grad(self) -> None:
        self._sums.clear()
        for parameter in self.parameters.values():
            parameter.grad = None

    @property
    def narrow(self) -> bool:
        """Whether a weight is narrower than its master."""
        return any(self.parameters[name] is not master for name, master in self.masters.items())

    @contextmanager
    def adding_up(self) -> Iterator[None]:
        """Inside, gradients of narrow weights are added up in float32, each as soon as it is known.

        64 micro-batches added up in bfloat16 are off by 1 % (docs/decisions/engine.md).
        """
        handles = [
            parameter.register_post_accumulate_grad_hook(lambda _, n=name: self._add(n))
            for name, parameter in self.parameters.items()
            if parameter is not self.masters[name]
        ]
        try:
            yield
        finally:
            for handle in handles:
                handle.remove()

    def add_up(self) -> None:
        """Add all gradients that are there to the sums in float32."""
        for name in self.parameters:
            self._add(name)

    def _add(self, name: str) -> None:
        parameter = self.parameters[name]
        if parameter.grad is None:
            return
        if name in self._sums:
            self._sums[name] += parameter.grad
        else:
            self._sums[name] = parameter.grad.to(torch.float32, copy=True)
        parameter.grad = None

    def average_sums(self, group: ProcessGroup) -> None:
        """Take the mean over the processes of what has been added up; all have to ask together."""
        if group.world_size == 1:
            return
        mine = {n: self._sums.get(n, p.grad) for n, p in self.parameters.items()}
        some = next(iter(self.parameters.values()))
        here = [float(gradient is not None) for gradient in mine.values()]
        present = group.all_reduce_sum(torch.tensor(here, device=some.device)).tolist()
        for (name, gradient), anywhere in zip(mine.items(), present, strict=True):
            if not anywhere:  # used in no process: the optimizer is to skip it
                continue
            parameter = self.parameters[name]
            held = torch.zeros_like(parameter, dtype=torch.float32)
            held = held if gradient is None else gradient
            self._sums[name] = group.all_reduce_sum(held.detach()) / group.world_size

    def step(self, rate: float, loss: torch.Tensor | None = None) -> torch.Tensor:
        """Take one step at this rate; the norm of the gradients before clipping.

        Where the norm, or the loss if it is given, is not finite, nothing is changed. The device
        decides that, so that nothing waits for it.
        """
        with torch.no_grad():
            norm = total_norm([self._gradient(name) for name in self.parameters])
            sound = norm.isfinite() if loss is None else norm.isfinite() & loss.isfinite()
            broken = (~sound).float()
            # The optimizer divides by it.
            scale = ((norm + CLIP_EPSILON) / self._clip).clamp_min(1.0) if self._clip else None
        for group in self.adam.param_groups:
            group["lr"] = rate
        if self._looks:
            if broken:
                return norm
        else:
            self.adam.found_inf, self.adam.grad_scale = broken, scale  # type: ignore[attr-defined]
        for names in self._portions:
            self._update(names, scale)
        return norm

    def gradients(self) -> dict[str, torch.Tensor | None]:
        """Of the step that is about to be taken, before clipping, by name."""
        return {name: self._gradient(name) for name in self.parameters}

    def _gradient(self, name: str) -> torch.Tensor | None:
        return self._sums.get(name, self.parameters[name].grad)

    def _update(self, names: list[str], scale: torch.Tensor | None) -> None:
        """Step these; AdamW skips those without a gradient, and counts their steps apart."""
        self._give_gradients(names)
        if self._looks and scale is not None:
            for name in names:
                gradient = self.masters[name].grad
                if gradient is not None:
                    gradient /= scale.to(gradient.device)
        self.adam.step()
        for name in names:
            self.masters[name].grad = None
        narrow = [name for name in names if self.parameters[name] is not self.masters[name]]
        if narrow:
            with torch.no_grad():
                torch._foreach_copy_(
                    [local(self.parameters[name]) for name in narrow],
                    [local(self.masters[name]) for name in narrow],
                )

    def _give_gradients(self, names: list[str]) -> None:
        """Hand the masters their gradients, in float32."""
        narrow = []
        for name in names:
            master, gradient = self.masters[name], self._gradient(name)
            same = gradient is not None and gradient.device == master.device
            if gradient is None or (same and gradient.dtype == torch.float32):
                master.grad = gradient
            else:
                master.grad = torch.empty_like(master)
                narrow.append((local(master.grad), local(gradient)))
        if narrow:
            with torch.no_grad():
                torch._foreach_copy_([to for to, _ in narrow], [of for _, of in narrow])

    def trained(self) -> dict[str, torch.Tensor]:
        """The trained tensors by name, unsharded, at the precision they are trained in."""
        return {name: whole(master.detach()) for name, master in self.masters.items()}

    @property
    def elements(self) -> int:
        """Number of elements that train."""
        return sum(parameter.numel() for parameter in self.parameters.values())

    def state_bytes(self) -> int:
        """Bytes of moments and masters."""
        moments = [v for s in self.adam.state.values() for v in s.values() if torch.is_tensor(v)]
        masters = [m for name, m in self.masters.items() if self.parameters[name] is not m]
        return sum(t.numel() * t.element_size() for t in [*moments, *masters])

    def state_tensors(self) -> dict[str, torch.Tensor]:
        """All that a checkpoint has to hold: masters, both moments and step counts."""
        tensors = {f"master/{n}": whole(m.detach()) for n, m in self.masters.items()}
        for name, master in self.masters.items():
            for key, value in self.adam.state.get(master, {}).items():
                tensors[f"{key}/{name}"] = whole(torch.as_tensor(value))
        return tensors

    def load_state_tensors(self, tensors: dict[str, torch.Tensor]) -> None:
        """Restore what `state_tensors` gave, for the same plan on the same model."""
        states: dict[str, dict[str, torch.Tensor]] = {}
        for key, value in tensors.items():
            kind, _, name = key.partition("/")
            states.setdefault(name, {})[kind] = value
        with torch.no_grad():
            for name, master in self.masters.items():
                state: dict[str, Any] = states[name]
                fill(master, state.pop("master"))
                self.parameters[name].copy_(master)
                if "step" not in state:
                    continue
                # bitsandbytes counts its steps in a number, torch in a tensor on the device.
                step = state.pop("step")
                count = step.to(master.device) if "exp_avg" in state else int(step)
                moments = {
                    kind: sharded_like(master, value).clone()
                    if value.shape == master.shape
                    else value.to(master.device)
                    for kind, value in state.items()
                }
                self.adam.state[master] = {"step": count, **moments}


def _master(parameter: nn.Parameter, offload: bool) -> nn.Parameter:
    if offload:
        return nn.Parameter(parameter.detach().to("cpu", torch.float32, copy=True))
    if parameter.dtype == torch.float32:
        return parameter
    return nn.Parameter(parameter.detach().float())
