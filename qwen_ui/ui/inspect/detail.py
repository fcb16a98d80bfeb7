"""The panel beside the tree: what the selected module or tensor is, as HTML."""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from importlib import import_module
from typing import Any

from qwen_ui.errors import ModelError
from qwen_ui.formats import percent, short_bytes
from qwen_ui.model import (
    Anatomy,
    Fold,
    Module,
    Parameter,
    config_value,
    find_folds,
    language_config,
)
from qwen_ui.model.explain import Explanation, explain_module, explain_shape, shape_product
from qwen_ui.ui.inspect.tree import subtree_bytes, subtree_roles
from qwen_ui.ui.page import render

MAX_SOURCE = 60_000
# Source is shown from libraries that are installed anyway, never from a model's own folder.
_LIBRARIES = ("transformers.", "torch.")


def detail_html(anatomy: Anatomy, name: str, *, fold: bool = False) -> str:
    """The panel for a module or tensor; with `fold`, for all modules built like this one.

    Raises:
        ModelError: the model has nothing of this name.
    """
    if name in anatomy.by_name:
        return _tensor(anatomy, anatomy.by_name[name], name)
    if name not in anatomy.modules_by_name:
        raise ModelError(f"'{anatomy.source}' has no module or tensor '{name}'.")
    if fold:
        return _fold(anatomy, next(f for f in find_folds(anatomy) if name in f.members))
    return _module(anatomy, anatomy.modules_by_name[name])


def source_text(anatomy: Anatomy, name: str) -> str:
    """The Python source of a module's class, from the installed library."""
    module = anatomy.modules_by_name.get(name)
    if module is None or not module.home.startswith(_LIBRARIES):
        return "The source of this class is not in an installed library."
    # A part of torch is not asked for before torch is whole: two threads that begin at two ends
    # wait for each other, and Python gives both a half-made torch, for good.
    import_module("qwen_ui.model.libraries")
    found = getattr(import_module(module.home), module.class_name, None)
    if found is None:
        return f"{module.class_name} is made while the model is built; it has no source."
    return inspect.getsource(found)[:MAX_SOURCE]


def _module(anatomy: Anatomy, module: Module) -> str:
    text = explain_module(anatomy, module.name)
    tensors = [p for p in anatomy.parameters if _inside(p, module.name)]
    class_name = module.class_name
    pairs = [
        ("class", f"{class_name}({module.settings})" if module.settings else class_name),
        ("parameters", f"{module.parameters:,} ({_share(module.parameters, anatomy)})"),
        ("tensors", f"{len(tensors):,}"),
        ("bytes", _bytes(subtree_bytes(anatomy)[module.name])),
        ("role", _role(subtree_roles(anatomy)[module.name])),
        ("block", "" if module.block is None else str(module.block)),
    ]
    return _panel(
        anatomy,
        module.name or class_name,
        text,
        pairs,
        buttons=_copies(bool(module.name), len(tensors)),
        why_shapes=_shapes(anatomy, [anatomy.by_name[name] for name in module.own]),
        source=module,
    )


def _tensor(anatomy: Anatomy, parameter: Parameter, name: str) -> str:
    owner = anatomy.modules_by_name[name.rpartition(".")[0]]
    others = [other for other in parameter.names if other != name]
    pairs = [
        ("shape", shape_product(parameter.shape) or "one value"),
        ("dtype", parameter.dtype),
        ("bytes", _bytes(parameter.bytes)),
        ("share", _share(parameter.numel, anatomy)),
        ("role", _role(str(parameter.role))),
        ("kind", parameter.kind),
        ("block", "" if parameter.block is None else str(parameter.block)),
        ("tied", f"The same tensor as {', '.join(others)}; counted once." if others else ""),
    ]
    return _panel(
        anatomy,
        name,
        explain_module(anatomy, owner.name),
        pairs,
        owner=owner,
        buttons=_copies(True, 1),
        why_shapes=_shapes(anatomy, [parameter]),
        values_of=name if anatomy.weights_folder is not None else "",
        source=owner,
    )


