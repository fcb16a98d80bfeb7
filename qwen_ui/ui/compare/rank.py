"""Which blocks matter, as the Compare tab shows and uses it: the scores of every method."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any

import gradio as gr
from pydantic import BaseModel, ConfigDict, Field

from qwen_ui.errors import DataError, SettingsError
from qwen_ui.freeze import FreezePlan, preset, resolve
from qwen_ui.model import open_model
from qwen_ui.rank import METHODS, agreement
from qwen_ui.ui.page import Jobs, Tick, is_known_data, mount_point, mounted_by, server_function

if TYPE_CHECKING:
    from qwen_ui.rank import Ranking

JOBS = Jobs()
BASE = "attention"
# Of a method, what a person reads.
EXPLAINED = ("name", "what", "formula", "source")


def ranking_view(elem_id: str) -> gr.HTML:
    """Scores of the model and data that its value names (`asked_of`); "" shows nothing."""
    return gr.HTML(
        "",
        html_template=mount_point("qk-view"),
        js_on_load=mounted_by("compare/scores.js", fires_input=True),
        apply_default_css=False,
        elem_id=elem_id,
        server_functions=[server_function(scores)],
    )


def asked_of(model: str, data: str, columns: str | None = None) -> str:
    """The value that makes the view show these scores."""
    return json.dumps({"model": model, "data": data, "columns": columns or ""})


def scores(model: str, data: str, columns: str = "") -> dict[str, Any]:
    """What the view draws, or how far the work is; see `Jobs.ask`.

    Raises:
        DataError: a file that is not among the data of this page.
    """
    if not is_known_data(data):
        raise DataError("This file is not among the data of this page. Upload it again.")
    key = (model, data, columns)
    return JOBS.ask(key, lambda tick: _scores(model, data, columns or None, tick))


def _scores(model: str, data: str, columns: str | None, tick: Tick) -> dict[str, Any]:
    from qwen_ui.rank import rank_all_in_subprocess  # noqa: PLC0415  loads torch

    found = rank_all_in_subprocess(model, data, tuple(METHODS), tick, columns)
    kinds = trained_kinds(model)
    whole = {method: found[method] for method in METHODS}
    return {
        "model": model,
        "sequences": next(iter(whole.values())).sequences,
        "methods": [{k: getattr(METHODS[method], k) for k in EXPLAINED} for method in METHODS],
        "trained": _shown([ranking.of_kinds(kinds) for ranking in whole.values()]),
        "all": _shown(list(whole.values())),
    }


def _shown(rankings: list[Ranking]) -> dict[str, Any]:
    """Of each method its scores and the blocks from the highest down, and how far they agree."""
    return {
        "scores": [list(ranking.scores.blocks) for ranking in rankings],
        "orders": [list(ranking.top(len(ranking.scores.blocks))) for ranking in rankings],
        "agreement": agreement(rankings),
    }


def plan_used(value: str) -> FreezePlan:
    """The plan of the blocks that a person chose in the view.

    Args:
        value: the view's, as `asked_of` gives it, with `use`: a method and its highest blocks.

    Raises:
        SettingsError: it is none that the view sends.
    """
    try:
        use = _Use.model_validate(json.loads(value or "{}").get("use"))
    except (ValueError, AttributeError) as error:
        raise SettingsError("These blocks cannot be used. Reload the page.") from error
    layers = ",".join(str(block) for block in sorted(set(use.blocks)))
    plan = preset(BASE, layers)
    return plan.model_copy(update={"name": f"{plan.name} by {use.method}"})


class _Use(BaseModel):
    """What the view sends when blocks are to be used."""

    model_config = ConfigDict(extra="forbid")
    method: str = Field(max_length=60)
    blocks: list[Annotated[int, Field(ge=0, lt=10_000)]] = Field(min_length=1, max_length=64)


def trained_kinds(model: str) -> frozenset[str]:
    """The kinds that the plan to be placed trains: blocks are ranked by these alone."""
    return frozenset(p.kind for p in resolve(preset(BASE), open_model(model)).parameters)


def ranked_plans(
    model: str, data: str, methods: Sequence[str], columns: str | None = None
) -> list[FreezePlan]:
    """Attention on the top four blocks by index, and on the top four by each of these scores.

    Scores that choose the same blocks share a plan, which names them all.

    Raises:
        SettingsError: no score, or every one chooses the last four.
    """
    from qwen_ui.rank import rank_all_in_subprocess  # noqa: PLC0415  loads torch

    if not methods:
        raise SettingsError("Tick at least one score to compare with the top four by index.")
    base = preset(BASE)
    last = frozenset(p.block for p in _parameters(model, base))
    found = rank_all_in_subprocess(model, data, tuple(methods), columns=columns)
    kinds = trained_kinds(model)
    chosen: dict[frozenset[int], list[str]] = {}
    plans: dict[frozenset[int], FreezePlan] = {}
    for method in methods:
        ranking = found[method].of_kinds(kinds)
        blocks = frozenset(ranking.top())
        chosen.setdefault(blocks, []).append(method)
        plans[blocks] = ranking.plan(base)
    same = chosen.pop(last, [])
    if not chosen:
        raise SettingsError(
            "Every score that is ticked chooses the last four blocks: nothing to compare. "
            "Choose another score."
        )
    also = f" (and by {', '.join(same)})" if same else ""
    first = base.model_copy(update={"name": f"{base.name} by index{also}"})
    return [first] + [
        plans[blocks].model_copy(update={"name": f"{plans[blocks].name} by {', '.join(names)}"})
        for blocks, names in chosen.items()
    ]


def _parameters(model: str, plan: FreezePlan) -> tuple[Any, ...]:
    return tuple(resolve(plan, open_model(model)).parameters)
