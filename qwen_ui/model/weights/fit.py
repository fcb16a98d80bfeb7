"""Whether weight files fit the architecture, by their headers alone.

One function, `check_weights`, says so to `inspect`, the report, the page and `train`. Files that
have exactly the architecture's names and shapes fit, and need neither torch nor transformers to be
known; all others are loaded by transformers' own rules, without their data (`rehearsal`).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from qwen_ui.errors import ModelError
from qwen_ui.model.anatomy import Anatomy
from qwen_ui.model.mistaken import other_weights
from qwen_ui.model.names import hub_id, preset_file
from qwen_ui.model.weights.fit_reasons import likely_reason
from qwen_ui.model.weights.headers import StoredWeights, read_weights
from qwen_ui.model.weights.quantization import is_dequantized, quantization_of
from qwen_ui.paths import named_path

LISTED = 3


@dataclass(frozen=True, slots=True)
class WeightsCheck:
    """The result of `check_weights`.

    Attributes:
        missing: names of the architecture that the files do not have (of a tie, one suffices).
        unexpected: names in the files that the architecture does not have.
        mismatched: "name: shape in the file, shape in the architecture".
        dtypes: "name: dtype in the file, dtype in the architecture"; they are converted.
        unknown: names whose conversion needs values: whether they fit is known when they load.
        reason: the likely reason why they do not fit, as a sentence; "" where none is known.
        converted: how many tensors of the files are renamed, stacked or split when they load.
        quantization: how they are quantized ("gptq") where they cannot be trained so; else "".
        dequantized: how they are quantized ("fp8") where they are read as plain numbers; else "".
    """

    missing: tuple[str, ...]
    unexpected: tuple[str, ...]
    mismatched: tuple[str, ...]
    dtypes: tuple[str, ...] = ()
    unknown: tuple[str, ...] = ()
    reason: str = ""
    converted: int = 0
    quantization: str = ""
    dequantized: str = ""

    @property
    def fits(self) -> bool:
        """Whether training may start from these files."""
        return not (self.missing or self.unexpected or self.mismatched or self.quantization)

    @property
    def sentence(self) -> str:
        """The result as one or two sentences."""
        if self.quantization:
            return f"The weights are quantized ({self.quantization}) and cannot be trained."
        if self.fits:
            notes = [f"{len(self.dtypes):,} of another dtype"] if self.dtypes else []
            if self.converted:
                notes.append(f"{self.converted:,} converted by transformers' rules")
            if self.dequantized:
                notes.append(f"quantized ({self.dequantized}), read as plain numbers")
            if self.unknown:
                notes.append(f"{len(self.unknown):,} known only when they load")
            extra = "".join(f"; {note}" for note in notes)
            return f"Every name and shape of the weights fits the architecture{extra}."
        parts = [
            f"{len(names):,} {what} ({_listed(names)})"
            for what, names in (
                ("missing", self.missing),
                ("unexpected", self.unexpected),
                ("of another shape", self.mismatched),
            )
            if names
        ]
        told = "The weights do not fit the architecture: " + ", ".join(parts) + "."
        return f"{told} {self.reason}" if self.reason else told


def _listed(names: tuple[str, ...]) -> str:
    more = ", ..." if len(names) > LISTED else ""
    return ", ".join(f"`{name}`" for name in names[:LISTED]) + more


def check_weights(anatomy: Anatomy, weights: StoredWeights) -> WeightsCheck:
    """Names, shapes and dtypes of the files against the architecture's, as they would be loaded."""
    quantization = quantization_of(anatomy, weights)
    if is_dequantized(anatomy.config):
        return replace(_rehearsed(anatomy, weights), dequantized=quantization)
    if quantization:
        # Packed tensors fit nothing by themselves; how they are packed is what counts.
        return replace(_compared(anatomy, weights), quantization=quantization)
    if _is_exact(anatomy, weights) or anatomy.configuration is None:
        return _compared(anatomy, weights)
    return _rehearsed(anatomy, weights)


def _is_exact(anatomy: Anatomy, weights: StoredWeights) -> bool:
    """Whether names and shapes are the architecture's own; of a tie, one name suffices."""
    stored = weights.tensors
    known = anatomy.by_name.keys() | set(anatomy.buffers)
    return (
        stored.keys() <= known
        and set(anatomy.buffers) <= stored.keys()
        and all(any(n in stored for n in p.names) for p in anatomy.parameters)
        and all(
            stored[name].shape == parameter.shape
            for name, parameter in anatomy.by_name.items()
            if name in stored
        )
    )