def _fold(anatomy: Anatomy, fold: Fold) -> str:
    first = anatomy.modules_by_name[fold.members[0]]
    count = len(fold.members)
    total = count * first.parameters
    pairs = [
        ("parameters", f"{total:,} ({_share(total, anatomy)})"),
        ("each", f"{first.parameters:,} ({_share(first.parameters, anatomy)})"),
        ("bytes", _bytes(count * subtree_bytes(anatomy)[first.name])),
        ("names", f"{fold.members[0]} … {fold.members[-1]}"),
    ]
    return _panel(
        anatomy,
        fold.label,
        explain_module(anatomy, first.name),
        pairs,
        fold_count=count,
        buttons=_copies(False, 2),
        source=first,
    )


def _panel(
    anatomy: Anatomy,
    title: str,
    text: Explanation,
    pairs: list[tuple[str, str]],
    *,
    source: Module,
    buttons: list[tuple[str, str]],
    owner: Module | None = None,
    fold_count: int = 0,
    why_shapes: Sequence[tuple[str, Sequence[str]]] = (),
    values_of: str = "",
) -> str:
    """The panel: title, explanation, facts, buttons, shapes, and what lies below the picture.

    Args:
        owner: the module that holds the tensor; None for a module.
        fold_count: how many modules the row stands for; 0 for one.
        values_of: the tensor whose values can be measured, "" where they are not at hand.
    """
    return render(
        "inspect/detail.html",
        title=title,
        text=text,
        pairs=pairs,
        owner=owner,
        fold_count=fold_count,
        buttons=buttons,
        why_shapes=why_shapes,
        values_of=values_of,
        configuration=_configuration(anatomy, text.keys),
        source=source if source.home.startswith(_LIBRARIES) else None,
    )


def _inside(parameter: Parameter, module: str) -> bool:
    return not module or any(name.startswith(f"{module}.") for name in parameter.names)


def _shapes(anatomy: Anatomy, parameters: list[Parameter]) -> list[tuple[str, Sequence[str]]]:
    """(tensor, lines) on why each tensor has its shape, where the configuration says so."""
    rows: list[tuple[str, Sequence[str]]] = []
    for parameter in parameters:
        why = explain_shape(anatomy, parameter)
        lines = why if len(parameters) == 1 and why else (shape_product(parameter.shape), *why)
        rows.append((parameter.name.rpartition(".")[2], lines))
    return rows


def _configuration(anatomy: Anatomy, keys: tuple[str, ...]) -> list[tuple[str, str]]:
    # Of a wrapper, the values of the language model; those that it keeps itself where it has them.
    parts = (language_config(anatomy.config), anatomy.config)
    named = (next(filter(None, (config_value(part, key) for part in parts)), None) for key in keys)
    found = {pair[0]: _value(pair[1]) for pair in named if pair is not None}
    if "model_type" in found:
        found["model_type"] = anatomy.model_type
    return list(found.items())


def _value(value: Any) -> str:
    text = str(value)
    return text if len(text) <= 160 else f"{text[:157]} …"


def _copies(has_name: bool, tensors: int) -> list[tuple[str, str]]:
    """(what, label) of the buttons that copy."""
    buttons = [("name", "Copy name")] if has_name else []
    if tensors > 1:
        buttons.append(("names", "Copy tensor names"))
    if tensors:
        buttons.append(("regex", "Copy as regular expression"))
    return buttons


def _role(role: str) -> str:
    return render("inspect/role.html", name=role)


def _share(count: int, anatomy: Anatomy) -> str:
    total = anatomy.total_parameters
    return percent(count / total) if total else "0 %"


def _bytes(count: int) -> str:
    return f"{count:,} ({short_bytes(count)})"
