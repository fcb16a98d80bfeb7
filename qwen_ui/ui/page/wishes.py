"""What the page's own scripts ask of the model and the plan in force: by address, paste, drop, key.

One component takes all of it: the browser alone writes its value, a `Wish` as JSON, and the header
answers as it does where a model is picked.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated

import gradio as gr
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from qwen_ui.errors import UserError
from qwen_ui.freeze import FreezePlan, canonical_plan, preset
from qwen_ui.ui.page.given_model import MAX_CONFIG, keep_configuration, model_of_tensors
from qwen_ui.ui.page.modules import mounted_by
from qwen_ui.ui.page.saved_plans import saved_plan
from qwen_ui.ui.page.templates import mount_point

if TYPE_CHECKING:
    from qwen_ui.model import Anatomy
    from qwen_ui.ui.page.session import Session

# A link with more would not pass every proxy and mail program.
MAX_LINKED_PLAN = 1500
MAX_WISH = 8 * MAX_CONFIG
MAX_TENSORS = 50_000
_PRESETS = ("attention", "bitfit", "mlp", "norms", "embeddings", "full", "none")

Text = Annotated[str, Field(max_length=2 * MAX_CONFIG)]
Name = Annotated[str, Field(max_length=4096)]


class Wish(BaseModel):
    """What is asked for; what is None stays as it is.

    Attributes:
        model: a name, a link or a path.
        config: the text of a config.json; `file`: its own name.
        tensors: shapes by name, of a safetensors header.
        plan: as `plan_in_link` writes it.
        saved: the name of a saved plan.
        only: names of the tensors that are to train, and no others.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    model: Name | None = None
    config: Text | None = None
    file: Name = ""
    tensors: dict[Name, tuple[int, ...]] | None = Field(default=None, max_length=MAX_TENSORS)
    plan: Text | None = None
    saved: Name | None = None
    only: tuple[Name, ...] | None = Field(default=None, max_length=MAX_TENSORS)


def read_wish(value: str | None) -> Wish:
    """The wish that the browser sent.

    Raises:
        UserError: it is none.
    """
    try:
        return Wish.model_validate_json((value or "")[:MAX_WISH])
    except ValidationError as error:
        raise UserError("The page asked for what is not understood. Reload it.") from error


def granted(
    session: Session, wish: Wish, source: str, plan: FreezePlan
) -> tuple[Anatomy, FreezePlan]:
    """The model and the plan that are in force once the wish is granted.

    Raises:
        UserError: there is no such model or plan.
    """
    if wish.config is not None:
        source = keep_configuration(wish.config, wish.file)
    elif wish.tensors is not None:
        source = model_of_tensors(wish.tensors, wish.file)
    elif wish.model is not None:
        source = wish.model.strip()
    anatomy = session.anatomy(source)
    if wish.plan is not None:
        plan = linked_plan(wish.plan)
    if wish.saved is not None:
        plan = saved_plan(wish.saved)
    if wish.only is not None:
        plan = plan_of_only(anatomy, wish.only)
    return anatomy, plan


def plan_of_only(anatomy: Anatomy, names: tuple[str, ...]) -> FreezePlan:
    """The plan that trains these tensors and no others, named by what they share."""
    known = [name for name in dict.fromkeys(names) if name in anatomy.by_name]
    # A tensor with two names is trained by its first.
    first = [anatomy.by_name[name].name for name in known]
    shared = _shared(first)
    return canonical_plan(anatomy, first, f"only {shared}" if shared else "chosen on Inspect")


def _shared(names: list[str]) -> str:
    """The module that holds all of these: `model.layers.3`; a tensor alone by its name."""
    if len(set(names)) == 1:
        return names[0]
    paths = [name.split(".")[:-1] for name in names]
    shared = []
    for parts in zip(*paths, strict=False):
        if len(set(parts)) > 1:
            break
        shared.append(parts[0])
    return ".".join(shared) if len(shared) > 1 else ""


def plan_in_link(plan: FreezePlan) -> str:
    """A plan as an address holds it: `bitfit@last:4`, else its JSON; "" where that is too long."""
    base, _, layers = plan.name.partition(" on ")
    for expression in (layers, "all") if base in _PRESETS else ():
        if plan == _preset_or_none(base, expression):
            return f"{base}@{expression}" if expression else base
    text = _compact(plan)
    return text if len(text) <= MAX_LINKED_PLAN else ""


def _compact(plan: FreezePlan) -> str:
    return json.dumps(plan.to_dict(), separators=(",", ":"))


def _preset_or_none(name: str, layers: str) -> FreezePlan | None:
    try:
        return preset(name, layers or None)
    except UserError:
        return None


def linked_plan(text: str) -> FreezePlan:
    """The reverse of `plan_in_link`.

    Raises:
        PlanError: it is no plan.
    """
    if text.lstrip().startswith("{"):
        return FreezePlan.from_json(text)
    name, _, layers = text.partition("@")
    return preset(name, layers or None)


def build_wishes() -> gr.HTML:
    """The component that the scripts write a wish to; nothing of it is seen."""
    return gr.HTML(
        "",
        html_template=mount_point("q-wishes"),
        js_on_load=mounted_by("page/wish_sender.js", fires_input=True),
        apply_default_css=False,
        elem_id="q-wishes",
        padding=False,
    )


def build_address() -> gr.HTML:
    """The component that tells the address of model and plan; nothing of it is seen."""
    return gr.HTML(
        "",
        html_template=mount_point("q-address"),
        js_on_load=mounted_by("page/address.js"),
        apply_default_css=False,
        elem_id="q-address",
        padding=False,
    )


def in_address(source: str, plan: FreezePlan) -> str:
    """What the address is told of the model and the plan in force, as JSON."""
    return json.dumps({"model": source, "plan": plan_in_link(plan), "whole": _compact(plan)})
