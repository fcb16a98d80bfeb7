"""Which model trains or is ranked where the weights of the opened one are not on this machine.

The nano twin stands in for a model whose blocks have the same count and the same kinds, because
then a plan means the same parameter names on both. For any other model there is no stand-in.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

from qwen_ui.errors import ModelError, UserError
from qwen_ui.freeze import resolve
from qwen_ui.markup import render
from qwen_ui.model import NANO, hub_id, open_model
from qwen_ui.ui.page.templates import paragraph

if TYPE_CHECKING:
    from qwen_ui.freeze import FreezePlan
    from qwen_ui.model import Anatomy
    from qwen_ui.ui.page.session import Session


def stand_in_for(anatomy: Anatomy) -> Anatomy | None:
    """The model itself where its weights are here, else its twin; None where it has none."""
    if anatomy.weights_folder is not None:
        return anatomy
    twin = _twin()
    same = anatomy.block_count == twin.block_count and _block_kinds(anatomy) == _block_kinds(twin)
    return twin if same else None


def trained_model(session: Session, source: str, plan: FreezePlan | None = None) -> str:
    """The name of the model that a run on `source` trains.

    Raises:
        ModelError: its weights are not here, and no twin has its parameter names.
        PlanError: the plan cannot be resolved.
    """
    anatomy = session.anatomy(source)
    found = stand_in_for(anatomy)
    if found is None:
        raise _no_stand_in(source, _difference(anatomy, _twin()))
    if plan is not None and found is not anatomy and not _same_names(plan, anatomy, found):
        raise _no_stand_in(source, "the plan names parameters that it does not have")
    return found.source


def runs_html(session: Session, source: str) -> str:
    """Which model a click would run, said where another stands in for the one that is open."""
    if not source:
        return ""
    try:
        model = trained_model(session, source)
    except UserError as error:
        return paragraph(str(error), "q-runs q-bad")
    return render("page/runs.html", model=model, stands_in_for=source if model != source else "")


@cache
def _twin() -> Anatomy:
    return open_model(NANO)


def _same_names(plan: FreezePlan, anatomy: Anatomy, twin: Anatomy) -> bool:
    return resolve(plan, anatomy).names == resolve(plan, twin).names


def _no_stand_in(source: str, why: str) -> ModelError:
    return ModelError(
        f"The weights of {source} are not on this machine, and {NANO} cannot stand in for it: "
        f"{why}. Fetch them with `hf download {hub_id(source)}`, open a folder that has them, or "
        f"open {NANO} itself."
    )


def _difference(anatomy: Anatomy, twin: Anatomy) -> str:
    if anatomy.block_count != twin.block_count:
        return f"it has {twin.block_count} blocks, not {anatomy.block_count}"
    return "its blocks hold other kinds of parameters"


def _block_kinds(anatomy: Anatomy) -> set[str]:
    return {kind.kind for kind in anatomy.kinds if kind.blocks}
