"""The model with its weights, and its tokenizer, from a folder on this machine or the hub."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from huggingface_hub import snapshot_download
from huggingface_hub.errors import HfHubHTTPError, LocalEntryNotFoundError

from qwen_ui.errors import ModelError
from qwen_ui.model.anatomy import Anatomy
from qwen_ui.model.hub import hub_answers, is_offline
from qwen_ui.model.libraries import (
    AutoModelForCausalLM,
    AutoTokenizer,
    PreTrainedModel,
    disable_progress_bar,
)
from qwen_ui.model.names import hub_id, is_hub_id
from qwen_ui.model.weights.quantization import refuse_quantized

WEIGHT_FILES = ["*.safetensors", "*.json", "*.jinja", "*.txt", "*.model"]


def weights_folder(anatomy: Anatomy) -> Path:
    """The folder with the model's weights, downloaded from the hub where they are not here.

    Raises:
        ModelError: they cannot be downloaded, or are quantized.
    """
    refuse_quantized(anatomy)
    if anatomy.weights_folder is not None:
        return anatomy.weights_folder
    name = hub_id(anatomy.source)
    if not is_hub_id(name) or Path(name).exists():
        raise ModelError(
            f"'{anatomy.source}' has no weights on this machine, only a configuration. Put its "
            "safetensors files next to the config.json, or train 'nano'."
        )
    return _download(name)


def load_model(folder: Path, anatomy: Anatomy, dtype: torch.dtype) -> PreTrainedModel:
    """The causal language model with its weights, on the CPU. Remote code is never run.

    Raises:
        ModelError: the files do not hold this model.
    """
    # A progress bar on standard error would fill the run's log.
    disable_progress_bar()
    try:
        model = AutoModelForCausalLM.from_pretrained(
            folder,
            config=anatomy.configuration,
            dtype=dtype,
            local_files_only=True,
            use_safetensors=True,
            trust_remote_code=False,
        )
    except (OSError, ValueError, RuntimeError) as error:
        raise ModelError(
            f"The weights in '{folder}' cannot be loaded ({' '.join(str(error).split())[:300]}). "
            "Download the model again."
        ) from error
    model.config.use_cache = False
    return model.train()


def load_tokenizer(folder: Path) -> Any:
    """The model's own tokenizer.

    Raises:
        ModelError: the folder has none.
    """
    try:
        return AutoTokenizer.from_pretrained(folder, local_files_only=True, trust_remote_code=False)
    except (OSError, ValueError, KeyError) as error:
        raise ModelError(
            f"The folder '{folder}' has no tokenizer that can be read. Put the model's "
            "tokenizer.json there."
        ) from error


def training_dtype(name: str, anatomy: Anatomy, device: torch.device) -> torch.dtype:
    """The dtype of the weights in memory; see `RunSpec.dtype`."""
    if name != "auto":
        return torch.float32 if name == "float32" else torch.bfloat16
    return (
        torch.bfloat16 if device.type == "cuda" and anatomy.dtype == "bfloat16" else torch.float32
    )


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
