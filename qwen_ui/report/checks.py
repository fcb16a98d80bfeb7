"""The sanity checks of the inspection report: each is executed, none is taken for granted.

A check looks at the anatomy or at the weightless module itself and gives what it found as evidence.
Where a question does not arise (no attention heads to group), the check passes and says so.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from torch import nn

from qwen_ui.errors import ModelError
from qwen_ui.model import Anatomy, fake_model, language_config
from qwen_ui.model.weights import check_weights, weights_of
from qwen_ui.report.check_attention import check_attention
from qwen_ui.report.check_names import check_collisions, check_pattern
from qwen_ui.report.check_parts import check_mlp, check_norms, check_unusual
from qwen_ui.report.gradients import check_gradients


@dataclass(frozen=True, slots=True)
class Check:
    """One question about the model, and its answer.

    Attributes:
        name: the question.
        passed: whether the model is as its configuration and names say.
        evidence: what was found, with figures and names.
    """

    name: str
    passed: bool
    evidence: str


def audit(anatomy: Anatomy) -> tuple[Check, ...]:
    """Every check, in the report's order. Builds the weightless module again to run it.

    Raises:
        ModelError: the anatomy is that of a bare module, or it cannot be built again.
    """
    fake = fake_model(anatomy)
    module = fake.module
    found = [Check(name, *check(anatomy)) for name, check in STRUCTURAL.items()]
    total = Check("Do the tensors sum to the model's own total?", *check_total(anatomy, module))
    gradients = Check(
        "Does a weightless backward put gradients exactly on the selected parameters?",
        *check_gradients(anatomy, fake),
    )
    if anatomy.weights_folder is None:
        return (total, *found, gradients)
    stored = Check("Do the weight files fit the architecture?", *check_stored(anatomy))
    return (total, *found, gradients, stored)


def check_stored(anatomy: Anatomy) -> tuple[bool, str]:
    """Names and shapes of the safetensors files, by their headers, against the architecture."""
    try:
        stored = weights_of(anatomy)
    except ModelError as error:
        return False, str(error)
    found = check_weights(anatomy, stored)
    files = "1 file" if len(stored.files) == 1 else f"{len(stored.files)} files"
    read = f"{stored.bytes_read:,} bytes read of {files}"
    return found.fits, f"{found.sentence} ({len(stored.tensors):,} tensors, {read})"


def check_total(anatomy: Anatomy, module: nn.Module) -> tuple[bool, str]:
    """The anatomy's count against the module's own, and the count with ties counted twice."""
    own = sum(parameter.numel() for parameter in module.parameters())
    naive = sum(p.numel() for _, p in module.named_parameters(remove_duplicate=False))
    listed = anatomy.total_parameters
    evidence = f"{listed:,} listed in {len(anatomy.parameters):,} tensors, {own:,} in the module"
    if naive != own:
        evidence += f"; counting tied tensors twice would give {naive:,}"
    return listed == own, evidence + "."


def check_sharing(anatomy: Anatomy) -> tuple[bool, str]:
    """Tensors with two names, against what the configuration says of the head."""
    promised = anatomy.config.get("tie_word_embeddings")
    if promised is None:
        promised = language_config(anatomy.config).get("tie_word_embeddings")
    head_is_tied = any(_is_head_tie(anatomy, group) for group in anatomy.tied)
    groups = "; ".join(" = ".join(f"`{name}`" for name in group) for group in anatomy.tied[:4])
    more = f" and {len(anatomy.tied) - 4} more groups" if len(anatomy.tied) > 4 else ""
    said = f"tie_word_embeddings is {promised}"
    if anatomy.tied:
        evidence = f"Yes: {groups}{more} (found by identity; {said}). Training one trains both."
    else:
        evidence = f"No: every name is a tensor of its own ({said})."
    return promised is None or bool(promised) == head_is_tied, evidence


def _is_head_tie(anatomy: Anatomy, group: tuple[str, ...]) -> bool:
    return all(anatomy.by_name[name].block is None for name in group)


STRUCTURAL: dict[str, Callable[[Anatomy], tuple[bool, str]]] = {
    "Is any parameter shared, as the configuration says?": check_sharing,
    "Is attention grouped, and do k and v have the rows for it?": check_attention,
    "Which norm, and is it the same everywhere?": check_norms,
    "Which MLP, and do its matrices fit in every block?": check_mlp,
    "Is every module of a usual kind?": check_unusual,
    "Does the block pattern match every block?": check_pattern,
    "Do block indexes stay apart (layers.2 and layers.24)?": check_collisions,
}
