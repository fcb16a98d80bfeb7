"""Where gradients go, seen by a backward pass through the weightless module."""

from __future__ import annotations

from collections.abc import Iterable

from qwen_ui.freeze import TOP_BLOCKS
from qwen_ui.model import TRACED_TOKENS, Anatomy, FakeModel, long_pass, step_inputs
from qwen_ui.report.top_blocks import top_selection

# What the check calls a preset.
_LABELS = {"attention": "attention", "bitfit": "biases"}


def names_with_gradient(fake: FakeModel, selected: Iterable[str], length: int) -> frozenset[str]:
    """Names of the parameters that hold a gradient after one backward with only `selected` on.

    The module's tensors are fake; nothing is computed but shapes.

    Args:
        length: number of tokens.
    """
    module, chosen = fake.module, frozenset(selected)
    for name, parameter in module.named_parameters():
        parameter.requires_grad_(name in chosen)
        parameter.grad = None
    with fake.running():
        inputs = step_inputs(module, length)
        output = module(**inputs, labels=inputs["input_ids"], use_cache=False)
        if output.loss.requires_grad:  # not where every selected tensor is cut off
            output.loss.backward()
    return frozenset(n for n, p in module.named_parameters() if p.grad is not None)


def check_gradients(anatomy: Anatomy, fake: FakeModel) -> tuple[bool, str]:
    """Attention-only and BitFit on the last blocks: gradients there and nowhere else."""
    evidence: list[str] = []
    passed = True
    for preset, label in _LABELS.items():
        selection = top_selection(anatomy, preset)
        if selection is None:
            evidence.append(f"{label}: the top {TOP_BLOCKS} blocks have none")
            continue
        try:
            found = names_with_gradient(fake, selection.names, TRACED_TOKENS)
            if found < selection.names:  # perhaps a part for long sequences alone
                found = names_with_gradient(fake, selection.names, long_pass(anatomy))
        except Exception as error:
            # Model classes may raise anything in a step without weights; the check did not pass.
            reason = " ".join(str(error).split())[:160]
            return False, (
                f"Could not be executed without weights: {type(error).__name__}: {reason}"
            )
        passed = passed and found == selection.names
        evidence.append(_compare(label, selection.names, found))
    return passed, "; ".join(evidence) + "."


def _compare(label: str, wanted: frozenset[str], found: frozenset[str]) -> str:
    text = f"{label} of the top {TOP_BLOCKS} blocks: {len(wanted)} tensors selected, "
    text += f"{len(found)} with a gradient"
    missing, extra = sorted(wanted - found), sorted(found - wanted)
    if missing:
        text += f", none on `{missing[0]}`"
    if extra:
        text += f", one on `{extra[0]}` that was not selected"
    return text
