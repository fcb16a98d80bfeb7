"""The model with its weights, and its tokenizer, from a folder on this machine or the hub."""

from __future__ import annotations

import codecs
import json
import shutil
import tempfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from huggingface_hub import snapshot_download
from huggingface_hub.errors import HfHubHTTPError, LocalEntryNotFoundError
from safetensors import SafetensorError

from qwen_ui.errors import ModelError
from qwen_ui.files import parse_json
from qwen_ui.model.anatomy import Anatomy
from qwen_ui.model.hub import hub_answers, is_offline
from qwen_ui.model.libraries import (
    AutoTokenizer,
    PreTrainedModel,
    disable_progress_bar,
)
from qwen_ui.model.names import hub_id, is_hub_id
from qwen_ui.model.skeleton import auto_class
from qwen_ui.model.weights.dequantizing import dequantizing_settings, settings_given_anew
from qwen_ui.model.weights.fit import WeightsCheck, made_check, refuse_misfit, why_no_weights
from qwen_ui.model.weights.headers import read_weights
from qwen_ui.model.weights.loading_progress import told_loading
from qwen_ui.model.weights.quantization import refuse_untrainable
from qwen_ui.model.weights.rehearsal import rehearse
from qwen_ui.model.weights.statistics import tensor_statistics

# What goes with weights to make a model that can be used.
COMPANIONS = ("*.json", "*.jinja", "*.txt", "*.model")
WEIGHT_FILES = ["*.safetensors", *COMPANIONS]


def weights_folder(anatomy: Anatomy) -> Path:
    """The folder with the model's weights, downloaded from the hub where they are not here.

    Raises:
        ModelError: they cannot be downloaded, or are quantized.
    """
    refuse_untrainable(anatomy)
    if anatomy.weights_folder is not None:
        return anatomy.weights_folder
    name = hub_id(anatomy.source)
    if not is_hub_id(name) or Path(name).exists():
        raise ModelError(why_no_weights(anatomy))
    return _download(name)


def load_model(
    folder: Path,
    anatomy: Anatomy,
    dtype: torch.dtype,
    device: torch.device = torch.device("cpu"),  # noqa: B008
    tell: Callable[[int, int], None] = lambda done, total: None,
) -> PreTrainedModel:
    """The language model with its weights, on this device. Remote code is never run.

    Every parameter has come from the files and is finite; nothing is as chance made it.

    Args:
        tell: told how many parameters of how many are loaded, after each tensor.

    Raises:
        ModelError: the files do not hold this model, or hold NaN or infinite values.
    """
    # A progress bar on standard error would fill the run's log.
    disable_progress_bar()
    settings = dequantizing_settings(anatomy.config)
    quantized = {} if settings is None else {"quantization_config": settings}
    try:
        with told_loading(anatomy, tell), settings_given_anew():
            model, info = auto_class(anatomy.configuration).from_pretrained(
                folder,
                config=anatomy.configuration,
                dtype=dtype,
                local_files_only=True,
                use_safetensors=True,
                trust_remote_code=False,
                # Straight there, not by way of main memory.
                device_map=None if device.type == "cpu" and not quantized else {"": device},
                ignore_mismatched_sizes=True,  # told in our words below
                output_loading_info=True,
                **quantized,
            )
    except (OSError, ValueError, RuntimeError, SafetensorError) as error:
        raise ModelError(
            f"The weights in '{folder}' cannot be loaded ({' '.join(str(error).split())[:300]})."
        ) from error
    if getattr(model, "hf_quantizer", None) is not None:
        model = model.dequantize(dtype)  # bitsandbytes; other forms became plain on their way
    refuse_misfit(anatomy, _check_of(anatomy, info))
    _refuse_untied(anatomy, model)
    refuse_not_finite(model.named_parameters(), anatomy, folder)
    model.config.use_cache = False
    return model.train()


def _check_of(anatomy: Anatomy, info: dict[str, Any]) -> WeightsCheck:
    """What the loader reports, as the check from the headers says it."""
    return made_check(
        anatomy,
        tuple(sorted(info["missing_keys"])),
        tuple(sorted(info["unexpected_keys"])),
        tuple(f"{name}: {found} and {wanted}" for name, found, wanted in info["mismatched_keys"])
        + tuple(info["error_msgs"]),
    )


def _refuse_untied(anatomy: Anatomy, model: PreTrainedModel) -> None:
    """Refuse a model whose tie transformers broke, because the files hold two different tensors.

    `tying.untied` sees this when a model is opened, unless its samples of the values are equal.
    """
    tensors = dict(model.named_parameters(remove_duplicate=False))
    for group in anatomy.tied:
        if len({id(tensors[name]) for name in group if name in tensors}) > 1:
            raise untied_error(group)


