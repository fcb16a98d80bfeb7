"""What one training step costs, before it is run.

From a fake step of this very architecture (`segments`): no formula knows the model, so no formula
can be wrong about it. FLOPs are those of `FlopCounterMode`; saved activations are
the storages that autograd keeps, each once, parameters left out, as `saved_tensors_hooks` sees them
on a real step.

The peak is the most of these at once, beside the weights and the optimizer's state:

    forward of block i    what blocks before i keep + what i makes
    the loss              what all blocks keep + logits and their like
    backward of block i   what blocks up to i keep + gradients of those above + what i makes
    the optimizer         all gradients

With an `Engine` the step is priced as a trainer of its own ways takes it. The peak leaves out what
a process needs for itself (libraries, a CUDA context, fragmentation of the allocator), some
hundred MB.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from qwen_ui.errors import SettingsError
from qwen_ui.freeze.cost.optimizers import optimizer_bytes
from qwen_ui.freeze.cost.segments import BlockState, HeadLoss, Piece, StepShape
from qwen_ui.freeze.cost.tracers import tracer_for
from qwen_ui.freeze.plan import FreezePlan, Rule
from qwen_ui.freeze.selection import Selection, resolve

if TYPE_CHECKING:
    from qwen_ui.model.anatomy import Anatomy

MAX_TOKENS = 1 << 24


@dataclass(frozen=True, slots=True)
class Cost:
    """FLOPs and bytes of one training step.

    Attributes:
        flops_forward: of the forward pass; without the prefix where it is kept.
        flops_step: forward and backward.
        activation_bytes: what autograd keeps between the two.
        weight_bytes: all weights, in the model's dtype.
        gradient_bytes: of what trains, in the model's dtype.
        optimizer_bytes: the optimizer's state, float32 masters not included.
        master_bytes: float32 copies of what trains; 0 without masters.
        origin_bytes: float32 copies of what trained tensors began as, where an engine holds them.
        peak_bytes: the most of it all at once.
        prefix_blocks: blocks that need no backward pass.
        prefix_kept: whether their output is kept, so that they need no forward pass either.
        kept_bytes_per_token: what keeping it takes, a token of the training data.
    """

    flops_forward: int
    flops_step: int
    activation_bytes: int
    weight_bytes: int
    gradient_bytes: int
    optimizer_bytes: int
    master_bytes: int
    origin_bytes: int
    peak_bytes: int
    prefix_blocks: int
    prefix_kept: bool
    kept_bytes_per_token: int


@dataclass(frozen=True, slots=True)
class Engine:
    """Where a trainer departs from the plain loop.

    Attributes:
        head_loss: (hidden states (N, H) at the positions that carry loss, head, targets (N)) -> the
            loss, in the trainer's own way.
        origin_limit: what trained tensors began as is held in float32 up to so many bytes.
        wide_gradients: where masters are kept, gradients are copied to float32 for the optimizer,
            at most so many bytes at once, or one tensor.
    """

    head_loss: HeadLoss
    origin_limit: int = 0
    wide_gradients: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class StepSettings:
    """The step that is priced.

    Attributes:
        batch_size: sequences a step on one device.
        sequence_length: tokens a sequence.
        optimizer: `adamw`, `adamw_8bit`, `sgd` or `sgd_momentum`.
        masters: keep float32 copies of what trains, where the model's dtype is narrower.
        keep_prefix: the output of the blocks before the first trained one is kept from an earlier
            pass, so that these are not run.
        checkpointing: blocks in the graph keep their input alone and run again (Chen et al.,
            arXiv 1604.06174), in the way of torch's `checkpoint(use_reentrant=False)`.
        padded: the batch has padding, so that attention gets a mask; without one it keeps less
            (grouped key-value heads are then not copied for every query head).
        dtype: torch's name; the model's own where None.
        engine: None for the plain loop: all logits at once, and a plain cross-entropy.
    """

    batch_size: int
    sequence_length: int
    optimizer: str = "adamw"
    masters: bool = True
    keep_prefix: bool = False
    checkpointing: bool = False
    padded: bool = True
    dtype: str | None = None
    engine: Engine | None = None

    @property
    def shape(self) -> StepShape:
        return StepShape(self.batch_size, self.sequence_length, self.padded)

    def __post_init__(self) -> None:
        if self.batch_size < 1 or self.sequence_length < 2:
            raise SettingsError(
                f"A step cannot have {self.batch_size} x {self.sequence_length} tokens. "
                "Use a batch size of at least 1 and a sequence length of at least 2."
            )
        if self.batch_size * self.sequence_length > MAX_TOKENS:
            raise SettingsError(f"A step of more than {MAX_TOKENS:,} tokens is not priced.")
        optimizer_bytes(self.optimizer, 0)


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
    return price(anatomy, everything, replace(settings, keep_prefix=False))


def price(anatomy: Anatomy, selection: Selection, settings: StepSettings) -> Cost:
    """As `estimate_cost`, for settings already made."""
    tracer = tracer_for(anatomy, settings.shape, settings.dtype)
    prefix = selection.prefix_blocks
    skipped = prefix if settings.keep_prefix else 0
    blocks = [
        tracer.block(i, state)
        for i, state in enumerate(_states(anatomy, selection, settings.checkpointing))
        if i >= skipped
    ]
    outside = frozenset(p.name for p in selection.parameters if p.block is None)
    engine = settings.engine
    head_loss = engine.head_loss if engine is not None else None
    rest = tracer.rest(outside, prefix < anatomy.block_count, head_loss)
    forward = rest.flops_forward + sum(b.flops_forward for b in blocks)
    backward = rest.flops_backward + sum(b.flops_backward for b in blocks)
    width = tracer.itemsize
    trained = selection.trainable_parameters
    master_bytes = 4 * trained if settings.masters and width < 4 else 0
    state_bytes = optimizer_bytes(settings.optimizer, trained)
    gradients = _gradient_bytes(selection, width)
    rest_gradients = trained * width - sum(gradients)
    origin = 4 * trained if engine is not None and 4 * trained <= engine.origin_limit else 0
    fixed = anatomy.total_parameters * width + state_bytes + master_bytes + origin
    largest = max((p.numel for p in selection.parameters), default=0)
    portion = max(engine.wide_gradients, 4 * largest) if engine is not None else 0
    wide = min(master_bytes, portion)
    return Cost(
        flops_forward=forward,
        flops_step=forward + backward,
        activation_bytes=_saved(rest, blocks),
        weight_bytes=anatomy.total_parameters * width,
        gradient_bytes=trained * width,
        optimizer_bytes=state_bytes,
        master_bytes=master_bytes,
        origin_bytes=origin,
        peak_bytes=fixed
        + max(_peak(rest, blocks, gradients[skipped:], rest_gradients), trained * width + wide),
        prefix_blocks=prefix,
        prefix_kept=settings.keep_prefix and prefix > 0,
        kept_bytes_per_token=tracer.hidden_bytes_per_token,
    )


def _states(anatomy: Anatomy, selection: Selection, checkpointing: bool) -> list[BlockState]:
    trains: list[set[str]] = [set() for _ in anatomy.blocks]
    for parameter in selection.parameters:
        if parameter.block is not None:
            trains[parameter.block].add(parameter.kind)
    states = []
    for index, kinds in enumerate(trains):
        needs = index > selection.first_trained_block or index >= selection.entry_block
        checkpointed = checkpointing and (needs or bool(kinds))
        states.append(BlockState(frozenset(kinds), needs, checkpointed))
    return states


def _gradient_bytes(selection: Selection, width: int) -> list[int]:
    return [trained * width for _, _, trained in selection.block_counts]


def _saved(rest: Piece, blocks: Sequence[Piece]) -> int:
    return rest.saved + sum(block.saved for block in blocks) + _shared(blocks)


def _shared(blocks: Sequence[Piece]) -> int:
    return sum(size for _, size in frozenset().union(*(block.shared for block in blocks)))


def _peak(
    rest: Piece, blocks: Sequence[Piece], gradients: Sequence[int], rest_gradients: int
) -> int:
    """The most bytes alive at once, weights and optimizer aside; see the module's text."""
    before = [0]
    for block in blocks:
        before.append(before[-1] + block.saved)
    kept = before[-1]
    levels = [kept + rest.forward_peak, kept + rest.backward_peak]
    above = rest_gradients
    for below, block, own in zip(
        reversed(before[:-1]), reversed(blocks), reversed(gradients), strict=True
    ):
        levels.append(below + block.output + block.forward_peak)
        levels.append(below + block.carried + block.backward_peak + above)
        above += own
    return max(levels) + _shared(blocks)
