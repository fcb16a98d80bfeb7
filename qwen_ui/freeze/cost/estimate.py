"""What one training step costs, before it is run.

It comes from a fake step of this very architecture (`segment_tracer`): no formula knows the model,
so no formula can be wrong about it. FLOPs are those of `FlopCounterMode`; saved activations are the
storages that autograd saves, each once, as `saved_tensors_hooks` sees them on a real step; the
model's own parameters and buffers are left out, since they exist anyway.

The peak is the most of these at once, on top of the weights and the optimizer's state:

    forward of block i    what blocks before i save + what i allocates
    the loss              what all blocks save + logits and the like
    backward of block i   what blocks up to i save + gradients of those above + what i allocates
    the optimizer         all gradients

Frozen blocks that are read once take no memory in a step; the peak is then that of a step or that
of their pass, when one of them is there on top of the weights that stay (`streaming`).

Where several micro-batches make a step, or gradients have fixed places (a replayed CUDA graph's),
all are held throughout, and each new one only until it has been added.

With an `Engine` the step is priced as a particular trainer takes it. The peak leaves out what a
process needs for itself (libraries, a CUDA context, fragmentation of the allocator): some hundred
MB.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from qwen_ui.freeze.cost.optimizers import optimizer_bytes
from qwen_ui.freeze.cost.segments import BlockState, Segment
from qwen_ui.freeze.cost.step import Cost, StepSettings
from qwen_ui.freeze.cost.streaming import PrefixPass, prefix_pass
from qwen_ui.freeze.cost.tracer_cache import StepSegments, segments_for
from qwen_ui.freeze.plan import FreezePlan, Rule
from qwen_ui.freeze.selection import Selection, resolve
from qwen_ui.model import Role, refuse_length

if TYPE_CHECKING:
    from qwen_ui.model import Anatomy

FLOAT32, FLOAT64 = 4, 8  # bytes


def estimate_cost(
    anatomy: Anatomy,
    selection: Selection,
    *,
    batch_size: int,
    sequence_length: int,
    optimizer: str = "adamw",
    masters: bool = True,
    keep_prefix: bool = False,
    checkpointing: bool = False,
    padded: bool = True,
    dtype: str | None = None,
) -> Cost:
    """The cost of one step that trains this selection; see `StepSettings` for the arguments.

    Raises:
        SettingsError: a setting out of its range.
        ModelError: the model cannot be traced (it was opened from a bare module).
    """
    return price(
        anatomy,
        selection,
        StepSettings(
            batch_size=batch_size,
            sequence_length=sequence_length,
            optimizer=optimizer,
            masters=masters,
            keep_prefix=keep_prefix,
            checkpointing=checkpointing,
            padded=padded,
            dtype=dtype,
        ),
    )


def full_cost(anatomy: Anatomy, settings: StepSettings) -> Cost:
    """The same step, training everything."""
    everything = resolve(FreezePlan(rules=(Rule(),)), anatomy)
    return price(anatomy, everything, replace(settings, keep_prefix=False, stream_prefix=False))


def price(anatomy: Anatomy, selection: Selection, settings: StepSettings) -> Cost:
    """As `estimate_cost`, for settings already made."""
    refuse_length(anatomy, settings.sequence_length)
    tracer = segments_for(anatomy, settings.shape, settings.dtype)
    prefix = selection.prefix_blocks
    skipped = prefix if settings.keep_prefix else 0
    micro_batches = settings.gradient_accumulation_steps
    accumulates = micro_batches > 1
    states = _states(anatomy, selection, settings.checkpointing, accumulates)
    blocks = [tracer.block(i, state) for i, state in enumerate(states) if i >= skipped]
    outside = tracer.outside(
        frozenset(p.name for p in selection.parameters if p.block is None),
        prefix < anatomy.block_count,
        settings.engine.head_loss if settings.engine is not None else None,
        accumulates,
    )
    forward = micro_batches * sum(segment.flops_forward for segment in (outside, *blocks))
    backward = micro_batches * sum(segment.flops_backward for segment in (outside, *blocks))
    held = _held(anatomy, selection, settings, tracer.itemsize)
    passing = PrefixPass()
    if settings.keep_prefix:
        tokens, stream = settings.shape.tokens, settings.stream_prefix
        passing = prefix_pass(selection, tracer, tokens, stream=stream)
    stays = held.weights - passing.streamed
    keep_bytes = _keep_bytes(anatomy, selection, settings, tracer)
    fixed = settings.engine is not None and settings.engine.fixed_gradients
    if accumulates or fixed:
        passes = held.gradients + _peak(outside, blocks, [0] * len(blocks), 0)
    else:
        gradients = [count * tracer.itemsize for _, _, count in selection.block_counts]
        passes = _peak(outside, blocks, gradients[skipped:], held.gradients - sum(gradients))
    return Cost(
        flops_forward=forward,
        flops_step=forward + backward,
        activation_bytes=sum(segment.saved for segment in (outside, *blocks)) + _shared(blocks),
        weight_bytes=held.weights,
        gradient_bytes=held.gradients,
        optimizer_bytes=held.optimizer,
        master_bytes=held.masters,
        origin_bytes=held.origin,
        keep_bytes=keep_bytes,
        peak_bytes=max(
            stays + held.beside_weights + keep_bytes + max(passes, held.steps),
            stays + held.masters + passing.largest + passing.forward_peak,
        ),
        prefix_blocks=prefix,
        prefix_kept=settings.keep_prefix and prefix > 0,
        kept_bytes_per_token=tracer.hidden_bytes_per_token,
        loaded_bytes=stays + passing.largest,
        streamed_bytes=passing.streamed,
        pass_read_bytes=passing.read,
        pass_flops_per_token=passing.flops_per_token,
    )


@dataclass(frozen=True, slots=True)
class _Held:
    """Bytes held apart from activations; `wide_gradients` while the optimizer steps."""

    weights: int
    gradients: int
    optimizer: int
    masters: int
    origin: int
    wide_gradients: int

    @property
    def beside_weights(self) -> int:
        return self.optimizer + self.masters + self.origin

    @property
    def steps(self) -> int:
        """While the optimizer steps."""
        return self.gradients + self.wide_gradients


def _held(anatomy: Anatomy, selection: Selection, settings: StepSettings, width: int) -> _Held:
    """What a step holds, in a model of `width` bytes per element."""
    engine, trained = settings.engine, selection.trainable_parameters
    masters = FLOAT32 * trained if settings.masters and width < FLOAT32 else 0
    accumulates = settings.gradient_accumulation_steps > 1
    summed_wide = bool(masters) and accumulates and engine is not None and engine.adds_up_wide
    gradients = trained * (FLOAT32 if summed_wide else width)
    weights = anatomy.total_parameters * width
    if engine is not None and engine.offloads:
        return _Held(weights, gradients, optimizer=0, masters=0, origin=0, wide_gradients=0)
    largest = FLOAT32 * max((p.numel for p in selection.parameters), default=0)
    copies, wide_gradients = 0, 0
    if engine is not None:
        one = FLOAT32 * trained
        copies = one * ((one <= engine.origin_limit) + (one <= engine.best_limit))
        if not summed_wide:
            wide_gradients = min(masters, max(engine.wide_gradients, largest))
    return _Held(
        weights=weights,
        gradients=gradients,
        optimizer=optimizer_bytes(settings.optimizer, trained),
        masters=masters,
        origin=copies,
        wide_gradients=wide_gradients,
    )


def _keep_bytes(
    anatomy: Anatomy, selection: Selection, settings: StepSettings, tracer: StepSegments
) -> int:
    """What measuring a text to keep holds throughout (`engine.keep`).

    With a frozen head the baseline is as wide as the head's input, in float32, and one float64 a
    token; with another it is a copy of what trains.
    """
    if not settings.keep_tokens:
        return 0
    of_head = {Role.HEAD, Role.EMBEDDING} if anatomy.head_is_tied else {Role.HEAD}
    outputs = tracer.hidden_bytes_per_token
    kept = outputs if settings.keep_prefix and selection.prefix_blocks else 0
    if any(parameter.role in of_head for parameter in selection.parameters):
        return kept * settings.keep_tokens + selection.trainable_parameters * tracer.itemsize
    width = outputs // tracer.itemsize
    return (kept + FLOAT32 * width + FLOAT64) * settings.keep_tokens


def _states(
    anatomy: Anatomy, selection: Selection, checkpointing: bool, accumulates: bool
) -> list[BlockState]:
    trains: list[set[str]] = [set() for _ in anatomy.blocks]
    for parameter in selection.parameters:
        if parameter.block is not None:
            trains[parameter.block].add(parameter.kind)
    states = []
    for index, kinds in enumerate(trains):
        needs = index > selection.first_trained_block or index >= selection.entry_block
        checkpointed = checkpointing and (needs or bool(kinds))
        states.append(BlockState(frozenset(kinds), needs, checkpointed, accumulates))
    return states


def _shared(blocks: Sequence[Segment]) -> int:
    return sum(size for _, size in frozenset().union(*(block.shared for block in blocks)))


def _peak(
    outside: Segment, blocks: Sequence[Segment], gradients: Sequence[int], outside_gradients: int
) -> int:
    """The most bytes allocated at once in the two passes; see the module's text."""
    before = [0]
    for block in blocks:
        before.append(before[-1] + block.saved)
    saved = before[-1]
    levels = [saved + outside.forward_peak, saved + outside.backward_peak]
    above = outside_gradients
    for below, block, own in zip(
        reversed(before[:-1]), reversed(blocks), reversed(gradients), strict=True
    ):
        levels.append(below + block.output + block.forward_peak)
        levels.append(below + block.saved_input + block.backward_peak + above)
        above += own
    return max(levels) + _shared(blocks)
