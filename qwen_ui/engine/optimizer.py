"""AdamW for the trained tensors alone, on float32 master weights where the weights are narrower.

A bfloat16 weight near 0.02 has steps of about 1e-4: at a rate of 1e-6 plain AdamW moves 2 % of them
(docs/decisions/engine.md). The master takes the small steps, and the weight is its rounding.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import nn
from torch.distributed.tensor import DTensor

from qwen_ui.engine.process_group import ProcessGroup
from qwen_ui.engine.sharding import fill, local, sharded_like, whole

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
    """

    def __init__(self, module: nn.Module, *, weight_decay: float, gradient_clip: float) -> None:
        self.parameters = {n: p for n, p in module.named_parameters() if p.requires_grad}
        assert self.parameters, "an optimizer needs something that trains"
        self.masters = {name: _master(p) for name, p in self.parameters.items()}
        some = next(iter(self.masters.values()))
        self._sharded = isinstance(some, DTensor)
        most = PORTION_BYTES if some.device.type == "cpu" else GPU_PORTION_BYTES
        self._portions = _portions(self.parameters, self.masters, most)
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
        some = next(iter(self.masters.values()))
        here = [float(gradient is not None) for gradient in mine.values()]
        present = group.all_reduce_sum(torch.tensor(here, device=some.device)).tolist()
        for (name, gradient), anywhere in zip(mine.items(), present, strict=True):
            if not anywhere:  # used in no process: the optimizer is to skip it
                continue
            held = torch.zeros_like(self.masters[name]) if gradient is None else gradient
            self._sums[name] = group.all_reduce_sum(held.detach()) / group.world_size

    def step(self, rate: float, loss: torch.Tensor | None = None) -> torch.Tensor:
        """Take one step at this rate; the norm of the gradients before clipping.

        Where the norm, or the loss if it is given, is not finite, nothing is changed. The device
        decides that, so that nothing waits for it.
        """
        with torch.no_grad():
            norm = _total_norm([self._gradient(name) for name in self.parameters])
            sound = norm.isfinite() if loss is None else norm.isfinite() & loss.isfinite()
            broken = (~sound).float()
            # The optimizer divides by it.
            scale = ((norm + CLIP_EPSILON) / self._clip).clamp_min(1.0) if self._clip else None
        for group in self.adam.param_groups:
            group["lr"] = rate
        if self._sharded:  # the optimizer takes no plain tensors beside sharded ones
            if broken:
                return norm
        else:
            self.adam.found_inf, self.adam.grad_scale = broken, scale  # type: ignore[attr-defined]
        for names in self._portions:
            self._update(names, scale)
        return norm

    def _gradient(self, name: str) -> torch.Tensor | None:
        return self._sums.get(name, self.parameters[name].grad)

    def _update(self, names: list[str], scale: torch.Tensor | None) -> None:
        """Step these; AdamW skips those without a gradient, and counts their steps apart."""
        self._give_gradients(names)
        if self._sharded and scale is not None:
            for name in names:
                if self.masters[name].grad is not None:
                    self.masters[name].grad /= scale
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
            if gradient is None or gradient.dtype == torch.float32:
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


def _total_norm(gradients: list[torch.Tensor | None]) -> torch.Tensor:
    """The norm of all gradients together, added up in float32."""
    present = [gradient for gradient in gradients if gradient is not None]
    assert present, "a backward pass leaves gradients"
    norms = torch._foreach_norm(present, 2, dtype=torch.float32)
    return torch.linalg.vector_norm(torch.stack([whole(norm) for norm in norms]))


def _portions(
    parameters: dict[str, nn.Parameter], masters: dict[str, nn.Parameter], most: int
) -> list[list[str]]:
    """Names whose gradients stand in float32 together: those that are float32, then the rest."""
    wide = [name for name in parameters if masters[name] is parameters[name]]
    portions, size = [wide, list[str]()], 0
    for name, parameter in parameters.items():
        if masters[name] is parameter:
            continue
        needed = 4 * parameter.numel()
        if portions[-1] and size + needed > most:
            portions.append([])
            size = 0
        portions[-1].append(name)
        size += needed
    return [portion for portion in portions if portion]
