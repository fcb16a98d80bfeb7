"""The trained tensors alone, in a file that names its plan and base; and applying them."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file

from qwen_ui.engine.lora import WeightChanges
from qwen_ui.engine.merge import rounding_sentence, stored_dtypes, write_merged
from qwen_ui.engine.strength import blended
from qwen_ui.engine.strengths import AS_TRAINED, Strengths
from qwen_ui.errors import ModelError, RunError
from qwen_ui.files import parse_json, replaced
from qwen_ui.formats import short_bytes
from qwen_ui.model import Anatomy, dtype_bytes, open_model
from qwen_ui.model.weights import folder_fingerprint, is_dequantized, why_no_weights
from qwen_ui.paths import named_path
from qwen_ui.runs import DELTA_NAME, flat_settings, run_folder

# (rows of a tensor of the base, which ones they are) -> these rows as they are after a run.
Tuner = Callable[[torch.Tensor, slice], torch.Tensor]
FORMAT = "qwen_ui delta 1"
METADATA_KEY = "qwen_ui"


@dataclass(frozen=True)
class Delta:
    """A delta that was read.

    Attributes:
        tensors: the trained tensors by name; adapters by the names that `peft` gives them.
        base: fingerprint of the weights that it belongs to.
        plan: the freeze plan, as its dictionary.
        settings: of the run, by their flat names.
        step: steps that the run had done.
        strength: at which the tensors are those of the run, as text; "" for as trained.
        strengths: by names of the base, at which tensors are applied; 1 where there is none.
    """

    tensors: dict[str, torch.Tensor]
    base: str
    plan: dict[str, Any]
    settings: dict[str, Any]
    step: int = 0
    strength: str = ""
    strengths: dict[str, float] = field(default_factory=dict)

    @property
    def adapters(self) -> bool:
        """Whether the tensors are LoRA adapters, to be added to weights of the base."""
        return bool(self.settings.get("lora_rank"))

    @cached_property
    def weights(self) -> Mapping[str, torch.Tensor]:
        """By names of the base: what takes a tensor's place, or, of adapters, is added to it."""
        return WeightChanges(self.tensors) if self.adapters else self.tensors

    def shape(self, name: str) -> torch.Size:
        """The shape of this tensor of the base."""
        weights = self.weights
        return weights.shape(name) if isinstance(weights, WeightChanges) else weights[name].shape

    def at(self, strengths: Strengths, anatomy: Anatomy) -> Delta:
        """The same run, turned to these strengths.

        Raises:
            SettingsError: a block that is named is none of the model's.
        """
        return replace(self, strengths=strengths.by_name(list(self.weights), anatomy))

    def exactly_on(self, name: str, base: torch.Tensor) -> torch.Tensor:
        """This tensor of the base as it is after the run, in the dtype that was trained.

        At another strength, on the line from the base to there; at 0 the base itself.
        """
        return self.tuner(name)(base, slice(None))

    def tuner(self, name: str) -> Tuner:
        """As `exactly_on`, for rows of a tensor that is never whole in memory."""
        change, strength = self.weights[name], self.strengths.get(name, 1.0)

        def tuned(base: torch.Tensor, rows: slice) -> torch.Tensor:
            part = change[rows] if change.dim() else change
            after = base.float() + part if self.adapters else part
            return after if strength == 1 else blended(base, after, strength)

        return tuned


@dataclass(frozen=True, slots=True)
class Applied:
    """What `apply_delta` wrote.

    Attributes:
        tensors: how many parameters of the base were changed.
        parameters: their elements.
        rounding: norm of what rounding to the base's dtype changed, over what training changed.
        note: the same as a sentence; "" where nothing was rounded.
    """

    folder: Path
    tensors: int
    parameters: int
    rounding: float = 0.0
    note: str = ""


