"""Where the outputs of a run's frozen blocks are cached: on its device, or in files."""

from __future__ import annotations

import sys

import torch

from qwen_ui.data import Examples
from qwen_ui.engine.forward import Trainee
from qwen_ui.engine.loop import OpenCaches
from qwen_ui.engine.parts import Base, TokenizedData
from qwen_ui.engine.prefix_cache import PrefixCache, PrefixKey
from qwen_ui.engine.prefix_resident import ResidentPrefix, resident_budget, resident_bytes
from qwen_ui.engine.prefix_source import Cache
from qwen_ui.engine.stream.refusal import unwritable
from qwen_ui.engine.stream.streamed_run import streams
from qwen_ui.model.libraries import transformers_version
from qwen_ui.runs import RunSpec

# Share of the cache's budget that the evaluation examples get, and the text to keep again.
EVALUATION_SHARE = 10


def cache_opener(
    spec: RunSpec, base: Base, data: TokenizedData, trainee: Trainee, device: torch.device
) -> OpenCaches:
    """Opens the caches of the prefix's outputs for the examples of each kind.

    It raises `OSError` where there is no place for their files, or `SettingsError` where a run
    cannot go on without.
    """

    def opened(width: int, dtype: torch.dtype) -> tuple[Cache | None, Cache | None, Cache | None]:
        room = resident_budget(device)

        def cache(examples: Examples, budget: int) -> Cache:
            nonlocal room
            if streams(trainee):
                # Whole: what the run does not read is never written, and takes no room.
                budget = sys.maxsize
            taken = resident_bytes(examples, width, dtype)
            if taken <= room:
                room -= taken
                return ResidentPrefix(examples, width, dtype, device)
            key = PrefixKey(
                weights=base.fingerprint,
                configuration=trainee.model.config.to_json_string(),
                tokens=examples.fingerprint,
                depth=trainee.prefix_blocks,
                dtype=f"{dtype} of {trainee.model.dtype} {spec.resources.mixed_precision}",
                device=device.type,
                versions=f"{torch.__version__} {transformers_version}",
            )
            total = spec.resources.prefix_budget_bytes
            try:
                return PrefixCache(key, examples, width, dtype, budget, total)
            except OSError as error:
                if streams(trainee):
                    raise unwritable(error) from error
                raise

        budget = spec.resources.prefix_budget_bytes
        for_evaluation = budget // EVALUATION_SHARE
        # Those of the evaluation examples are read after every run, and so is the text to keep.
        evaluation = cache(data.evaluation, for_evaluation)
        keep = None if data.keep is None else cache(data.keep, for_evaluation)
        # On a CPU keeping costs a run of one epoch 8 % and saves the next run with the same frozen
        # blocks two thirds (docs/decisions/engine.md); a GPU computes them anew for less.
        once = device.type != "cpu" and not _read_again(spec, data)
        if once and not streams(trainee):
            return None, evaluation, keep
        return cache(data.training, budget - 2 * for_evaluation), evaluation, keep

    return opened


def _read_again(spec: RunSpec, data: TokenizedData) -> bool:
    """Whether the run comes to training examples a second time."""
    settings = spec.optimization
    if settings.learning_rate_finder:  # every rate is tried on the same ones
        return True
    batch = settings.batch_size * settings.gradient_accumulation_steps * spec.resources.processes
    return settings.steps * batch > len(data.training.items)
