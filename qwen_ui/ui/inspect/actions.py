"""What the module tree's JavaScript asks of Python, as plain functions of an anatomy."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from qwen_ui.errors import ModelError, UserError
from qwen_ui.freeze import FreezePlan, resolve
from qwen_ui.model import pattern_for
from qwen_ui.ui.inspect.detail import detail_html, source_text
from qwen_ui.ui.inspect.tree import tree_record
from qwen_ui.ui.inspect.weights import values_html
from qwen_ui.ui.page import server_function

if TYPE_CHECKING:
    from qwen_ui.model import Anatomy
    from qwen_ui.ui.page import Session


def server_functions(session: Session) -> list[Callable[[Any], dict[str, Any]]]:
    """The functions that `gr.HTML` hands to the browser, which names the anatomy as `source`."""
    of_a_model = (tree, detail, source_code, values, trains, diagram)
    return [
        *(server_function(action, open_model=session.anatomy) for action in of_a_model),
        server_function(pattern),
    ]


def tree(anatomy: Anatomy) -> dict[str, Any]:
    """Every row of the tree; see `tree_record`."""
    return tree_record(anatomy)


def detail(anatomy: Anatomy, name: str, fold: bool = False) -> dict[str, str]:
    """The panel for a module or tensor; with `fold`, for all modules built like this one."""
    return {"html": detail_html(anatomy, name, fold=fold)}


def source_code(anatomy: Anatomy, name: str) -> dict[str, str]:
    """The Python source of a module's class."""
    return {"text": source_text(anatomy, name)}


def values(anatomy: Anatomy, name: str) -> dict[str, str]:
    """What a tensor's values are like: statistics and the largest singular values."""
    return {"html": values_html(anatomy, name)}


def trains(anatomy: Anatomy, plan: str) -> dict[str, list[str]]:
    """Names of what a plan (JSON) trains: none where it cannot be resolved, which the line under
    the header explains."""
    try:
        return {"names": sorted(resolve(FreezePlan.from_json(plan), anatomy).names)}
    except UserError:
        return {"names": []}


def pattern(names: list[str]) -> dict[str, str]:
    """A regular expression that finds these names and no other."""
    return {"text": pattern_for(names)}


def diagram(anatomy: Anatomy, block: int) -> dict[str, str]:
    """A block as a diagram of what flows through it.

    Raises:
        ModelError: no such block.
    """
    from qwen_ui.ui.inspect.block_diagram import block_svg  # noqa: PLC0415  loads torch

    if not 0 <= block < anatomy.block_count:
        raise ModelError(f"'{anatomy.source}' has {anatomy.block_count} blocks, none {block}.")
    return {"svg": block_svg(anatomy, block)}
