"""A tuned checkpoint against its base, tensor by tensor, and against a plan."""

from __future__ import annotations

from collections.abc import Callable

from qwen_ui.errors import PlanError
from qwen_ui.freeze import FreezePlan, Selection, resolve
from qwen_ui.model import Anatomy, open_model
from qwen_ui.model.weights import refuse_unreadable, weights_of
from qwen_ui.runs import recorded_settings, run_folder
from qwen_ui.verify.checkpoint import read_checkpoint
from qwen_ui.verify.findings import findings
from qwen_ui.verify.pairs import OnProgress, Pairs
from qwen_ui.verify.tuned import open_tuned
from qwen_ui.verify.verification import Verification


def verify(
    base: str,
    tuned: str,
    plan: FreezePlan | Callable[[Anatomy], FreezePlan] | None = None,
    *,
    intruders: bool = False,
    on_progress: OnProgress | None = None,
) -> Verification:
    """Compare two checkpoints, a piece of a tensor at a time.

    Args:
        base: a model whose weights are on this machine.
        tuned: a folder (of a model, of an adapter that peft saved, of a run), a safetensors file or
            its index, a run, a preset or a hub id.
        plan: that it was to keep, or what makes one of the base's anatomy; None takes the one that
            our own deltas carry.
        intruders: whether intruder dimensions of changed matrices are counted, which takes a
            singular value decomposition of both.
        on_progress: told how far the work is.

    Raises:
        UserError: one of them is not there or cannot be read, or the plan cannot be resolved.
    """
    anatomy = open_model(base)
    weights = weights_of(anatomy)
    refuse_unreadable(anatomy, weights)
    before = read_checkpoint(anatomy, weights, anatomy)
    after = open_tuned(tuned, anatomy, read_checkpoint(anatomy, weights, anatomy))
    chosen = plan(anatomy) if callable(plan) else plan
    if chosen is None and after.plan:
        chosen = FreezePlan.from_dict(after.plan)
    selection = None if chosen is None else _resolved(chosen, anatomy)
    pairs = Pairs(anatomy, before, after, intruders, on_progress or (lambda done, total: None))
    pairs.compare()
    return findings((base, tuned), before, after, pairs, selection)


def verify_run(run: str, *, on_progress: OnProgress | None = None) -> Verification:
    """Whether what a run left keeps its own plan: its delta against its base.

    Raises:
        UserError: no such run, or it left no delta.
    """
    settings = recorded_settings(run_folder(run))
    return verify(str(settings.get("model") or ""), run, on_progress=on_progress)


def _resolved(plan: FreezePlan, anatomy: Anatomy) -> Selection:
    selection = resolve(plan, anatomy)
    if not selection.names:
        raise PlanError("The plan trains nothing. Give the plan that the training was to keep.")
    return selection
