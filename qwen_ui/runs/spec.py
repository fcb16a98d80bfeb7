"""`RunSpec`: all that a run is told, validated, as one immutable value that a file can hold."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from qwen_ui.errors import SettingsError

Schedule = Literal["cosine", "linear", "constant"]
Tracker = Literal["tensorboard", "trackio", "wandb", "mlflow"]
GIB = 1024**3


class RunSpec(BaseModel):
    """The settings of a run; each field's line is also the help of its option (`cli`)."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    model: str = Field(min_length=1)
    """As a person names it: a preset, a folder, a hub id."""
    plan: dict[str, Any]
    """A `FreezePlan` as its dictionary."""
    data: str = Field(min_length=1)
    """A file, a `datasets` folder or a hub id."""
    eval_data: str | None = None
    """Data of its own to evaluate on; else a share of the data is held out."""
    eval_fraction: float = Field(default=0.05, gt=0, lt=1)
    """The share of the data that is held out to evaluate on."""
    steps: int = Field(default=100, ge=1, le=10_000_000)
    """Optimizer steps."""
    learning_rate: float | None = Field(default=None, gt=0, le=10)
    """The highest rate; by default the one suggested for plan and model size."""
    batch_size: int = Field(default=8, ge=1, le=65_536)
    """Sequences that a process takes at once."""
    accumulation: int = Field(default=1, ge=1, le=65_536)
    """Batches summed into one step, weighted by their tokens."""
    sequence_length: int = Field(default=128, ge=2, le=1_048_576)
    """Tokens of a sequence at most."""
    packing: bool = False
    """Short samples share a sequence; none sees another."""
    seed: int = Field(default=0, ge=0, lt=2**31)
    """Of the order of the data and of what drops out."""
    schedule: Schedule = "cosine"
    """How the rate goes down after the warm-up."""
    warmup_steps: int | None = Field(default=None, ge=0)
    """Steps of linear warm-up; by default a tenth of the steps, 100 at most."""
    weight_decay: float = Field(default=0.0, ge=0, le=1)
    """On trained matrices alone, never on biases, norms and embeddings."""
    gradient_clip: float = Field(default=1.0, ge=0)
    """Largest norm of all gradients together; 0 turns it off."""
    prefix_cache: Literal["auto", "off"] = "auto"
    """auto keeps what the frozen blocks put out; off computes it at every step."""
    prefix_budget_bytes: int = Field(default=4 * GIB, ge=0)
    """Largest size of the kept outputs on disk; what exceeds it is computed at every step."""
    dtype: Literal["auto", "float32", "bfloat16"] = "auto"
    """Of the weights in memory; auto is float32 on CPU and MPS, the model's own on CUDA."""
    mixed_precision: Literal["no", "bf16"] = "no"
    """Accelerate's: leaves weights as they are and casts in the operations."""
    device: Literal["auto", "cpu", "cuda", "mps"] = "auto"
    """Where the run computes."""
    threads: int | None = Field(default=None, ge=1, le=1024)
    """Threads of the CPU; by default torch's choice."""
    processes: int = Field(default=1, ge=1, le=4096)
    """Processes that train together; checked against those that run."""
    sharded: bool = False
    """Share out the weights over the processes (FSDP2) instead of copying them (DDP)."""
    checkpoint_every: int = Field(default=0, ge=0)
    """Steps between checkpoints; 0 for none in between."""
    eval_every: int = Field(default=0, ge=0)
    """Steps between evaluations; 0 for before and after only."""
    early_stopping: int = Field(default=0, ge=0)
    """Evaluations without a better loss before the run ends; 0 turns it off."""
    rate_test: bool = False
    """Raise the rate from a ten-thousandth of the peak to ten times it, to find the best one."""
    sample_prompts: tuple[str, ...] = Field(default=(), max_length=16)
    """A prompt to continue before, during and after (repeat for more); else one from the data."""
    sample_every: int = Field(default=0, ge=0)
    """Steps between samples; 0 for before and after only."""
    sample_tokens: int = Field(default=32, ge=0, le=4096)
    """Tokens of a sample; 0 for no samples."""
    lora_rank: int = Field(default=0, ge=0, le=1024)
    """Train LoRA adapters of this rank on the plan's linear modules instead; 0 for none."""
    trackers: tuple[Tracker, ...] = ()
    """A tracker to log to as well (repeat for more); none by default."""

    @property
    def warmup(self) -> int:
        """Steps of warm-up that are taken."""
        if self.warmup_steps is None:
            return min(self.steps // 10, 100)
        return self.warmup_steps

    def to_json(self) -> str:
        return json.dumps(self.model_dump(mode="json"), indent=2)


def make_spec(**values: Any) -> RunSpec:
    """A spec from values that a person gave.

    Raises:
        SettingsError: a value is missing, unknown or out of its range.
    """
    try:
        spec = RunSpec(**values)
    except ValidationError as error:
        raise SettingsError(_sentence(error)) from error
    if spec.warmup > spec.steps:
        raise SettingsError(
            f"warmup_steps is {spec.warmup}, more than the {spec.steps} steps of the run. "
            "Give fewer steps of warm-up."
        )
    if spec.lora_rank and spec.sharded:
        raise SettingsError("LoRA is not trained with shared-out weights. Turn sharded off.")
    if spec.early_stopping and not spec.eval_every:
        raise SettingsError("early_stopping needs eval_every: set it to the steps between checks.")
    return spec


def read_spec(file: Path) -> RunSpec:
    """The spec that a run folder holds.

    Raises:
        SettingsError: the file cannot be read, or holds no spec.
    """
    try:
        values = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise SettingsError(f"'{file}' cannot be read ({error}). Start the run again.") from error
    if not isinstance(values, dict):
        raise SettingsError(f"'{file}' holds no settings. Start the run again.")
    return make_spec(**values)


def _sentence(error: ValidationError) -> str:
    first = error.errors()[0]
    where = ".".join(str(part) for part in first["loc"]) or "the settings"
    if first["type"] == "missing":
        return f"The setting '{where}' is missing. Give it a value."
    if first["type"] == "extra_forbidden":
        return f"There is no setting '{where}'. Check its spelling."
    given = repr(first["input"])[:80]
    return f"The setting '{where}' cannot be {given}: {first['msg'].rstrip('.')}. Change it."
