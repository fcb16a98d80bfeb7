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
    """The settings of a run.

    Attributes:
        model: as a person names it: a preset, a folder, a hub id.
        plan: a `FreezePlan` as its dictionary.
        data: a file, a `datasets` folder or a hub id.
        eval_data: the same for evaluation; without it `eval_fraction` of the data is held out.
        steps: optimizer steps.
        learning_rate: the highest rate; None takes `suggest_learning_rate`'s.
        batch_size: sequences a process takes at once.
        accumulation: batches summed into one step, weighted by their tokens.
        sequence_length: tokens of a sequence at most.
        packing: short samples share a sequence; none sees another.
        warmup_steps: linear warm-up; None takes a tenth of the steps, 100 at most.
        weight_decay: on trained matrices alone, never on biases and norms.
        gradient_clip: largest norm of all gradients together; 0 turns it off.
        prefix_cache: `auto` keeps what the frozen blocks put out; `off` computes it every time.
        prefix_budget_bytes: largest file of kept outputs.
        dtype: of the frozen weights and the computation; `auto` is float32 on a CPU and on MPS, and
            the model's own on CUDA.
        mixed_precision: accelerate's; leaves weights as they are and casts in the operations.
        threads: of the CPU; None leaves torch's choice.
        processes: how many are to run; checked against those that do.
        sharded: FSDP2 in place of DDP.
        checkpoint_every, eval_every: steps; 0 means never in between.
        early_stopping: evaluations without a better loss before the run ends; 0 turns it off.
        rate_test: raise the rate from a ten-thousandth to ten times, to find the best one.
        sample_prompts: prompts to continue before, during and after; empty takes one from the data.
        sample_every: steps between samples; 0 means before and after only.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    model: str = Field(min_length=1)
    plan: dict[str, Any]
    data: str = Field(min_length=1)
    eval_data: str | None = None
    eval_fraction: float = Field(default=0.05, gt=0, lt=1)
    steps: int = Field(default=100, ge=1, le=10_000_000)
    learning_rate: float | None = Field(default=None, gt=0, le=10)
    batch_size: int = Field(default=8, ge=1, le=65_536)
    accumulation: int = Field(default=1, ge=1, le=65_536)
    sequence_length: int = Field(default=128, ge=2, le=1_048_576)
    packing: bool = False
    seed: int = Field(default=0, ge=0, lt=2**31)
    schedule: Schedule = "cosine"
    warmup_steps: int | None = Field(default=None, ge=0)
    weight_decay: float = Field(default=0.0, ge=0, le=1)
    gradient_clip: float = Field(default=1.0, ge=0)
    prefix_cache: Literal["auto", "off"] = "auto"
    prefix_budget_bytes: int = Field(default=4 * GIB, ge=0)
    dtype: Literal["auto", "float32", "bfloat16"] = "auto"
    mixed_precision: Literal["no", "bf16"] = "no"
    device: Literal["auto", "cpu", "cuda", "mps"] = "auto"
    threads: int | None = Field(default=None, ge=1, le=1024)
    processes: int = Field(default=1, ge=1, le=4096)
    sharded: bool = False
    checkpoint_every: int = Field(default=0, ge=0)
    eval_every: int = Field(default=0, ge=0)
    early_stopping: int = Field(default=0, ge=0)
    rate_test: bool = False
    sample_prompts: tuple[str, ...] = Field(default=(), max_length=16)
    sample_every: int = Field(default=0, ge=0)
    sample_tokens: int = Field(default=32, ge=0, le=4096)
    trackers: tuple[Tracker, ...] = ()

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
