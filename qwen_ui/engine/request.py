"""The settings that a person gives -> a `RunSpec` that can run, or a message before launch."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from qwen_ui.errors import ModelError, PlanError
from qwen_ui.freeze import FreezePlan
from qwen_ui.model import hub_id
from qwen_ui.model.weights import refuse_quantized
from qwen_ui.runs import RunSpec, make_spec

if TYPE_CHECKING:
    from qwen_ui.model import Anatomy


def checked_spec(
    *, model: str, plan: FreezePlan, anatomy: Anatomy | None = None, **settings: Any
) -> RunSpec:
    """The spec of a run, its model, plan and settings checked.

    Args:
        anatomy: of the model, where it is open already.
        settings: the other settings, by their flat names (`runs.spec.SETTING_PLACES`).

    Raises:
        ModelError: no such model, or its weights are not on this machine.
        PlanError: the plan trains nothing in this model, or nothing that LoRA adapts.
        SettingsError: a setting is out of its range, or LoRA is asked for and `peft` missing.
    """
    from qwen_ui.freeze import resolve  # noqa: PLC0415
    from qwen_ui.model import open_model  # noqa: PLC0415  imports torch; a page has it open

    spec = make_spec(model=model, plan=plan.to_dict(), **settings)
    found = anatomy or open_model(model)
    selection = resolve(plan, found)
    if not selection.names:
        raise PlanError(
            "The plan trains nothing. Choose what trains first, for instance 'attention'."
        )
    if spec.model.lora_rank:
        from qwen_ui.engine.lora import adapted_modules, check_peft  # noqa: PLC0415  imports torch

        check_peft()
        adapted_modules(selection)
    refuse_quantized(found)
    if found.weights_folder is None:
        raise ModelError(
            f"The weights of '{model}' are not on this machine. Fetch them with `hf download "
            f"{hub_id(model)}`, give a folder that has them, or rehearse the same plan on 'nano'."
        )
    return spec
