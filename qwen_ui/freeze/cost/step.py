"""The step that is priced, and its price."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from qwen_ui.errors import SettingsError
from qwen_ui.freeze.cost.optimizers import optimizer_bytes
from qwen_ui.freeze.cost.segments import StepShape

if TYPE_CHECKING:
    from qwen_ui.freeze.cost.segments import HeadLoss

# A process needs some hundred MB beside the tensors of a step: libraries, a CUDA context, holes.
OVERHEAD_BYTES = 6e8
MAX_TOKENS = 1 << 24
# Of a step whose loss goes through the head in chunks: each chunk is traced, 10 ms.
MAX_CHUNKED_TOKENS = 1 << 18


@dataclass(frozen=True, slots=True)
class Cost:
    """FLOPs and bytes of one training step.

    Attributes:
        flops_forward: of the forward passes; without the prefix where its output is cached.
        flops_step: forward and backward, over all micro-batches.
        activation_bytes: what autograd saves between the two, for one micro-batch.
        weight_bytes: all weights, in the model's dtype.
        gradient_bytes: of what trains, in the model's dtype, or in the one they are added up in.
        optimizer_bytes: the optimizer's state, without float32 master weights.
        master_bytes: float32 master weights of what trains; 0 without them.
        origin_bytes: float32 copies of the trained weights, initial and best, where an engine holds
            them.
        keep_bytes: what is held of a text to keep: outputs of the frozen blocks and a baseline.
        peak_bytes: the most of it all at once.
        prefix_blocks: blocks that need no backward pass.
        prefix_kept: whether their output is cached, so that they need no forward pass either.
        kept_bytes_per_token: what caching it takes per token of the training data.
        loaded_bytes: the most weights that are in memory at once: all of them, or what stays and
            the largest of the frozen blocks that are read once.
        streamed_bytes: weights that are read once and never held; 0 where all are held.
        pass_read_bytes: of these in the files.
        pass_flops_per_token: of running the frozen blocks once; 0 where nothing is cached.
    """

    flops_forward: int
    flops_step: int
    activation_bytes: int
    weight_bytes: int
    gradient_bytes: int
    optimizer_bytes: int
    master_bytes: int
    origin_bytes: int
    keep_bytes: int
    peak_bytes: int
    prefix_blocks: int
    prefix_kept: bool
    kept_bytes_per_token: int
    loaded_bytes: int
    streamed_bytes: int
    pass_read_bytes: int
    pass_flops_per_token: float

    def _repr_html_(self) -> str:
        """How it shows itself in a notebook."""
        from qwen_ui.freeze.notebook import cost_view  # noqa: PLC0415  loads templates

        return cost_view(self)


@dataclass(frozen=True, slots=True)
class Engine:
    """Where a trainer differs from the plain loop.

    Attributes:
        head_loss: (hidden states (N, H) at the labelled positions, head, targets (N)) -> the loss,
            as the trainer computes it.
        origin_limit: initial float32 copies of the trained weights are held up to this many bytes.
        wide_gradients: with master weights, gradients are copied to float32 for the optimizer, at
            most this many bytes at once, or one tensor.
        adds_up_wide: with master weights, gradients of several micro-batches are added up in
            float32, each as soon as it is known.
        fixed_gradients: all gradients have their places throughout, before they are computed too.
        offloads: masters and the optimizer's state are not on the device.
        best_limit: a further float32 copy of what trains is held, up to this many bytes.
    """

    head_loss: HeadLoss
    origin_limit: int = 0
    wide_gradients: int = 0
    adds_up_wide: bool = False
    fixed_gradients: bool = False
    offloads: bool = False
    best_limit: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class StepSettings:
    """The step that is priced.

    Attributes:
        batch_size: sequences per device per micro-batch.
        sequence_length: tokens per sequence.
        optimizer: `adamw`, `adamw_8bit`, `sgd` or `sgd_momentum`.
        masters: float32 master weights of what trains, where the model's dtype is narrower.
        keep_prefix: the output of the blocks before the first trained one is cached, so that these
            are not run.
        stream_prefix: the frozen blocks are read from the files one by one for that, and never held
            together; takes `keep_prefix` with it.
        checkpointing: gradient checkpointing (Chen et al., arXiv 1604.06174) of the blocks in the
            graph, as torch's `checkpoint(use_reentrant=False)` does it.
        padded: the batch has padding, so that attention gets a mask; without one it saves less
            (grouped key-value heads are then not copied for every query head).
        dtype: torch's name; None for the model's own.
        gradient_accumulation_steps: micro-batches per step, whose gradients are added up.
        engine: None for the plain loop: all logits at once, then cross-entropy.
        keep_tokens: tokens of a text to keep, of which the engine holds what it measures with.
    """

    batch_size: int
    sequence_length: int
    optimizer: str = "adamw"
    masters: bool = True
    keep_prefix: bool = False
    stream_prefix: bool = False
    checkpointing: bool = False
    padded: bool = True
    dtype: str | None = None
    gradient_accumulation_steps: int = 1
    engine: Engine | None = None
    keep_tokens: int = 0

    @property
    def shape(self) -> StepShape:
        return StepShape(self.batch_size, self.sequence_length, self.padded)

    def __post_init__(self) -> None:
        if self.stream_prefix:
            object.__setattr__(self, "keep_prefix", True)
        if self.batch_size < 1 or self.sequence_length < 2:
            raise SettingsError(
                f"A step cannot have {self.batch_size} x {self.sequence_length} tokens. "
                "Use a batch size of at least 1 and a sequence length of at least 2."
            )
        if self.gradient_accumulation_steps < 1:
            raise SettingsError(
                f"A step cannot have {self.gradient_accumulation_steps} micro-batches. "
                "Accumulate gradients over at least 1."
            )
        most = MAX_TOKENS if self.engine is None else MAX_CHUNKED_TOKENS
        if self.batch_size * self.sequence_length > most:
            raise SettingsError(
                f"A step of more than {most:,} tokens is not priced. Give fewer sequences."
            )
        optimizer_bytes(self.optimizer, 0)
