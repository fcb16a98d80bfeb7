"""Whether weight files fit the architecture, by their headers alone. Imports no torch."""

from __future__ import annotations

from dataclasses import dataclass

from qwen_ui.errors import ModelError
from qwen_ui.model.anatomy import Anatomy
from qwen_ui.model.weights.headers import StoredWeights, read_weights


@dataclass(frozen=True, slots=True)
class WeightsCheck:
    """The result of `check_weights`; the weights fit where the first three are empty.

    Attributes:
        missing: names of the architecture that the files do not have (of a tie, one suffices).
        unexpected: names in the files that the architecture does not have.
        mismatched: "name: shape in the file, shape in the architecture".
        dtypes: "name: dtype in the file, dtype in the architecture"; they are converted.
    """

    missing: tuple[str, ...]
    unexpected: tuple[str, ...]
    mismatched: tuple[str, ...]
    dtypes: tuple[str, ...]

    @property
    def fits(self) -> bool:
        return not (self.missing or self.unexpected or self.mismatched)

    @property
    def sentence(self) -> str:
        """The result as one sentence."""
        if self.fits:
            note = f"; {len(self.dtypes)} of another dtype" if self.dtypes else ""
            return f"Every name and shape of the weights fits the architecture{note}."
        parts = [
            f"{len(names)} {what} (`{names[0]}`)"
            for what, names in (
                ("missing", self.missing),
                ("unexpected", self.unexpected),
                ("of another shape", self.mismatched),
            )
            if names
        ]
        return "The weights do not fit the architecture: " + ", ".join(parts) + "."


def check_weights(anatomy: Anatomy, weights: StoredWeights) -> WeightsCheck:
    """Names, shapes and dtypes of the files against the architecture's."""
    missing, mismatched, dtypes = [], [], []
    for parameter in anatomy.parameters:
        stored = [weights.tensors[name] for name in parameter.names if name in weights.tensors]
        if not stored:
            missing.append(parameter.name)
        for tensor in stored:
            if tensor.shape != parameter.shape:
                mismatched.append(
                    f"{tensor.name}: {list(tensor.shape)} in the file, "
                    f"{list(parameter.shape)} in the architecture"
                )
            elif tensor.dtype != parameter.dtype:
                dtypes.append(f"{tensor.name}: {tensor.dtype}, {parameter.dtype}")
    unexpected = sorted(weights.tensors.keys() - anatomy.by_name.keys())
    return WeightsCheck(tuple(missing), tuple(unexpected), tuple(mismatched), tuple(dtypes))


def weights_of(anatomy: Anatomy) -> StoredWeights:
    """The weights of a model on this machine, from their headers.

    Raises:
        ModelError: they are not here, or cannot be read.
    """
    if anatomy.weights_folder is None:
        raise ModelError(
            f"The weights of '{anatomy.source}' are not on this machine. Give a folder that has "
            "them."
        )
    return read_weights(anatomy.weights_folder)