def untied_error(names: tuple[str, ...]) -> ModelError:
    """That the files hold several tensors for what the configuration ties."""
    return ModelError(
        f"The configuration ties {' and '.join(names)}, and the files hold different values for "
        'them, so that they are two tensors. Set `"tie_word_embeddings": false` in the config.json.'
    )


def refuse_not_finite(
    parameters: Iterable[tuple[str, torch.Tensor]], anatomy: Anatomy, folder: Path
) -> None:
    """Refuse weights that hold NaN or infinity: the first step would make all of them NaN.

    One pass over the values: the extremes of a tensor are NaN or infinite where one of it is.

    Args:
        parameters: with their names.

    Raises:
        ModelError: names the first such tensor, and its file.
    """
    floating = [
        (name, parameter.detach())
        for name, parameter in parameters
        if parameter.numel() and parameter.is_floating_point()
    ]
    if not floating:
        return
    extremes = [torch.stack(values.aminmax()).isfinite().all() for _, values in floating]
    # Asked once: a GPU answers each question only after all that it was told before.
    for (name, values), finite in zip(floating, torch.stack(extremes).tolist(), strict=True):
        if finite:
            continue
        count = int((~torch.isfinite(values)).sum())
        what = "value that is" if count == 1 else "values that are"
        raise ModelError(
            f"'{name}' holds {count:,} {what} NaN or infinite, of {values.numel():,} "
            f"({_stored_in(name, anatomy, folder)}). The weights are damaged, or their training "
            "diverged: download them again, or take an earlier checkpoint."
        )


def _stored_in(name: str, anatomy: Anatomy, folder: Path) -> str:
    """Where a parameter's values come from: its file, and its names there if they differ."""
    weights = read_weights(folder)
    places = rehearse(anatomy.configuration, weights).places
    names = anatomy.by_name[name].names if name in anatomy.by_name else (name,)
    stored = [weights.tensors[s] for s, place in places.items() if place.name in names]
    bad = next((tensor for tensor in stored if tensor_statistics(tensor).not_finite), None)
    if bad is None:
        return f"in '{folder}'"
    return f"in {bad.file.name}" + ("" if bad.name in names else f", in {bad.name}")


def load_tokenizer(folder: Path) -> Any:
    """The model's own tokenizer.

    Raises:
        ModelError: the folder has none.
    """
    try:
        with _without_marks(folder) as readable:
            return AutoTokenizer.from_pretrained(
                readable, local_files_only=True, trust_remote_code=False
            )
    except MemoryError:
        raise
    except Exception as error:
        # The library raises whatever a damaged file makes it stumble over, plain `Exception` too.
        raise ModelError(
            f"The folder '{folder}' has no tokenizer that can be read. Put the model's "
            "tokenizer.json there."
        ) from error


@contextmanager
def _without_marks(folder: Path) -> Iterator[Path]:
    """The folder, or a copy of its small files where one begins with a byte order mark.

    transformers reads every JSON file as plain UTF-8, the configuration beside a tokenizer too.
    """
    if not any(_marked(file) for file in folder.glob("*.json")):
        yield folder
        return
    with tempfile.TemporaryDirectory() as copied:
        copy_companions(folder, Path(copied))
        yield Path(copied)


def copy_companions(folder: Path, target: Path) -> None:
    """Copy what goes with weights to make a usable model, JSON without a byte order mark."""
    for file in {f for pattern in COMPANIONS for f in folder.glob(pattern)}:
        if file.suffix == ".json" and _marked(file):
            values = parse_json(file.read_bytes())
            text = json.dumps(values, indent=2, ensure_ascii=False)
            (target / file.name).write_text(text, encoding="utf-8")
        else:
            shutil.copyfile(file, target / file.name)


def _marked(file: Path) -> bool:
    with file.open("rb") as stream:
        return stream.read(2) in {codecs.BOM_UTF8[:2], codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE}


def training_dtype(name: str, anatomy: Anatomy, device: torch.device) -> torch.dtype:
    """The dtype of the weights in memory; see `RunSpec.dtype`."""
    if name != "auto":
        return torch.float32 if name == "float32" else torch.bfloat16
    narrow = anatomy.dtype == "bfloat16" and computes_bfloat16(device)
    return torch.bfloat16 if narrow else torch.float32


def computes_bfloat16(device: torch.device) -> bool:
    """Whether this device is a GPU that computes in bfloat16 by itself: a T4 emulates it."""
    if device.type == "cuda":
        return torch.cuda.is_bf16_supported(including_emulation=False)
    return device.type == "mps"


def _download(name: str) -> Path:
    absent = (
        f"The weights of '{name}' are not on this machine and the hub cannot be reached. Connect "
        "to the network, give a folder that has them, or train 'nano'."
    )
    if not is_offline() and not hub_answers():
        raise ModelError(absent)
    try:
        return Path(snapshot_download(name, allow_patterns=WEIGHT_FILES))
    except (HfHubHTTPError, LocalEntryNotFoundError, OSError) as error:
        raise ModelError(absent) from error
