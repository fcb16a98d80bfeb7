"""Prove that samples packed into one sequence do not see each other, before any step.

A summed loss hides a leak in its tolerance, so it is asked what the neighbour does: the derivative
of the second sample's states by the embeddings of the first has to be exactly zero (a masked
attention weight is a zero, in every dtype), and neither another neighbour nor none may change them.
"""

from __future__ import annotations

import inspect
from dataclasses import dataclass, replace
from typing import Any

import torch

from qwen_ui.data import Batch, Example, Examples, collate
from qwen_ui.engine.forward import Trainee
from qwen_ui.engine.influence import influence
from qwen_ui.errors import SettingsError
from qwen_ui.formats import rounded

# Tokens of each of the two samples whose derivative is taken: it holds all blocks' activations.
TOKENS = 32
# Largest norm of a difference, as a share of the norm: other shapes take other kernels, and a
# mixture of experts computes other tokens together.
TOLERANCES = {torch.float32: 1e-4, torch.bfloat16: 1e-1}
_OFF = "Turn packing off."


@dataclass(frozen=True, slots=True)
class PackedPair:
    """What packing is proven on: two samples of one sequence, as the model is given them.

    Attributes:
        single: a few tokens of both, of which derivatives are taken.
        second: where the second sample is in it.
        together, exchanged: both samples, and with another first one.
        alone: the second sample.
        middle: where the second sample begins in `together`.
    """

    single: Batch
    second: slice
    together: dict[str, Any]
    exchanged: dict[str, Any]
    alone: dict[str, Any]
    middle: int

    @property
    def asked(self) -> tuple[dict[str, Any], ...]:
        """Arguments of the model's forward."""
        return self.together, self.exchanged, self.alone


def packed_pair(
    trainee: Trainee, examples: Examples, pad: int, device: torch.device, *, rows: int
) -> PackedPair | None:
    """The first packed pair of these examples; None where no samples are packed.

    Args:
        pad: token that fills up short sequences.
        rows: sequences in a batch of the run; some kinds of attention keep samples apart in a
            single sequence alone.

    Raises:
        SettingsError: the model takes no positions.
    """
    packed = next((item for item in examples.items if len(item.starts) > 1), None)
    if packed is None:
        return None
    if "position_ids" not in inspect.signature(trainee.body.forward).parameters:
        raise SettingsError(
            "Packing is not possible: this model takes no positions, so that samples in one "
            f"sequence see each other. {_OFF}"
        )
    begin, middle, end = (*packed.starts, len(packed.tokens))[:3]
    first, second = packed.tokens[begin:middle], packed.tokens[middle:end]
    count = min(rows, 2)

    def batch(*samples: tuple[int, ...]) -> Batch:
        made = Examples((_packed(samples),) * count)
        return collate(made, tuple(range(count)), pad).to(device)

    short = first[-TOKENS:]
    # A batch of one sample has a mask and no positions; it is run as packed ones are.
    alone = batch(second)
    return PackedPair(
        single=batch(short, second[:TOKENS]),
        second=slice(len(short), None),
        together=batch(first, second).inputs,
        exchanged=batch(_exchanged(first, packed), second).inputs,
        alone=replace(alone, mask_BT=None, positions_BT=_count(alone)).inputs,
        middle=len(first),
    )


def check_packing(trainee: Trainee, pair: PackedPair) -> None:
    """Refuse packing where samples of one sequence see each other.

    The pair is run as it is, with its first sample exchanged, and without it.

    Args:
        trainee: in evaluation mode.

    Raises:
        SettingsError: samples see each other, or it cannot be told.
    """
    try:
        leak = _leak(trainee, pair)
    except (MemoryError, torch.OutOfMemoryError):
        raise
    except Exception as error:
        # Whatever the model's own code raises at positions that start again.
        raise SettingsError(
            f"Packing is not possible: this model cannot run a packed sequence "
            f"({type(error).__name__}: {error}). {_OFF}"
        ) from error
    if leak:
        raise SettingsError(
            "Packing is not possible: this model lets samples in one sequence see each other "
            f"({leak}). {_OFF}"
        )


def _leak(trainee: Trainee, pair: PackedPair) -> str:
    """What of the neighbour reaches the second sample; "" where nothing does."""
    depends_BT = influence(trainee, pair.single, pair.second)
    if depends_BT is not None and depends_BT[:, : pair.second.start].any():
        return "the second's states depend on the first"
    if depends_BT is None or not depends_BT.any():
        return "that they do not cannot be shown: the model cannot be differentiated"
    with torch.no_grad():
        states = trainee.states(pair.together)[:, pair.middle :].float()
        exchanged = trainee.states(pair.exchanged)
        alone = trainee.states(pair.alone)
    most = TOLERANCES.get(trainee.model.dtype, 1e-1)
    with trainee.autocast():
        if torch.is_autocast_enabled(states.device.type):
            most = TOLERANCES[torch.bfloat16]
    norm = float(torch.linalg.vector_norm(states))
    for other, what in (
        (exchanged[:, pair.middle :], "with another first sample the second's states differ by"),
        (alone, "alone the second's states differ by"),
    ):
        off = float(torch.linalg.vector_norm(other.float() - states)) / max(norm, 1e-20)
        if not off <= most:
            return f"{what} {rounded(off, 2)}"
    return ""


def _packed(samples: tuple[tuple[int, ...], ...]) -> Example:
    tokens = tuple(token for sample in samples for token in sample)
    starts = tuple(sum(map(len, samples[:number])) for number in range(len(samples)))
    return Example(tokens, (False, *[True] * (len(tokens) - 1)), "", starts)


def _count(batch: Batch) -> torch.Tensor:
    tokens_BT = batch.tokens_BT
    return torch.arange(tokens_BT.shape[1], device=tokens_BT.device).expand_as(tokens_BT)


def _exchanged(sample: tuple[int, ...], packed: Example) -> tuple[int, ...]:
    """Each token of a sample in another's place: the next in value that its sequence has."""
    present = sorted(set(packed.tokens))
    following = dict(zip(present, [*present[1:], present[0]], strict=True))
    return tuple(following[token] for token in sample)
