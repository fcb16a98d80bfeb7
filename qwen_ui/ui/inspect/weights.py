"""Weights at hand, as the page tells them: do they fit, and what are a tensor's values like?"""

from __future__ import annotations

from collections.abc import Iterator
from html import escape
from typing import TYPE_CHECKING

from qwen_ui.errors import ModelError
from qwen_ui.formats import percent

if TYPE_CHECKING:
    from qwen_ui.model import Anatomy
    from qwen_ui.model.weights.fit import WeightsCheck
    from qwen_ui.model.weights.headers import StoredTensor
    from qwen_ui.model.weights.statistics import Spectrum, Statistics

MAX_LISTED = 200


def weights_html(anatomy: Anatomy) -> str:
    """Whether weights are at hand and fit the architecture, by their headers; what does not fit."""
    if anatomy.weights_folder is None:
        return _said(
            f"No weights of {anatomy.source} are at hand: its tree comes from the configuration "
            "alone. Pick nano, or name a folder that holds safetensors files."
        )
    from qwen_ui.model.weights.fit import check_weights, weights_of

    try:
        stored = weights_of(anatomy)
    except ModelError as error:
        return f'<p class="qi-said q-problem">{escape(str(error))}</p>'
    found = check_weights(anatomy, stored)
    files = f"{len(stored.files)} file{'s' if len(stored.files) > 1 else ''}"
    read = f"{stored.bytes_read:,} bytes of headers were read from {files}."
    return _said(f"{found.sentence} {read}") + "".join(_lists(found))


def _lists(found: WeightsCheck) -> Iterator[str]:
    for title, names in (
        ("missing in the files", found.missing),
        ("not in the architecture", found.unexpected),
        ("of another shape", found.mismatched),
        ("of another dtype (converted when they are loaded)", found.dtypes),
    ):
        if names:
            more = [f"and {len(names) - MAX_LISTED:,} more"] if len(names) > MAX_LISTED else []
            listed = "\n".join((*names[:MAX_LISTED], *more))
            yield (
                f'<details class="qi-names"><summary>{len(names):,} {title}</summary>'
                f"<pre>{escape(listed)}</pre></details>"
            )


def values_html(anatomy: Anatomy, name: str) -> str:
    """What the values of one tensor are like, and the singular values of a matrix.

    Raises:
        ModelError: no weights are at hand, or they cannot be read.
    """
    from qwen_ui.model.weights.fit import weights_of
    from qwen_ui.model.weights.statistics import MAX_SPECTRUM_SIDE, spectrum, tensor_statistics

    tensor = _stored(anatomy, name, weights_of(anatomy).tensors)
    rows = list(_statistics(tensor_statistics(tensor)))
    if len(tensor.shape) != 2:
        return _facts(rows)
    if min(tensor.shape) > MAX_SPECTRUM_SIDE:
        return _facts([*rows, ("singular values", "too large a matrix (limit 4,096)")])
    found = spectrum(tensor)
    rows.append(("effective rank", f"{found.effective_rank:,.1f} of {min(tensor.shape):,}"))
    return _facts(rows) + _bars(found)


def _stored(anatomy: Anatomy, name: str, tensors: dict[str, StoredTensor]) -> StoredTensor:
    parameter = anatomy.by_name.get(name)
    if parameter is None:
        raise ModelError(f"'{anatomy.source}' has no tensor '{name}'.")
    for known in parameter.names:
        if known in tensors:
            return tensors[known]
    raise ModelError(f"The weights at hand have no tensor '{name}'.")


def _statistics(found: Statistics) -> Iterator[tuple[str, str]]:
    yield "mean", f"{found.mean:.4g}"
    yield "standard deviation", f"{found.standard_deviation:.4g}"
    yield "extreme values", f"{found.minimum:.4g} to {found.maximum:.4g}"
    yield "zeros", percent(found.zeros)
    yield "NaN or infinite", f"{found.not_finite:,}" if found.not_finite else "none"


def _bars(found: Spectrum) -> str:
    """The largest singular values as bars with their numbers."""
    largest = max(found.top, default=0.0) or 1.0
    rows = "".join(
        f'<li><i style="width: {100 * value / largest:.1f}%"></i><span>{value:.4g}</span></li>'
        for value in found.top
    )
    return (
        f"<p>The {len(found.top)} largest singular values. Effective rank: exp of the entropy of "
        "all of them (Roy and Vetterli 2007).</p>"
        f'<ol class="qi-spectrum">{rows}</ol>'
    )


def _facts(rows: list[tuple[str, str]]) -> str:
    cells = "".join(f"<dt>{escape(a)}</dt><dd>{escape(b)}</dd>" for a, b in rows)
    return f'<dl class="qi-facts">{cells}</dl>'


def _said(text: str) -> str:
    return f'<p class="qi-said">{escape(text)}</p>'
