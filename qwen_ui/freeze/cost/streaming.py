"""Frozen blocks that are read once from the files and never held: what stays, and their one pass.

With blocks 0 to k-1 frozen their weights are needed once: each is read, run over every sequence,
and dropped, before the first step. This says what that holds, reads and computes, and when it is
the way to go. Pure: memory and speeds are told by the caller.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal, cast

from qwen_ui.formats import short_bytes
from qwen_ui.freeze.cost.segments import BlockState
from qwen_ui.model import input_embedding

if TYPE_CHECKING:
    from qwen_ui.freeze.cost.step import Cost
    from qwen_ui.freeze.cost.tracer_cache import StepSegments
    from qwen_ui.freeze.selection import Selection
    from qwen_ui.model import Parameter

Way = Literal["off", "keep", "stream"]
# What saves less than this share of the free memory is not worth what it costs elsewhere: samples
# need the whole model.
WORTHWHILE = 0.05
# Readings of the frozen blocks before their pass: one for all proofs.
PROOFS = 1
_FROZEN = BlockState(frozenset(), input_needs_gradient=False, checkpointed=False)


@dataclass(frozen=True, slots=True)
class PrefixPass:
    """The frozen blocks' one pass; by default there is none.

    Attributes:
        flops_per_token: of running them.
        forward_peak: the most bytes that one of them allocates for a batch.
        streamed: bytes in memory of all that is read and dropped, if it were held.
        largest: bytes of its largest block, the first with the embedding.
        read: bytes of it in the files.
    """

    flops_per_token: float = 0.0
    forward_peak: int = 0
    streamed: int = 0
    largest: int = 0
    read: int = 0


@dataclass(frozen=True, slots=True)
class Speed:
    """How fast a machine reads and computes.

    Attributes:
        disk: bytes per second from the files.
        compute: FLOP per second of a forward pass.
        measured: whether a pass on this machine told; else both are assumed.
    """

    disk: float
    compute: float
    measured: bool


@dataclass(frozen=True, slots=True)
class PassTime:
    """Seconds of a pass: of reading the files, and of computing; the next block is read meanwhile.

    Attributes:
        readings: how often the files are read: by the proofs, and for every portion of the
            sequences.
    """

    disk: float
    compute: float
    readings: int

    @property
    def seconds(self) -> float:
        return max(self.disk, self.compute)


def streamed_parameters(selection: Selection) -> tuple[Parameter, ...]:
    """What is read once and dropped: all that lies in the frozen blocks below, and nowhere else.

    With the first block comes and goes the input embedding, where it is a tensor of its own: what
    is kept of the blocks stands in its place.
    """
    below = tuple(f"{block.name}." for block in selection.anatomy.blocks[: selection.prefix_blocks])
    inside = [
        parameter
        for parameter in selection.anatomy.parameters
        if parameter.block is not None
        and parameter.block < selection.prefix_blocks
        and all(name.startswith(below) for name in parameter.aliases)
    ]
    embedding = input_embedding(selection.anatomy)
    if not inside or embedding is None or embedding.aliases or embedding in selection.parameters:
        return tuple(inside)
    return (embedding, *inside)


def prefix_pass(
    selection: Selection, tracer: StepSegments, tokens: int, *, stream: bool
) -> PrefixPass:
    """What the pass takes in batches of this many tokens, in the dtype that was traced.

    Args:
        stream: whether the blocks are read for it, each alone; else they are all held.
    """
    blocks = [tracer.block(index, _FROZEN) for index in range(selection.prefix_blocks)]
    computed = PrefixPass(
        flops_per_token=sum(block.flops_forward for block in blocks) / tokens,
        forward_peak=max((block.output + block.forward_peak for block in blocks), default=0),
    )
    if not stream:
        return computed
    sizes = [0] * selection.prefix_blocks
    read = 0
    for parameter in streamed_parameters(selection):
        sizes[parameter.block or 0] += parameter.numel * tracer.itemsize
        read += parameter.bytes
    return replace(computed, streamed=sum(sizes), largest=max(sizes, default=0), read=read)


def pass_time(
    cost: Cost, tokens: int, speed: Speed, portion: int, *, beforehand: int = PROOFS
) -> PassTime:
    """How long the pass over this many tokens takes.

    Args:
        cost: of the run's step.
        portion: bytes of one block's outputs that are under way together; each portion reads the
            files anew.
        beforehand: readings by the proofs that come before it, of a few tokens.
    """
    readings = beforehand + max(1, -(-tokens * cost.kept_bytes_per_token // portion))
    return PassTime(
        disk=readings * cost.pass_read_bytes / speed.disk,
        compute=tokens * cost.pass_flops_per_token / speed.compute,
        readings=readings,
    )


def choose_way(asked: str, *, kept: float, streamed: float, free: float) -> Way:
    """What becomes of frozen blocks: read once and dropped, held with cached outputs, or run.

    Args:
        asked: `auto`, or the way itself.
        kept, streamed: bytes that a run needs in either way.
        free: bytes that it may take.
    """
    if asked in ("off", "keep", "stream"):
        return cast("Way", asked)
    saved = kept - streamed
    worthwhile = saved > 0 and saved >= WORTHWHILE * free
    return "stream" if kept > free and worthwhile else "keep"


def streamed_sentence(cost: Cost) -> str:
    """What is never held and what stays, in a sentence; "" where all weights are held."""
    if not cost.streamed_bytes:
        return ""
    return (
        f"{short_bytes(cost.streamed_bytes)} of weights are read once and never held; "
        f"{short_bytes(cost.weight_bytes - cost.streamed_bytes)} stay."
    )
