"""The model of a folder as transformers makes it when it loads, before any file is opened."""

from __future__ import annotations

import copy
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import torch

from qwen_ui.errors import ModelError
from qwen_ui.model.anatomy import Anatomy
from qwen_ui.model.libraries import PreTrainedModel
from qwen_ui.model.remote_code import came_with_its_code
from qwen_ui.model.skeleton import model_class
from qwen_ui.model.weights.fit import check_weights, refuse_misfit
from qwen_ui.model.weights.headers import StoredWeights


def weightless_model(
    folder: Path, anatomy: Anatomy, weights: StoredWeights, dtype: torch.dtype
) -> PreTrainedModel:
    """`load_model`'s result with every tensor on torch's meta device.

    transformers maps all files together to come to the same, even onto that device: a limit on
    memory that is smaller than the weights ends it (docs/decisions/engine.md). Here the class is
    made in the context that `from_pretrained` makes it in, and headers say whether the files fit.

    Args:
        folder: with the files.
        anatomy: of the model.
        weights: the files' headers.
        dtype: of the weights in memory.

    Raises:
        ModelError: the files do not hold this model, or it comes with its own code.
    """
    refuse_misfit(anatomy, check_weights(anatomy, weights))
    if came_with_its_code(anatomy.configuration):
        raise ModelError(
            f"The code that comes with '{anatomy.source}' is not run to train it. Choose a model "
            "that transformers knows."
        )
    made = model_class(anatomy.configuration)
    configuration = copy.deepcopy(anatomy.configuration)
    if made.config_class is configuration.sub_configs.get("text_config"):
        configuration = configuration.get_text_config()
    configuration.name_or_path = str(folder)
    configuration.dtype = dtype
    # What is quantized is plain once it is read.
    for part in (configuration, *(getattr(configuration, p) for p in configuration.sub_configs)):
        if hasattr(part, "quantization_config"):
            del part.quantization_config
    for part in configuration.sub_configs:
        if (inner := getattr(configuration, part)) is not None:
            inner.dtype = dtype
    with ExitStack() as context:
        for entered in made.get_init_context(dtype, False, False, None):
            context.enter_context(entered)
        model: PreTrainedModel = made(configuration)
    model.tie_weights()
    _settle_generation(model, folder)
    model.config.use_cache = False
    return model.train()


def _settle_generation(model: PreTrainedModel, folder: Path) -> None:
    """Take the folder's settings of generation, as `from_pretrained` does."""
    if model.can_generate() and hasattr(model, "adjust_generation_fn"):
        where = dict.fromkeys(("cache_dir", "proxies", "token", "revision"))
        adjust: Any = model.adjust_generation_fn
        adjust(
            None, None, None, str(folder),
            force_download=False, local_files_only=True, subfolder="", trust_remote_code=False,
            **where,
        )  # fmt: skip
