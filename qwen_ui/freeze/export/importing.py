"""Text from other tools -> a plan: our JSON, a list of names, or Axolotl's patterns."""

from __future__ import annotations

from qwen_ui.errors import PlanError
from qwen_ui.files import parse_json
from qwen_ui.freeze.canonical import canonical_plan
from qwen_ui.freeze.plan import MAX_IMPORT_BYTES, FreezePlan
from qwen_ui.freeze.tools.axolotl_pattern import AxolotlPattern, axolotl_matches
from qwen_ui.model import Anatomy


def import_plan(text: str, anatomy: Anatomy) -> FreezePlan:
    """The plan that the text means for this model.

    A JSON object is a plan; a JSON list or lines are names, or patterns of Axolotl's
    `unfrozen_parameters` (with that key and YAML's dashes or without).

    Raises:
        PlanError: too large, none of these, or names and patterns that this model does not have.
    """
    if len(text) > MAX_IMPORT_BYTES:
        raise PlanError("The text is larger than 16 MiB, which is too large for a plan.")
    if text.lstrip().startswith("{"):
        return FreezePlan.from_json(text)
    items = _items(text)
    if not items:
        raise PlanError(
            "There is nothing to import. Give a plan's JSON, a list of parameter names, or "
            "Axolotl's unfrozen_parameters."
        )
    return canonical_plan(anatomy, _names_meant(items, anatomy), name="imported")


def _items(text: str) -> list[str]:
    if text.lstrip().startswith("["):
        try:
            values = parse_json(text)
        except ValueError as error:
            raise PlanError(f"The list is not JSON ({error}). Save it again.") from error
        if not all(isinstance(value, str) for value in values):
            raise PlanError("The list holds something that is not a name. Give only strings.")
        return values
    lines = [line.strip() for line in text.splitlines()]
    if "unfrozen_parameters:" in lines:
        lines = _yaml_list(lines[lines.index("unfrozen_parameters:") + 1 :])
    lines = [line.removeprefix("- ").strip() for line in lines]
    return [_unquoted(line) for line in lines if line and not line.startswith("#")]


def _yaml_list(lines: list[str]) -> list[str]:
    """The dashed lines up to the next key."""
    listed = []
    for line in lines:
        if line and not line.startswith(("-", "#")):
            break
        listed.append(line)
    return listed


def _unquoted(text: str) -> str:
    if text.startswith('"') and text.endswith('"') and len(text) > 1:
        try:
            return str(parse_json(text))
        except ValueError:
            return text[1:-1]
    if text.startswith("'") and text.endswith("'") and len(text) > 1:
        return text[1:-1].replace("''", "'")
    return text


def _names_meant(items: list[str], anatomy: Anatomy) -> set[str]:
    """First names of the tensors that names and patterns mean together."""
    known = {item: anatomy.by_name[item].name for item in items if item in anatomy.by_name}
    patterns = [item for item in dict.fromkeys(items) if item not in known]
    for item in patterns:
        if AxolotlPattern.of(item).rows is not None:
            raise PlanError(
                f"'{item}' selects part of a tensor, which a plan cannot express. Leave out the "
                "range."
            )
    names = tuple(anatomy.by_name)
    chosen = set(known.values())
    for item, found in zip(patterns, axolotl_matches(patterns, names), strict=True):
        if not found:
            example = anatomy.parameters[-1].name
            raise PlanError(
                f"'{item}' is neither a name nor a pattern of a parameter of {anatomy.source}. Its "
                f"names look like '{example}'."
            )
        chosen.update(anatomy.by_name[names[index]].name for index in found)
    return chosen
