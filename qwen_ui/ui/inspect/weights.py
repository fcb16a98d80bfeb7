"""Weights at hand, as the page tells them: do they fit, and what are a tensor's values like?"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from qwen_ui.errors import ModelError
from qwen_ui.formats import percent
from qwen_ui.model.weights import (
    check_weights,
    is_dequantized,
    quantization_of,
    unread_weights,
    weights_of,
)
from qwen_ui.ui.page import paragraph, render

if TYPE_CHECKING:
    from qwen_ui.model import Anatomy
    from qwen_ui.model.weights import Spectrum, Statistics, StoredTensor, WeightsCheck

MAX_LISTED = 200


def weights_html(anatomy: Anatomy) -> str:
    """Whether weights are at hand and fit the architecture, by their headers; what does not fit."""
    if anatomy.weights_folder is None:
        text = unread_weights(anatomy) or (
            f"The weights of {anatomy.source} are not on this machine; its tree comes from the "
            "configuration alone. Choose nano, or give a folder with safetensors files."
        )
        if quantized := quantization_of(anatomy):
            if is_dequantized(anatomy.config):
                text += f" They are quantized ({quantized}), and read as plain numbers to train."
            else:
                text += f" They are quantized ({quantized}) and cannot be trained."
        return paragraph(text, "qi-said")
    try:
        stored = weights_of(anatomy)
    except ModelError as error:
        return paragraph(str(error), "qi-said q-problem")
    found = check_weights(anatomy, stored)
    return render(
        "inspect/weights.html",
        sentence=" ".join([*anatomy.notes, found.sentence]),
        bytes_read=stored.bytes_read,
        files=len(stored.files),
        lists=_lists(found),
        most=MAX_LISTED,
    )


def _lists(found: WeightsCheck) -> list[tuple[str, Sequence[str]]]:
    return [
        ("missing in the files", found.missing),
        ("not in the architecture", found.unexpected),
        ("of another shape", found.mismatched),
        ("of another dtype (converted when they are loaded)", found.dtypes),
    ]


def values_html(anatomy: Anatomy, name: str) -> str:
    """What the values of one tensor are like, and the singular values of a matrix.

    Raises:
        ModelError: no weights are at hand, or they cannot be read.
    """
    from qwen_ui.model.weights import MAX_SPECTRUM_SIDE, spectrum, tensor_statistics  # noqa: PLC0415  loads torch

    tensor = _stored(anatomy, name, weights_of(anatomy).tensors)
    pairs, bars = list(_statistics(tensor_statistics(tensor))), []
    if len(tensor.shape) == 2 and min(tensor.shape) > MAX_SPECTRUM_SIDE:
        pairs.append(("singular values", f"too large a matrix (limit {MAX_SPECTRUM_SIDE:,})"))
    elif len(tensor.shape) == 2:
        found = spectrum(tensor)
        pairs.append(("effective rank", f"{found.effective_rank:,.1f} of {min(tensor.shape):,}"))
        bars = _bars(found)
    return render("inspect/values.html", pairs=pairs, bars=bars)


def _stored(anatomy: Anatomy, name: str, tensors: dict[str, StoredTensor]) -> StoredTensor:
    parameter = anatomy.by_name.get(name)
    if parameter is None:
        raise ModelError(f"'{anatomy.source}' has no tensor '{name}'.")
    for known in parameter.names:
        if known in tensors:
            return tensors[known]
    raise ModelError(f"The weight files have no tensor '{name}'.")


def _statistics(found: Statistics) -> Iterator[tuple[str, str]]:
    yield "mean", f"{found.mean:.4g}"
    yield "standard deviation", f"{found.standard_deviation:.4g}"
    yield "extreme values", f"{found.minimum:.4g} to {found.maximum:.4g}"
    yield "zeros", percent(found.zeros)
    yield "NaN or infinite", f"{found.not_finite:,}" if found.not_finite else "none"


def _bars(found: Spectrum) -> list[tuple[str, str]]:
    """(width in per cent of the largest, value) of the largest singular values."""
    largest = max(found.top, default=0.0) or 1.0
    return [(f"{100 * value / largest:.1f}", f"{value:.4g}") for value in found.top]
