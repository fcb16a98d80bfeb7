"""What the Freeze tab's JavaScript asks of Python, as plain functions of an anatomy.

Each returns a JSON object; a selection in it is `ranges` (see `selection_data`).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from qwen_ui import freeze  # lazily: its functions need torch, drawing the page does not
from qwen_ui.formats import short_bytes
from qwen_ui.model import match_names
from qwen_ui.ui.freeze.heat import list_heats, measure_heat, take_top
from qwen_ui.ui.freeze.pasted import lint_plan
from qwen_ui.ui.freeze.selection_data import chosen, names_of, ranges_of, structure_record
from qwen_ui.ui.page import (
    forget_saved_plan,
    save_plan_as_named,
    saved_plan,
    saved_plan_names,
    server_function,
)

if TYPE_CHECKING:
    from qwen_ui.freeze import FreezePlan, Selection
    from qwen_ui.model import Anatomy
    from qwen_ui.ui.page import Session


def server_functions(session: Session) -> list[Callable[[Any], dict[str, Any]]]:
    """The functions that `gr.HTML` hands to the browser, which names the anatomy as `source`."""
    return [server_function(action, open_model=session.anatomy) for action in ACTIONS]


def structure(anatomy: Anatomy) -> dict[str, Any]:
    """Blocks, kinds and tensors; see `structure_record`."""
    return structure_record(anatomy)


def choose_preset(anatomy: Anatomy, name: str, layers: str) -> dict[str, Any]:
    """A preset over a layer expression; an empty expression means the preset's own."""
    return chosen(freeze.resolve(freeze.preset(name, layers.strip() or None), anatomy))


def count_layers(anatomy: Anatomy, layers: str) -> dict[str, Any]:
    """How many blocks an expression means here."""
    return {
        "blocks": len(freeze.parse_layers(layers, anatomy.block_count)) if layers.strip() else None
    }


def match(anatomy: Anatomy, pattern: str) -> dict[str, Any]:
    """The tensors whose name a regular expression is found in, and how many there are."""
    names = tuple(anatomy.by_name)
    (found,) = match_names([pattern], names)
    chosen = {anatomy.by_name[names[index]].name for index in found}
    matched = [p for p in anatomy.parameters if p.name in chosen]
    return {
        "ranges": ranges_of(anatomy, (p.name for p in matched)),
        "tensors": len(matched),
        "parameters": sum(p.numel for p in matched),
    }


def load_plan(anatomy: Anatomy, text: str) -> dict[str, Any]:
    """A plan, a list of names or Axolotl's patterns, from a file that a person chose."""
    return chosen(freeze.resolve(freeze.import_plan(text, anatomy), anatomy))


def plan_text(anatomy: Anatomy, ranges: str, name: str) -> dict[str, Any]:
    """The plan for a selection: its JSON (a file, a link) and its sentence (the clipboard)."""
    plan = plan_of(anatomy, ranges, name)
    selection = freeze.resolve(plan, anatomy)
    return {"json": plan.to_json(), "sentence": selection.summary}


def save_plan(anatomy: Anatomy, ranges: str, name: str) -> dict[str, Any]:
    """Keep the selection under a name; the same name again replaces it."""
    save_plan_as_named(plan_of(anatomy, ranges, name))
    return {"saved": saved_plan_names()}


def list_saved(anatomy: Anatomy) -> dict[str, Any]:
    """Names of the kept plans; a plan is of no one model."""
    return {"saved": saved_plan_names()}


def choose_saved(anatomy: Anatomy, name: str) -> dict[str, Any]:
    """A kept plan on this model."""
    return chosen(freeze.resolve(saved_plan(name), anatomy))


def forget_saved(anatomy: Anatomy, name: str) -> dict[str, Any]:
    """Throw a kept plan away."""
    forget_saved_plan(name)
    return {"saved": saved_plan_names()}


def price_step(anatomy: Anatomy, ranges: str, asked: dict[str, Any]) -> dict[str, Any]:
    """What one step costs, beside training everything; see `prices.price_record`."""
    from qwen_ui.ui.freeze.prices import price_record, settings_of  # noqa: PLC0415  loads torch

    return price_record(selection_of(anatomy, ranges), settings_of(asked, anatomy))


def price_ways(anatomy: Anatomy, ranges: str, asked: dict[str, Any]) -> dict[str, Any]:
    """The step with and without prefix and checkpointing; see `prices.ways_record`."""
    from qwen_ui.ui.freeze.prices import settings_of, ways_record  # noqa: PLC0415  loads torch

    return ways_record(
        selection_of(anatomy, ranges), settings_of(asked | {"worker": False}, anatomy)
    )


def fit_batch(anatomy: Anatomy, ranges: str, asked: dict[str, Any], memory: str) -> dict[str, Any]:
    """The largest batch that fits, for this plan and for training everything."""
    from qwen_ui.ui.freeze.prices import fit_record, memory_of, settings_of  # noqa: PLC0415  loads torch

    found, settings = memory_of(memory), settings_of(asked, anatomy)
    return {
        "memory": short_bytes(found.bytes),
        "where": found.where,
        **fit_record(selection_of(anatomy, ranges), settings, found.bytes),
    }


def fit_cards(anatomy: Anatomy, ranges: str, asked: dict[str, Any]) -> dict[str, Any]:
    """Which cards the step fits on; see `prices.cards_record`."""
    from qwen_ui.ui.freeze.prices import cards_record, settings_of  # noqa: PLC0415  loads torch

    return cards_record(selection_of(anatomy, ranges), settings_of(asked, anatomy))


def list_formats(anatomy: Anatomy) -> dict[str, Any]:
    """The formats of `export_plan`: [name, title] pairs."""
    return {"formats": [[name, form.title] for name, form in freeze.export_formats().items()]}


def export_plan(anatomy: Anatomy, ranges: str, name: str) -> dict[str, Any]:
    """The selection as text for another tool."""
    text = freeze.export_text(selection_of(anatomy, ranges), name)
    return {"text": text, "file": freeze.export_formats()[name].file_name}


def selection_of(anatomy: Anatomy, ranges: str) -> Selection:
    """The selection made in the browser, by way of its canonical plan."""
    return freeze.resolve(plan_of(anatomy, ranges), anatomy)


def plan_of(anatomy: Anatomy, ranges: str, name: str = "") -> FreezePlan:
    """The canonical plan of a selection made in the browser."""
    return freeze.canonical_plan(anatomy, names_of(anatomy, ranges), name[:200])


ACTIONS: tuple[Callable[..., dict[str, Any]], ...] = (
    structure,
    choose_preset,
    count_layers,
    match,
    load_plan,
    lint_plan,
    plan_text,
    save_plan,
    list_saved,
    choose_saved,
    forget_saved,
    list_heats,
    measure_heat,
    take_top,
    price_step,
    price_ways,
    fit_batch,
    fit_cards,
    list_formats,
    export_plan,
)
