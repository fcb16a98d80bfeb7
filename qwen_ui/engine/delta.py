"""The trained tensors alone, in a file that names its plan and base; and applying them."""

from __future__ import annotations

import json
import shutil
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file

from qwen_ui.engine.lora import weight_changes
from qwen_ui.errors import ModelError, RunError
from qwen_ui.files import replaced
from qwen_ui.model import open_model
from qwen_ui.model.weights import folder_fingerprint
from qwen_ui.runs import flat_settings, run_folder

FORMAT = "qwen_ui delta 1"
METADATA_KEY = "qwen_ui"
DELTA_NAME = "delta.safetensors"
# What goes with weights to make a model that can be used.
_COMPANIONS = ("*.json", "*.jinja", "*.txt", "*.model")


@dataclass(frozen=True)
class Delta:
    """A delta that was read.

    Attributes:
        tensors: the trained tensors by name; adapters by the names that `peft` gives them.
        base: fingerprint of the weights that it belongs to.
        plan: the freeze plan, as its dictionary.
        settings: of the run, by their flat names.
    """

    tensors: dict[str, torch.Tensor]
    base: str
    plan: dict[str, Any]
    settings: dict[str, Any]

    @property
    def adapters(self) -> bool:
        """Whether the tensors are LoRA adapters, to be added to weights of the base."""
        return bool(self.settings.get("lora_rank"))

    @cached_property
    def weights(self) -> dict[str, torch.Tensor]:
        """By names of the base: what takes a tensor's place, or, of adapters, is added to it."""
        return weight_changes(self.tensors) if self.adapters else self.tensors

    def on(self, name: str, base: torch.Tensor) -> torch.Tensor:
        """This tensor of the base as it is after the run, in the base's dtype."""
        change = self.weights[name]
        return (base.float() + change if self.adapters else change).to(base.dtype)


@dataclass(frozen=True, slots=True)
class Applied:
    """What `apply_delta` wrote: how many tensors of the base were changed, and their elements."""

    folder: Path
    tensors: int
    parameters: int


def write_delta(
    file: Path,
    tensors: dict[str, torch.Tensor],
    *,
    base: str,
    plan: dict[str, Any],
    spec: dict[str, Any],
    step: int,
) -> None:
    """Write a delta: the whole file appears at once, or none does.

    Args:
        tensors: the trained tensors by name.
        base: fingerprint of the weights that were trained.
        plan, spec: of the run, as their records.
        step: steps done.
    """
    record = {"format": FORMAT, "base": base, "plan": plan, "spec": spec, "step": step}
    # Under one key: safetensors writes several in another order each time, and equal runs are to
    # leave equal files.
    metadata = {METADATA_KEY: json.dumps(record, sort_keys=True)}
    on_cpu = {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
    with replaced(file) as part:
        save_file(on_cpu, part, metadata=metadata)


def read_delta(file: Path) -> Delta:
    """A delta from its file.

    Raises:
        RunError: there is none, or the file is not a delta.
    """
    if not file.is_file():
        raise RunError(f"There is no delta '{file}'. A run writes one when it ends.")
    try:
        with safe_open(file, framework="pt") as opened:
            record = json.loads((opened.metadata() or {}).get(METADATA_KEY, "{}"))
            if not isinstance(record, dict) or record.get("format") != FORMAT:
                raise RunError(
                    f"'{file}' is not a delta of this program. Give a delta.safetensors file."
                )
            tensors = {name: opened.get_tensor(name) for name in opened.keys()}  # noqa: SIM118
            settings = flat_settings(record["spec"])
            return Delta(tensors, record["base"], record["plan"], settings)
    except (SafetensorError, KeyError, ValueError) as error:
        raise RunError(f"'{file}' cannot be read as a delta ({error}). Copy it again.") from error


def delta_file(named: str) -> Path:
    """The delta that a person names: its file, a folder that holds one, or a run.

    Raises:
        RunError: there is none.
    """
    path = Path(named)
    if path.is_dir():
        return path / DELTA_NAME
    if path.suffix == ".safetensors":
        return path
    return run_folder(named) / DELTA_NAME


def apply_delta(file: Path, base: str, output: Path) -> Applied:
    """Put a delta on its base and write a model that plain `transformers` loads.

    Tensors keep the dtype of the base. The folder appears when it is whole.

    Raises:
        RunError: the delta was trained on other weights, or the output is in use.
        ModelError: the weights of the base are not on this machine.
    """
    delta = read_delta(file)
    folder = open_model(base).weights_folder
    if folder is None:
        raise ModelError(f"The weights of '{base}' are not on this machine. Give their folder.")
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
    part.mkdir(parents=True)
    _write_whole(delta, folder, part)
    if output.exists():
        output.rmdir()
    part.rename(output)
    return Applied(output, len(delta.weights), sum(t.numel() for t in delta.weights.values()))


def _write_whole(delta: Delta, folder: Path, target: Path) -> None:
    for companion in {f for pattern in _COMPANIONS for f in folder.glob(pattern)}:
        shutil.copyfile(companion, target / companion.name)
    files = sorted(folder.glob("*.safetensors"))
    if delta.weights.keys() <= {name for file in files for name in _names(file)}:
        for source in files:
            _rewrite(source, target / source.name, delta)
    else:
        _save_by_transformers(delta, folder, target)


def _names(file: Path) -> list[str]:
    with safe_open(file, framework="pt") as opened:
        return list(opened.keys())


def _rewrite(source: Path, target: Path, delta: Delta) -> None:
    """Copy one file of weights with what was trained put in: memory holds one file at a time."""
    with safe_open(source, framework="pt") as opened:
        tensors = {name: opened.get_tensor(name) for name in opened.keys()}  # noqa: SIM118
        metadata = opened.metadata() or {"format": "pt"}
    for name in tensors.keys() & delta.weights.keys():
        tensors[name] = delta.on(name, tensors[name])
    save_file(tensors, target, metadata=metadata)


def _save_by_transformers(delta: Delta, folder: Path, target: Path) -> None:
    """For weights whose file names other tensors than the model does (GPT-2, fused experts)."""
    from qwen_ui.model.libraries import AutoModelForCausalLM  # noqa: PLC0415  slow, and seldom needed

    model = AutoModelForCausalLM.from_pretrained(
        folder, dtype="auto", local_files_only=True, use_safetensors=True, trust_remote_code=False
    )
    parameters = dict(model.named_parameters())
    unknown = sorted(delta.weights.keys() - parameters.keys())
    if unknown:
        raise RunError(
            f"The base has no tensor '{unknown[0]}', which the delta trains. Give the base that "
            "the run used."
        )
    with torch.no_grad():
        for name in delta.weights:
            parameters[name].copy_(delta.on(name, parameters[name]))
    for index in target.glob("*.safetensors.index.json"):
        index.unlink()
    model.save_pretrained(target)
