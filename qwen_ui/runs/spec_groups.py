"""The groups of a run's settings; `spec.RunSpec` puts them together.

A field's docstring is also the help of its option on the command line, and its title, where it has
one, its label in forms. Fields called `source` go by the name of their group where settings stand
flat (see `spec.SETTING_PLACES`).
"""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

Schedule = Literal["cosine", "linear", "constant"]
Tracker = Literal["tensorboard", "trackio", "wandb", "mlflow"]
Prefix = Literal["auto", "keep", "stream", "off"]
GIB = 1024**3


class Settings(BaseModel):
    """Settings that are checked when they are made, and never change."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)


class ModelSettings(Settings):
    """The model to train, and what stands in memory of it."""

    source: str = Field(min_length=1)
    """Preset, folder or Hugging Face hub id of the model to train."""
    dtype: Literal["auto", "float32", "bfloat16"] = "auto"
    """Dtype of the weights in memory; auto is float32, and on a GPU that computes in bfloat16 the
    model's own where it is that."""
    lora_rank: int = Field(default=0, ge=0, le=1024, title="LoRA rank")
    """Train LoRA adapters of this rank on the plan's linear modules instead; 0 for none."""


class DataSettings(Settings):
    """The data to train and evaluate on, and how samples become sequences."""

    source: str = Field(min_length=1)
    """Training data: a file, a `datasets` folder or a hub id."""
    eval_data: str | None = Field(default=None, title="Evaluation data")
    """Evaluation data; by default a part of the training data is held out."""
    keep: str | None = Field(default=None, title="Text to keep")
    """Text that the model is to keep its loss on, such as what it already does well: its
    forgetting is measured there, before training, at every evaluation and after."""
    keep_tokens: int = Field(default=8192, ge=64, le=1_048_576, title="Tokens of the text to keep")
    """Maximum tokens of the text to keep that are measured; of a longer text, sequences at equal
    distances."""
    columns: str | None = Field(default=None, max_length=2000)
    """Columns of the data by hand, such as prompt=question,completion=answer or, for the model's
    chat template, user=question,assistant=answer; by default they are found by their names."""
    validation_split: float | None = Field(default=None, gt=0, lt=1)
    """Fraction of the training data to hold out where no evaluation data is given; by default a
    fifth of small data, and less of large data."""
    split_seed: int = Field(default=0, ge=0, lt=2**31)
    """Random seed of the validation split, shared by all runs that are compared."""
    sequence_length: int = Field(default=128, ge=2, le=1_048_576)
    """Maximum tokens per sequence."""
    packing: bool = Field(
        default=False, title="Pack short samples together (without attention between them)"
    )
    """Pack short samples into one sequence, without attention between them."""


class OptimizationSettings(Settings):
    """The optimizer's steps: how many, how large, at which learning rate."""

    steps: int = Field(default=100, ge=1, le=10_000_000)
    """Optimizer steps."""
    learning_rate: float | None = Field(default=None, gt=0, le=10)
    """Peak learning rate; by default the one suggested for the plan, the model's width, the steps
    and the batch."""
    learning_rate_run: str | None = Field(default=None, max_length=200, title="Rate found by run")
    """Run of the learning-rate finder whose rate is taken where no learning rate is given."""
    batch_size: int = Field(default=8, ge=1, le=65_536)
    """Sequences per device per micro-batch."""
    gradient_accumulation_steps: int = Field(default=1, ge=1, le=65_536)
    """Micro-batches per optimizer step, weighted by their tokens."""
    optimizer: Literal["adamw", "adamw_8bit"] = "adamw"
    """adamw keeps its two moments in float32; adamw_8bit in a byte each (bitsandbytes)."""
    schedule: Schedule = "cosine"
    """Learning-rate schedule after the warmup."""
    warmup_steps: int | None = Field(default=None, ge=0)
    """Steps of linear warmup; by default a tenth of the steps, at most 100."""
    weight_decay: float = Field(default=0.0, ge=0, le=1)
    """Weight decay of trained matrices; biases, norms and embeddings have none."""
    gradient_clip: float = Field(default=1.0, ge=0)
    """Maximum norm of all gradients together; 0 turns clipping off."""
    seed: int = Field(default=0, ge=0, lt=2**31)
    """Random seed for data order and dropout."""
    learning_rate_finder: bool = Field(default=False, title="Learning-rate finder")
    """Find the learning rate for so many steps by short runs at several rates; train nothing."""

    @property
    def warmup(self) -> int:
        """Steps of warmup that are taken."""
        if self.warmup_steps is None:
            return min(self.steps // 10, 100)
        return self.warmup_steps


class EvaluationSettings(Settings):
    """What is measured and shown while the run trains."""

    eval_every: int = Field(default=0, ge=0, title="Evaluate every")
    """Steps between evaluations; 0 evaluates only before and after training."""
    eval_tokens: int = Field(default=16_384, ge=0, le=2**40, title="Evaluate on tokens, at most")
    """Maximum tokens of the evaluation data that are measured, so that the first step need not wait
    for a large file; which sequences is the same in every run on the data. 0 measures all."""
    early_stopping_patience: int = Field(default=0, ge=0)
    """Evaluations without a lower loss before training stops; 0 turns early stopping off."""
    sample_prompts: tuple[str, ...] = Field(default=(), max_length=16)
    """Prompt to continue before, during and after training, by default one from the data.
    Repeat the option for more prompts."""
    sample_every: int = Field(default=0, ge=0)
    """Steps between samples; 0 samples only before and after training."""
    sample_tokens: int = Field(default=32, ge=0, le=4096)
    """Tokens per sample; 0 for no samples."""


class ResourceSettings(Settings):
    """Where the run computes, what it may hold, and where it leaves its state."""

    device: Literal["auto", "cpu", "cuda", "mps"] = "auto"
    """Device to train on."""
    threads: int | None = Field(default=None, ge=1, le=1024)
    """CPU threads; by default torch's choice."""
    processes: int = Field(default=1, ge=1, le=4096)
    """Processes that train together, on all machines."""
    sharded: bool = Field(default=False, title="Shard the weights (FSDP2)")
    """Shard the weights over the processes (FSDP2) instead of replicating them (DDP)."""
    mixed_precision: Literal["no", "bf16"] = "no"
    """Accelerate's mixed precision: bf16 casts in the operations and leaves weights as they are."""
    gradient_checkpointing: bool = Field(default=False, title="Gradient checkpointing")
    """Save less between the passes: blocks are computed a second time in the backward pass."""
    optimizer_offload: bool = Field(
        default=False, title="Keep the optimizer's state in main memory"
    )
    """Keep the optimizer's moments and float32 weights in main memory, and step them there."""
    prefix: Prefix = Field(default="auto", title="Frozen blocks below")
    """What becomes of the frozen blocks below the trained ones: keep runs them once and caches
    their outputs; stream reads them once for that from the files, block by block, and never holds
    them together; off runs them at every step; auto keeps where all weights fit into the free
    memory, and else streams."""
    prefix_budget_bytes: int = Field(default=4 * GIB, ge=0)
    """Maximum bytes of cached outputs on disk; what exceeds them is computed at every step. On a
    GPU, outputs that fit into its memory are not put on disk."""
    checkpoint_every: int = Field(default=0, ge=0)
    """Steps between checkpoints; 0 for none while training."""
    trackers: tuple[Tracker, ...] = Field(default=(), title="Also log to")
    """Tracker to log to as well. Repeat the option for more trackers."""

    @property
    def caches_prefix(self) -> bool:
        """Whether the frozen blocks' outputs are computed once, held or streamed."""
        return self.prefix != "off"