def write_delta(
    file: Path,
    tensors: dict[str, torch.Tensor],
    *,
    base: str,
    plan: dict[str, Any],
    spec: dict[str, Any],
    step: int,
    strengths: Strengths = AS_TRAINED,
) -> None:
    """Write a delta: the whole file appears at once, or none does.

    Args:
        tensors: the trained tensors by name.
        base: fingerprint of the weights that were trained.
        plan, spec: of the run, as their records.
        step: steps done.
        strengths: at which the tensors are those of the run; the file says so.
    """
    record = {"format": FORMAT, "base": base, "plan": plan, "spec": spec, "step": step}
    if strengths != AS_TRAINED:
        record["strength"] = str(strengths)
    # Under one key: safetensors writes several in another order each time, and equal runs are to
    # leave equal files.
    metadata = {METADATA_KEY: json.dumps(record, sort_keys=True)}
    on_cpu = {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
    with replaced(file) as part:
        save_file(on_cpu, part, metadata=metadata)


def read_delta(file: Path, *, tensors: bool = True) -> Delta:
    """A delta from its file.

    Args:
        tensors: whether they are read; without them it tells of its plan, base and settings.

    Raises:
        RunError: there is none, or the file is not a delta.
    """
    if not file.is_file():
        raise RunError(f"There is no delta '{file}'. A run writes one when it ends.")
    try:
        with safe_open(file, framework="pt") as opened:
            record = parse_json((opened.metadata() or {}).get(METADATA_KEY, "{}"))
            if not isinstance(record, dict) or record.get("format") != FORMAT:
                raise RunError(
                    f"'{file}' is not a delta of this program. Give a delta.safetensors file."
                )
            names = list(opened.keys()) if tensors else []
            held = {name: opened.get_tensor(name) for name in names}
            base, plan, spec = record["base"], record["plan"], record["spec"]
            step, turned = record.get("step"), record.get("strength")
            if not all(isinstance(part, dict) for part in (plan, spec)):
                raise ValueError("its plan or its settings are no objects")
            return Delta(
                held,
                base,
                plan,
                flat_settings(spec),
                step=step if isinstance(step, int) else 0,
                strength=turned if isinstance(turned, str) else "",
            )
    except (SafetensorError, KeyError, ValueError) as error:
        raise RunError(f"'{file}' cannot be read as a delta ({error}). Copy it again.") from error


def delta_file(named: str) -> Path:
    """The delta that a person names: its file, a folder that holds one, or a run.

    Raises:
        RunError: there is none.
    """
    path = named_path(named)
    if path is not None and path.is_dir():
        return path / DELTA_NAME
    if named.endswith(".safetensors"):
        return path or Path(named)
    return run_folder(named) / DELTA_NAME


def apply_delta(file: Path, base: str, output: Path, strengths: Strengths = AS_TRAINED) -> Applied:
    """Put a delta on its base and write a model that plain `transformers` loads.

    Tensors keep the dtype of the base. The folder appears when it is whole.

    Raises:
        SettingsError: a strength is for a block that the model has not.
        RunError: the delta was trained on other weights, the output is in use, or the disk is too
            small for it.
        ModelError: the weights of the base are not on this machine.
    """
    delta = read_delta(file)
    anatomy = open_model(base)
    delta = delta.at(strengths, anatomy)
    folder = anatomy.weights_folder
    if folder is None:
        raise ModelError(why_no_weights(anatomy))
    if folder_fingerprint(folder) != delta.base:
        trained_on = delta.settings.get("model", "another model")
        raise RunError(
            f"The delta was trained on other weights ('{trained_on}') than those of '{base}'. "
            "Give the base that the run used."
        )
    if output.exists() and (not output.is_dir() or any(output.iterdir())):
        raise RunError(f"'{output}' exists and is not an empty folder. Give a new one.")
    part = output.with_name(f".{output.name}.part")
    shutil.rmtree(part, ignore_errors=True)
    parameters = sum(delta.shape(name).numel() for name in delta.weights)
    packed = is_dequantized(anatomy.config)  # what was trained takes more room than before
    _refuse_small_disk(folder, part, dtype_bytes(anatomy.dtype) * parameters if packed else 0)
    part.mkdir(parents=True)
    rounding = write_merged(delta, anatomy, folder, part)
    if output.exists():
        output.rmdir()
    part.rename(output)
    return Applied(
        output,
        len(delta.weights),
        parameters,
        rounding.share,
        rounding_sentence(rounding, anatomy.dtype if packed else stored_dtypes(folder)),
    )


def _refuse_small_disk(base: Path, target: Path, more: int) -> None:
    """Refuse to begin what would fail after many gigabytes; `more` bytes than the base has."""
    needed = more + sum(file.stat().st_size for file in base.glob("*.safetensors"))
    there = next(folder for folder in target.absolute().parents if folder.exists())
    free = shutil.disk_usage(there).free
    if needed > free:
        raise RunError(
            f"The model needs {short_bytes(needed)} on the disk of '{there}', where "
            f"{short_bytes(free)} are free. Make room, or name a folder on another disk."
        )
