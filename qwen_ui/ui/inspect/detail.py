"""The panel beside the tree: what the selected module or tensor is, as HTML, escaped."""

from __future__ import annotations

import inspect
from collections.abc import Iterable
from html import escape
from importlib import import_module
from typing import Any

from qwen_ui.errors import ModelError
from qwen_ui.formats import percent, short_bytes, short_count
from qwen_ui.model.anatomy import Anatomy, Module, Parameter
from qwen_ui.model.config_values import config_value, language_config
from qwen_ui.model.explain.explanation import Explanation
from qwen_ui.model.explain.modules import explain_module
from qwen_ui.model.explain.shapes import explain_shape, shape_product
from qwen_ui.model.folding import Fold, find_folds
from qwen_ui.ui.inspect.tree import subtree_bytes, subtree_roles

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
    found = getattr(import_module(module.home), module.class_name, None)
    if found is None:
        return f"{module.class_name} is made while the model is built; it has no source."
    return inspect.getsource(found)[:MAX_SOURCE]


def _module(anatomy: Anatomy, module: Module) -> str:
    text = explain_module(anatomy, module.name)
    tensors = [p for p in anatomy.parameters if _inside(p, module.name)]
    facts = [
        (
            "class",
            f"{module.class_name}({module.settings})" if module.settings else module.class_name,
        ),
        ("parameters", f"{module.parameters:,} ({_share(module.parameters, anatomy)})"),
        ("tensors", f"{len(tensors):,}"),
        ("bytes", _bytes(subtree_bytes(anatomy)[module.name])),
        ("role", _role(subtree_roles(anatomy)[module.name])),
        ("block", "" if module.block is None else str(module.block)),
    ]
    return "".join(
        (
            _title(module.name or module.class_name),
            _explained(text),
            _facts(facts),
            _copies(bool(module.name), len(tensors)),
            _shapes(anatomy, [anatomy.by_name[name] for name in module.own]),
            _more(_configuration(anatomy, text.keys), _source(module)),
        )
    )


def _tensor(anatomy: Anatomy, parameter: Parameter, name: str) -> str:
    owner = anatomy.modules_by_name[name.rpartition(".")[0]]
    text = explain_module(anatomy, owner.name)
    others = [other for other in parameter.names if other != name]
    tied = f"The same tensor as {', '.join(others)}; counted once." if others else ""
    facts = [
        ("shape", escape(shape_product(parameter.shape) or "one value")),
        ("dtype", parameter.dtype),
        ("bytes", _bytes(parameter.bytes)),
        ("share", _share(parameter.numel, anatomy)),
        ("role", _role(str(parameter.role))),
        ("kind", escape(parameter.kind)),
        ("block", "" if parameter.block is None else str(parameter.block)),
        ("tied", tied),
    ]
    held = (
        f'In <button class="qi-link" data-go="{escape(owner.name)}">{escape(owner.name)}</button>'
    )
    return "".join(
        (
            _title(name),
            f"<p>{held}, a {escape(owner.class_name)}.</p>",
            _explained(text),
            _facts(facts, escaped=True),
            _copies(True, 1),
            _shapes(anatomy, [parameter]),
            _values(anatomy, name),
            _more(_configuration(anatomy, text.keys), _source(owner)),
        )
    )


def _fold(anatomy: Anatomy, fold: Fold) -> str:
    first = anatomy.modules_by_name[fold.members[0]]
    text = explain_module(anatomy, first.name)
    count = len(fold.members)
    facts = [
        (
            "parameters",
            f"{count * first.parameters:,} ({_share(count * first.parameters, anatomy)})",
        ),
        ("each", f"{first.parameters:,} ({_share(first.parameters, anatomy)})"),
        ("bytes", _bytes(count * subtree_bytes(anatomy)[first.name])),
        ("names", f"{fold.members[0]} … {fold.members[-1]}"),
    ]
    alike = "They have the same classes, names, shapes and dtypes all the way down."
    return "".join(
        (
            _title(fold.label),
            f"<p>{count} identical modules in one row. {alike}</p>",
            _explained(text),
            _facts(facts),
            _copies(False, 2),
            _more(_configuration(anatomy, text.keys), _source(first)),
        )
    )


