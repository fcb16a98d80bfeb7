"""AdamW for the trained tensors alone, on float32 master weights where the weights are narrower.

A bfloat16 weight near 0.02 has steps of about 1e-4: at a rate of 1e-6 plain AdamW moves 2 % of them
(docs/decisions/engine.md). The master takes the small steps, and the weight is its rounding.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import torch
from torch import nn

from qwen_ui.engine.process_group import ProcessGroup
from qwen_ui.engine.sharding import fill, sharded_like, whole

BETAS = (0.9, 0.999)
EPSILON = 1e-8

# Gradients narrower than their masters are converted to float32 so many bytes at a time.
PORTION_BYTES = 128 * 1024**2


class MasterAdamW:
    """Weight decay, gradient clipping and steps for the parameters that require gradients.

    Args:
        module: a plan has been applied to it.
        weight_decay: of matrices (two dimensions or more), except those of norms and embeddings.
        gradient_clip: maximum norm of all gradients together; 0 for none.
    """

    def __init__(self, module: nn.Module, *, weight_decay: float, gradient_clip: float) -> None:
        self.parameters = {n: p for n, p in module.named_parameters() if p.requires_grad}
        assert self.parameters, "an optimizer needs something that trains"
        self.masters = {name: _master(p) for name, p in self.parameters.items()}
        self._portions = _portions(self.parameters, self.masters)
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
            parameter.register_post_accumulate_grad_hook(self._adder(name))
            for name, parameter in self.parameters.items()
            if parameter is not self.masters[name]
        ]
        try:
            yield
        finally:
            for handle in handles:
                handle.remove()

    def _adder(self, name: str) -> Callable[[torch.Tensor], None]:
        def add(parameter: torch.Tensor) -> None:
            assert parameter.grad is not None
            if name in self._sums:
                self._sums[name] += parameter.grad
            else:
                self._sums[name] = parameter.grad.float()
            parameter.grad = None

        return add

    def average_sums(self, group: ProcessGroup) -> None:
        """Take the mean over the processes of what has been added up; all have to ask together."""
        if group.world_size == 1:
            return
        mine = {n: self._sums.get(n, p.grad) for n, p in self.parameters.items()}
        some = next(iter(self.masters.values()))
        here = [float(gradient is not None) for gradient in mine.values()]
        present = group.all_reduce_sum(torch.tensor(here, device=some.device)).tolist()
        for (name, gradient), anywhere in zip(mine.items(), present, strict=True):
            if not anywhere:  # used in no process: the optimizer is to skip it
                continue
            held = torch.zeros_like(self.masters[name]) if gradient is None else gradient
            self._sums[name] = group.all_reduce_sum(held.detach()) / group.world_size

    def step(self, rate: float) -> float:
        """Take one step at this rate; the norm of the gradients before clipping.

        Raises:
            FloatingPointError: the norm is not finite; nothing was changed.
        """
        # Converted twice where they are many, so that only one portion stands in float32.
        once = self._float32_gradients(self._portions[0]) if len(self._portions) == 1 else None
        norms = [_norm(once or self._float32_gradients(names)) for names in self._portions]
        norm = _total_norm(norms)
        if not math.isfinite(norm):
            raise FloatingPointError("The gradients are not finite.")
        for group in self.adam.param_groups:
            group["lr"] = rate
        for names in self._portions:
            self._update(names, once or self._float32_gradients(names), norm)
        return float(norm)

    def _float32_gradients(self, names: list[str]) -> list[torch.Tensor | None]:
        """The gradients of these parameters in float32."""
        held = [self._sums.get(name, self.parameters[name].grad) for name in names]
        return [None if gradient is None else gradient.float() for gradient in held]

    def _update(
        self, names: list[str], gradients: list[torch.Tensor | None], norm: torch.Tensor
    ) -> None:
        """Step these; AdamW skips those without a gradient, and counts their steps apart."""
        held = [self.masters[name] for name in names]
        for master, gradient in zip(held, gradients, strict=True):
            master.grad = gradient
        if self._clip:
            torch.nn.utils.clip_grads_with_norm_(held, self._clip, norm)
        self.adam.step()
        with torch.no_grad():
            for name, master in zip(names, held, strict=True):
                master.grad = None
                if self.parameters[name] is not master:
                    self.parameters[name].copy_(master)

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
                tensors[f"{key}/{name}"] = whole(value)
        return tensors

    def load_state_tensors(self, tensors: dict[str, torch.Tensor]) -> None:
        """Restore what `state_tensors` gave, for the same plan on the same model."""
        with torch.no_grad():
            for name, master in self.masters.items():
                fill(master, tensors[f"master/{name}"])
                self.parameters[name].copy_(master)
                state = {"step": tensors.get(f"step/{name}")}
                for key in ("exp_avg", "exp_avg_sq"):
                    if (value := tensors.get(f"{key}/{name}")) is not None:
                        state[key] = sharded_like(master, value).clone()
                if state["step"] is not None:
                    state["step"] = state["step"].to(master.device)
                    self.adam.state[master] = state


def decayed_names(module: nn.Module) -> frozenset[str]:
    """Parameters that decay: matrices, except those of norms and embeddings.

    Decided by dimension and class: names such as "LayerNorm" miss Qwen's norms.
    """
    names = []
    for prefix, child in module.named_modules():
        if isinstance(child, nn.Embedding) or "norm" in type(child).__name__.lower():
            continue
        for name, parameter in child.named_parameters(recurse=False):
            if parameter.dim() >= 2:
                names.append(f"{prefix}.{name}" if prefix else name)
    embeddings = {
        id(p) for m in module.modules() if isinstance(m, nn.Embedding) for p in m.parameters()
    }
    own = dict(module.named_parameters())
    return frozenset(n for n in names if n in own and id(own[n]) not in embeddings)


def _master(parameter: nn.Parameter) -> nn.Parameter:
    if parameter.dtype == torch.float32:
        return parameter
    return nn.Parameter(parameter.detach().float())


def _norm(gradients: list[torch.Tensor | None]) -> torch.Tensor | None:
    present = [gradient for gradient in gradients if gradient is not None]
    return whole(torch.nn.utils.get_total_norm(present)) if present else None


def _total_norm(norms: list[torch.Tensor | None]) -> torch.Tensor:
    """The norm of all from the norms of the portions."""
    found = [norm for norm in norms if norm is not None]
    assert found, "a backward pass leaves gradients"
    return found[0] if len(found) == 1 else torch.linalg.vector_norm(torch.stack(found))


def _portions(
    parameters: dict[str, nn.Parameter], masters: dict[str, nn.Parameter]
) -> list[list[str]]:
    """Names whose gradients stand in float32 together: those that are float32, then the rest."""
    wide = [name for name in parameters if masters[name] is parameters[name]]
    portions, size = [wide, list[str]()], 0
    for name, parameter in parameters.items():
        if masters[name] is parameter:
            continue
        needed = 4 * parameter.numel()
        if portions[-1] and size + needed > PORTION_BYTES:
            portions.append([])
            size = 0
        portions[-1].append(name)
        size += needed
    return [portion for portion in portions if portion]
