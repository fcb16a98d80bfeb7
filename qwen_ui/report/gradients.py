"""Where gradients go, seen by a backward through the weightless module."""

from __future__ import annotations

from collections.abc import Iterable

from torch import nn
from torch._subclasses.fake_tensor import FakeTensorMode

from qwen_ui.model.anatomy import Anatomy, Parameter, Role
from qwen_ui.model.skeleton import step_inputs

TOP_BLOCKS = 4


def top_attention(anatomy: Anatomy) -> frozenset[str]:
    """Names of the attention tensors in the last four blocks."""
    return frozenset(p.name for p in top_parameters(anatomy) if p.role is Role.ATTENTION)


def top_biases(anatomy: Anatomy) -> frozenset[str]:
    """Names of the biases in the last four blocks, of norms and MLPs too where they exist."""
    return frozenset(p.name for p in top_parameters(anatomy) if p.name.endswith(".bias"))


def top_parameters(anatomy: Anatomy) -> tuple[Parameter, ...]:
    """The tensors of the last four blocks."""
    first = anatomy.block_count - TOP_BLOCKS
    return tuple(p for p in anatomy.parameters if p.block is not None and p.block >= first)


def names_with_gradient(
    module: nn.Module, mode: FakeTensorMode, selected: Iterable[str]
) -> frozenset[str]:
    """Names of the parameters that hold a gradient after one backward with only `selected` on.

    The module's tensors are fake and belong to `mode`; nothing is computed but shapes.
    """
    chosen = frozenset(selected)
    for name, parameter in module.named_parameters():
        parameter.requires_grad_(name in chosen)
        parameter.grad = None
    with mode:
        inputs = step_inputs(module)
        output = module(**inputs, labels=inputs["input_ids"], use_cache=False)
        if output.loss.requires_grad:  # not where every selected tensor is cut off
            output.loss.backward()
    return frozenset(n for n, p in module.named_parameters() if p.grad is not None)


def check_gradients(anatomy: Anatomy, module: nn.Module, mode: FakeTensorMode) -> tuple[bool, str]:
    """Attention-only and biases-only on the top blocks: gradients there and nowhere else."""
    said: list[str] = []
    passed = True
    for label, names in (
        ("attention", top_attention(anatomy)),
        ("biases", top_biases(anatomy)),
    ):
        if not names:
            said.append(f"{label}: the top {TOP_BLOCKS} blocks have none")
            continue
        try:
            found = names_with_gradient(module, mode, names)
        except Exception as error:
            reason = " ".join(str(error).split())[:160]
            return False, (
                f"Could not be executed without weights: {type(error).__name__}: {reason}"
            )
        passed = passed and found == names
        said.append(_compare(label, names, found))
    return passed, "; ".join(said) + "."


def _compare(label: str, wanted: frozenset[str], found: frozenset[str]) -> str:
    text = f"{label} of the top {TOP_BLOCKS} blocks: {len(wanted)} tensors selected, "
    text += f"{len(found)} with a gradient"
    missing, extra = sorted(wanted - found), sorted(found - wanted)
    if missing:
        text += f", none on `{missing[0]}`"
    if extra:
        text += f", one on `{extra[0]}` that was not selected"
    return text