def _compared(anatomy: Anatomy, weights: StoredWeights) -> WeightsCheck:
    """By names as they are: right where these are exact, and for a bare module without rules."""
    stored, known = weights.tensors, anatomy.by_name
    missing = tuple(p.name for p in anatomy.parameters if not stored.keys() & set(p.names))
    unexpected = tuple(sorted(stored.keys() - known.keys() - set(anatomy.buffers)))
    mismatched = tuple(
        _mismatch(name, tensor.shape, known[name].shape)
        for name, tensor in stored.items()
        if name in known and tensor.shape != known[name].shape
    )
    dtypes = tuple(
        f"{name}: {tensor.dtype}, {known[name].dtype}"
        for name, tensor in stored.items()
        if name in known and tensor.dtype != known[name].dtype
    )
    return made_check(anatomy, missing, unexpected, mismatched, dtypes=dtypes)


def _rehearsed(anatomy: Anatomy, weights: StoredWeights) -> WeightsCheck:
    from qwen_ui.model.weights.rehearsal import rehearse  # noqa: PLC0415  loads transformers

    found = rehearse(anatomy.configuration, weights)
    places, known = found.places, anatomy.by_name
    dtypes = tuple(
        f"{name}: {tensor.dtype}, {known[place].dtype}"
        for name, tensor in weights.tensors.items()
        if (place := places[name].name) in known and tensor.dtype != known[place].dtype
    )
    mismatched = [_mismatch(*found) for found in found.mismatched]
    mismatched += [f"{name}: {said}" for name, said in found.failed.items()]
    return made_check(
        anatomy,
        found.missing,
        found.unexpected,
        tuple(mismatched),
        dtypes=dtypes,
        unknown=found.unknown,
        converted=sum(place.converted or place.name != name for name, place in places.items()),
    )


def made_check(
    anatomy: Anatomy,
    missing: tuple[str, ...],
    unexpected: tuple[str, ...],
    mismatched: tuple[str, ...],
    **more: object,
) -> WeightsCheck:
    """A check with these findings, and the likely reason for them."""
    reason = likely_reason(anatomy, missing, unexpected, mismatched)
    return WeightsCheck(missing, unexpected, mismatched, reason=reason, **more)  # type: ignore[arg-type]


def _mismatch(name: str, found: tuple[int, ...], wanted: tuple[int, ...]) -> str:
    return f"{name}: {list(found)} in the file, {list(wanted)} in the architecture"


def refuse_misfit(anatomy: Anatomy, found: WeightsCheck) -> None:
    """Refuse weights that would leave a part of the model as chance made it.

    Raises:
        ModelError: something is missing, unexpected or of another shape.
    """
    if not found.fits:
        raise ModelError(
            f"'{anatomy.source}' cannot be used: {found.sentence[0].lower()}"
            f"{found.sentence[1:]} Nothing is trained from weights that chance made."
        )


def weights_of(anatomy: Anatomy) -> StoredWeights:
    """The weights of a model on this machine, from their headers.

    Raises:
        ModelError: they are not here, or cannot be read.
    """
    if anatomy.weights_folder is None:
        raise ModelError(why_no_weights(anatomy))
    return read_weights(anatomy.weights_folder)


def why_no_weights(anatomy: Anatomy) -> str:
    """Why a model has no weights on this machine, and where to get them."""
    folder = _own_folder(anatomy)
    if folder is None:
        return (
            f"The weights of '{anatomy.source}' are not on this machine. Fetch them with `hf "
            f"download {hub_id(anatomy.source)}`, give a folder that has them, or rehearse the "
            "same plan on 'nano'."
        )
    return other_weights(folder) or (
        f"The weights of '{anatomy.source}' are not on this machine: '{folder}' holds a "
        "configuration and no safetensors files. Put them beside it."
    )


def unread_weights(anatomy: Anatomy) -> str:
    """A sentence on weights beside the configuration that are no safetensors; "" for none."""
    folder = _own_folder(anatomy)
    return "" if folder is None or anatomy.weights_folder is not None else other_weights(folder)


def _own_folder(anatomy: Anatomy) -> Path | None:
    """The folder that a model was opened from; None for a preset, a hub id and a bare module."""
    path = named_path(anatomy.source)
    if preset_file(anatomy.source) is not None or path is None:
        return None
    return path if path.is_dir() else path.parent