def _inside(parameter: Parameter, module: str) -> bool:
    return not module or any(name.startswith(f"{module}.") for name in parameter.names)


def _title(text: str) -> str:
    return f"<h2>{escape(text)}</h2>"


def _explained(text: Explanation) -> str:
    formula = f'<p class="qi-formula">{escape(text.formula)}</p>' if text.formula else ""
    return f"<p>{escape(text.sentence)}</p>{formula}"


def _facts(pairs: Iterable[tuple[str, str]], *, escaped: bool = False) -> str:
    cells = "".join(
        f"<dt>{label}</dt><dd>{value if escaped or label == 'role' else escape(value)}</dd>"
        for label, value in pairs
        if value
    )
    return f'<dl class="qi-facts">{cells}</dl>'


def _shapes(anatomy: Anatomy, parameters: list[Parameter]) -> str:
    """Why each tensor has its shape, where the configuration says so."""
    rows = []
    for parameter in parameters:
        why = explain_shape(anatomy, parameter)
        leaf = escape(parameter.name.rpartition(".")[2])
        lines = why if len(parameters) == 1 and why else (shape_product(parameter.shape), *why)
        rows.append(f"<dt>{leaf}</dt><dd>{'<br>'.join(map(escape, lines))}</dd>")
    return f'<h3>Why this shape</h3><dl class="qi-facts">{"".join(rows)}</dl>' if rows else ""


def _configuration(anatomy: Anatomy, keys: tuple[str, ...]) -> str:
    # Of a wrapper, the values of the language model; those that it keeps itself where it has them.
    parts = (language_config(anatomy.config), anatomy.config)
    named = (next(filter(None, (config_value(part, key) for part in parts)), None) for key in keys)
    found = {pair[0]: _value(pair[1]) for pair in named if pair is not None}
    if "model_type" in found:
        found["model_type"] = anatomy.model_type
    if not found:
        return ""
    pairs = [(escape(key), value) for key, value in found.items()]
    return f"<h3>In the configuration</h3>{_facts(pairs)}"


def _more(*parts: str) -> str:
    """What the page shows below the block's picture."""
    return f'<div class="qi-tail">{"".join(parts)}</div>'


def _values(anatomy: Anatomy, name: str) -> str:
    """A place for the statistics of a tensor, where its values are at hand."""
    if anatomy.weights_folder is None:
        return ""
    return (
        f'<h3>Its values</h3><div class="qi-values"><button class="qi-link" '
        f'data-values="{escape(name)}">Measure them</button></div>'
    )


def _value(value: Any) -> str:
    text = str(value)
    return text if len(text) <= 160 else f"{text[:157]} …"


def _copies(has_name: bool, tensors: int) -> str:
    buttons = [("name", "Copy name")] if has_name else []
    if tensors > 1:
        buttons.append(("names", "Copy tensor names"))
    if tensors:
        buttons.append(("regex", "Copy as regular expression"))
    links = "".join(f'<button class="qi-link" data-copy="{w}">{t}</button>' for w, t in buttons)
    return f'<div class="qi-copies">{links}</div>' if links else ""


def _source(module: Module) -> str:
    if not module.home.startswith(_LIBRARIES):
        return ""
    where = escape(f"{module.home}.{module.class_name}")
    return (
        f'<details data-source="{escape(module.name)}"><summary>Source of {where}</summary>'
        "<pre><code>…</code></pre></details>"
    )


def _role(role: str) -> str:
    if not role:
        return ""
    dot = f'<i class="qi-dot" style="background: var(--q-role-{escape(role)})"></i>'
    return f'<span class="qi-role">{dot}{escape(role)}</span>'


def _share(count: int, anatomy: Anatomy) -> str:
    total = anatomy.total_parameters
    return percent(count / total) if total else "0 %"


def _bytes(count: int) -> str:
    return f"{count:,} ({short_bytes(count)})"


def short_facts(anatomy: Anatomy) -> str:
    """One line for the head of a column: `1.54 B in 28 blocks`."""
    return f"{short_count(anatomy.total_parameters)} in {anatomy.block_count} blocks"
