"""Ties that the configuration promises and the files break.

Where a configuration ties the head to the embedding and the files hold both with other values,
transformers does not tie them (`PreTrainedModel.tie_weights`), so the model has one tensor more
than its configuration says. It is opened as it will be loaded.
"""

from __future__ import annotations

import copy
from typing import Any

import torch

from qwen_ui.errors import ModelError
from qwen_ui.model.anatomy import Anatomy
from qwen_ui.model.weights.headers import StoredTensor, read_weights

# Evenly spaced samples of a tensor, first and last rows among them: whole embeddings are gigabytes.
# The loader compares every value, and `load_model` refuses what these samples missed.
SAMPLES, ELEMENTS = 64, 1024


def untied_pair(anatomy: Anatomy) -> tuple[str, ...]:
    """Names that are tied by the configuration and hold different values in the files; () if none.

    Reads nothing but headers where the files hold one name of a tie, as they usually do.
    """
    if anatomy.weights_folder is None or not anatomy.tied:
        return ()
    try:
        stored = read_weights(anatomy.weights_folder).tensors
    except ModelError:
        return ()  # the check of the weights says what is wrong with them
    for group in anatomy.tied:
        held = [found for name in group if (found := _stored(stored, name)) is not None]
        if any(_differ(held[0], other) for other in held[1:]):
            return group
    return ()


def untied_configuration(configuration: Any) -> Any:
    """A copy of a configuration that ties nothing, in its parts neither."""
    found = copy.deepcopy(configuration)
    for part in (found, *(getattr(found, name, None) for name in found.sub_configs)):
        if getattr(part, "tie_word_embeddings", False):
            part.tie_word_embeddings = False
    return found


def untied_note(group: tuple[str, ...]) -> str:
    """What a person has to know of it."""
    return (
        f"The configuration ties {' and '.join(group)}, but the files hold different values for "
        "them: as transformers does, they are two tensors here, each trained by itself."
    )


def _stored(stored: dict[str, StoredTensor], name: str) -> StoredTensor | None:
    """A tensor by its name in the model; wrappers change the beginning of names, not the end."""
    if name in stored:
        return stored[name]
    ending = "." + ".".join(name.split(".")[-2:])
    like = [tensor for found, tensor in stored.items() if found.endswith(ending)]
    return like[0] if len(like) == 1 else None


def _differ(one: StoredTensor, other: StoredTensor) -> bool:
    if one is other or one.shape != other.shape:
        return False  # of another shape: that they do not fit is said elsewhere
    count = one.bytes // _width(one)
    size = min(ELEMENTS, count)
    starts = {round(i * (count - size) / max(SAMPLES - 1, 1)) for i in range(SAMPLES)}
    return any(
        not torch.equal(_values(one, start, size), _values(other, start, size))
        for start in sorted(starts)
    )


def _values(tensor: StoredTensor, start: int, count: int) -> torch.Tensor:
    width = _width(tensor)
    with tensor.file.open("rb") as stream:
        stream.seek(tensor.start + start * width)
        raw = bytearray(stream.read(count * width))
    return torch.frombuffer(raw, dtype=getattr(torch, tensor.dtype)).double()


def _width(tensor: StoredTensor) -> int:
    return int(getattr(torch, tensor.dtype).itemsize)
