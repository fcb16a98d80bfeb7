"""Prove on a few tokens that the frozen blocks can be run alone, and their outputs cached.

What the suffix takes from the prefix may be more than its output (keys and values that later
blocks share, a second pass of the same blocks), and no list of families says where. So the states
before the head are compared, with the cut and without.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any

import torch

from qwen_ui.engine.forward import Trainee
from qwen_ui.engine.prefix_cut import CutError
from qwen_ui.formats import rounded

# The first rows and tokens of a batch prove as much as all of it: causal models give the same for
# the start of a sequence, whatever follows.
ROWS, TOKENS = 2, 64
# Largest norm of a difference, as a share of the norm, that is rounding. The same kernels run, so
# that it is 0 in nearly every family; XLM, whose prefix lacks its attention, is off by 1e-2.
ROUNDING = {torch.float32: 1e-5, torch.bfloat16: 1e-3}
_WITHOUT = "so they are run at every step."


def asked_of_prefix(inputs: dict[str, Any]) -> list[tuple[dict[str, Any], bool]]:
    """What the prefix is run on for the proof: arguments, and whether in training mode."""
    few = first_tokens(inputs)
    return [(few, False), (few, True)]


def first_tokens(inputs: dict[str, Any]) -> dict[str, Any]:
    """A few tokens of a batch's first rows."""
    return {n: v[:ROWS, :TOKENS] if torch.is_tensor(v) else v for n, v in inputs.items()}


def prove_prefix(trainee: Trainee, inputs: dict[str, Any]) -> tuple[torch.Tensor | None, str]:
    """The outputs of the frozen blocks for a few tokens, or why they cannot be cached.

    Args:
        trainee: cut, in evaluation mode.
        inputs: arguments of the model's forward, of any batch.

    Returns:
        The outputs (rows, tokens, H), None where they cannot be cached; the sentence that says
        why, else "".
    """
    few = first_tokens(inputs)
    assert trainee.cut is not None
    with torch.no_grad():
        whole_BTH, runs = trainee.cut.reference(few, lambda: trainee.states(few))
    try:
        with torch.no_grad():
            return _proven(trainee, few, whole_BTH, runs), ""
    except (MemoryError, torch.OutOfMemoryError):
        raise
    except Exception as error:
        # The model's own code between stand-ins may raise anything; without them it just ran.
        return None, why_not_apart(error)


def why_not_apart(error: Exception) -> str:
    """Why the frozen blocks' outputs cannot be cached, by what running them apart raised."""
    if isinstance(error, CutError):
        return f"The outputs of the frozen blocks are not cached: {error}, {_WITHOUT}"
    said = (str(error).strip().splitlines() or ["no message"])[0][:200]
    return (
        "The frozen blocks cannot be run apart from the others in this model "
        f"({type(error).__name__}: {said}), {_WITHOUT}"
    )


def _proven(
    trainee: Trainee, inputs: dict[str, Any], whole_BTH: torch.Tensor, runs: Counter[int]
) -> torch.Tensor:
    """The outputs; raises `CutError`, or what the model raises, where the cut changes something."""
    assert trainee.cut is not None
    for index in range(len(trainee.cut.blocks)):
        if runs[index] != 1:
            raise CutError(f"block {index} runs {runs[index]} times in a forward pass")
    prefix_BTH, tokens_BT = trainee.run_prefix(inputs), inputs["input_ids"]
    if prefix_BTH.dim() != 3 or prefix_BTH.shape[:2] != tokens_BT.shape:
        shape = " x ".join(map(str, prefix_BTH.shape))
        raise CutError(f"blocks hand on {shape} values for {tuple(tokens_BT.shape)} tokens")
    off = difference(trainee.states(inputs, prefix_BTH), whole_BTH)
    if not off <= rounding(trainee, whole_BTH):
        raise CutError(
            "the blocks above take more from them than their output (without it the states "
            f"differ by {rounded(off, 2)})"
        )
    one, other = _in_training(trainee, inputs, prefix_BTH)
    if not torch.equal(one, other):
        raise CutError("they change at random from step to step")
    if not difference(one, prefix_BTH) <= rounding(trainee, prefix_BTH):
        raise CutError("they are others in training than in evaluation")
    return prefix_BTH


def _in_training(
    trainee: Trainee, inputs: dict[str, Any], evaluated_BTH: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor]:
    """The outputs of two runs in training mode.

    Of frozen blocks that are read for it, the second is spared where the first one draws no random
    number and gives what evaluation gave, to the last bit: it would give the same. Blocks in memory
    are run twice always, for where they are sharded all processes have to run them together.
    """
    assert trainee.cut is not None
    with torch.random.fork_rng():
        trainee.train()
        before = _generator_states()
        one = trainee.run_prefix(inputs)
        undrawn = all(map(torch.equal, before, _generator_states()))
        spared = not trainee.cut.holds_prefix and undrawn and torch.equal(one, evaluated_BTH)
        other = evaluated_BTH if spared else trainee.run_prefix(inputs)
        trainee.eval()
    return one, other


def _generator_states() -> list[torch.Tensor]:
    """Of torch's generators, on the CPU and on the devices that there are."""
    return [torch.get_rng_state(), *torch.cuda.get_rng_state_all()]


def rounding(
    trainee: Trainee, states: torch.Tensor, limits: Mapping[torch.dtype, float] = ROUNDING
) -> float:
    """The share of these states' norm up to which a difference is rounding.

    Args:
        limits: that share, by the dtype that is computed in; float32 and bfloat16.
    """
    with trainee.autocast():
        mixed = torch.is_autocast_enabled(states.device.type)
    dtype = torch.bfloat16 if mixed else trainee.model.dtype
    return limits.get(dtype, limits[torch.bfloat16])


def difference(one: torch.Tensor, other: torch.Tensor) -> float:
    """Norm of the difference, as a share of the other's norm."""
    norm = torch.linalg.vector_norm(other.float()).clamp_min(1e-20)
    return float(torch.linalg.vector_norm(one.float() - other.float()) / norm)
