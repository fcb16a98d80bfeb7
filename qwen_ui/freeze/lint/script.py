"""What a Python script says about training, read from its syntax tree and never executed.

Values count where they stand as literals, or as a name that is given one literal. Lines that set
`requires_grad` are only counted: what they train depends on what runs before them.
"""

from __future__ import annotations

import ast
import re
from dataclasses import dataclass, field
from typing import Any

# Classes of peft 0.21.2 that configure an adapter (`PEFT_TYPE_TO_CONFIG_MAPPING`), and former ones.
_ADAPTERS = re.compile(
    r"(AdaLora|Adamss|AdaptionPrompt|BOFT|Beft|Bone|C3A|CPT|Cartridge|Deft|Delora|FourierFT|Frod|"
    r"Glora|Gralora|HRA|Hira|IA3|LNTuning|Lily|LoHa|LoKr|Lora|MiSS|Miss|MultitaskPromptTuning|OFT|"
    r"OSF|Peanut|Poly|PrefixTuning|PromptEncoder|PromptTuning|Psoft|Pvera|RandLora|Road|Shadow|"
    r"Shira|Supertuning|TinyLora|TrainableTokens|UniLora|VBLoRA|Vera|WaveFT|XLora)Config"
)
MOST_NAMES = 200_000


@dataclass(frozen=True, slots=True)
class Call:
    """One call that configures an adapter.

    Attributes:
        name: of the function.
        owner: what it is taken from (`FastLanguageModel`); empty where it is a plain name.
        line: where it stands.
        values: arguments that are literals.
        unread: other arguments, as they are written.
    """

    name: str
    owner: str
    line: int
    values: dict[str, Any]
    unread: dict[str, str]


@dataclass(slots=True)
class Script:
    """All that is found.

    Attributes:
        calls: that configure adapters, in their order.
        wrapped: lines that put an adapter on the model whose configuration is made elsewhere.
        trainers: names of the trainers that are made.
        requires_grad: lines that set it.
        trainable: names in the set TRAINABLE, which our own exports begin with; None without one.
    """

    calls: list[Call] = field(default_factory=list)
    wrapped: list[int] = field(default_factory=list)
    trainers: list[str] = field(default_factory=list)
    requires_grad: list[int] = field(default_factory=list)
    trainable: list[str] | None = None


def read_script(tree: ast.Module) -> Script:
    """What the tree of a script says."""
    literals = _literals(tree)
    script = Script()
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            _read_call(node, literals, script)
        elif isinstance(node, ast.Assign):
            if any(
                isinstance(t, ast.Attribute) and t.attr == "requires_grad" for t in node.targets
            ):
                script.requires_grad.append(node.lineno)
            if any(isinstance(t, ast.Name) and t.id == "TRAINABLE" for t in node.targets):
                script.trainable = sorted(names_in_set(node.value))
    script.calls.sort(key=lambda call: call.line)
    return script


def _literals(tree: ast.Module) -> dict[str, Any]:
    """Names that are given a literal once and nothing else."""
    given: dict[str, list[ast.expr]] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Assign):
            for target in node.targets:
                if isinstance(target, ast.Name):
                    given.setdefault(target.id, []).append(node.value)
        elif isinstance(node, ast.AnnAssign | ast.AugAssign) and isinstance(node.target, ast.Name):
            value = node.value if isinstance(node, ast.AnnAssign) else None
            given.setdefault(node.target.id, []).extend([value or ast.Name("?")])
    found = {}
    for name, values in given.items():
        if len(values) == 1:
            try:
                found[name] = ast.literal_eval(values[0])
            except (ValueError, TypeError):
                continue
    return found


def _read_call(node: ast.Call, literals: dict[str, Any], script: Script) -> None:
    name, owner = _named(node.func)
    if name == "requires_grad_":
        script.requires_grad.append(node.lineno)
    if name.endswith("Trainer"):
        script.trainers.append(name)
        if any(
            keyword.arg == "peft_config" and not _is_none(keyword.value)
            for keyword in node.keywords
        ):
            script.wrapped.append(node.lineno)
    if name == "get_peft_model" and not owner:
        # PEFT's own function takes a configuration that is made elsewhere.
        script.wrapped.append(node.lineno)
        return
    if name != "get_peft_model" and not _ADAPTERS.fullmatch(name):
        return
    values: dict[str, Any] = {}
    unread: dict[str, str] = {}
    for keyword in node.keywords:
        key = keyword.arg or "**"
        if isinstance(keyword.value, ast.Name) and keyword.value.id in literals:
            values[key] = literals[keyword.value.id]
            continue
        try:
            values[key] = ast.literal_eval(keyword.value)
        except (ValueError, TypeError):
            unread[key] = ast.unparse(keyword.value)[:100]
    script.calls.append(Call(name, owner, node.lineno, values, unread))


def _is_none(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and node.value is None


def _named(node: ast.expr) -> tuple[str, str]:
    if isinstance(node, ast.Name):
        return node.id, ""
    if isinstance(node, ast.Attribute):
        return node.attr, node.value.id if isinstance(node.value, ast.Name) else ""
    return "", ""


def names_in_set(node: ast.expr) -> set[str]:
    """The names in a set of ours: literals, unions, and products of f-strings over literals.

    Raises:
        ValueError: it is built in another way, or from too many names.
    """
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.BitOr):
        return names_in_set(node.left) | names_in_set(node.right)
    if isinstance(node, ast.Call) and _named(node.func) == ("set", "") and not node.args:
        return set()
    if isinstance(node, ast.SetComp):
        return _product(node)
    found = ast.literal_eval(node)
    if not isinstance(found, set) or not all(isinstance(item, str) for item in found):
        raise ValueError("TRAINABLE is not a set of names")
    return found


def _product(node: ast.SetComp) -> set[str]:
    rows: list[dict[str, Any]] = [{}]
    for part in node.generators:
        if not isinstance(part.target, ast.Name) or part.ifs:
            raise ValueError("TRAINABLE is built by conditions")
        values = _range(part.iter)
        if len(rows) * len(values) > MOST_NAMES:
            raise ValueError("TRAINABLE holds too many names")
        rows = [{**row, part.target.id: value} for row in rows for value in values]
    return {_filled(node.elt, row) for row in rows}


def _range(node: ast.expr) -> list[Any]:
    if isinstance(node, ast.Call) and _named(node.func) == ("range", ""):
        ends = [ast.literal_eval(argument) for argument in node.args]
        if len(ends) > 2 or not all(
            isinstance(end, int) and 0 <= end <= MOST_NAMES for end in ends
        ):
            raise ValueError("TRAINABLE holds too many names")
        return list(range(*ends))
    found = ast.literal_eval(node)
    if not isinstance(found, tuple | list):
        raise ValueError("TRAINABLE is built from something else than lists")
    return list(found)


def _filled(node: ast.expr, row: dict[str, Any]) -> str:
    if not isinstance(node, ast.JoinedStr):
        raise ValueError("TRAINABLE is not a set of names")
    parts = []
    for part in node.values:
        if isinstance(part, ast.Constant):
            parts.append(str(part.value))
        elif isinstance(part, ast.FormattedValue) and isinstance(part.value, ast.Name):
            if part.value.id not in row:
                raise ValueError("TRAINABLE is not a set of names")
            parts.append(str(row[part.value.id]))
        else:
            raise ValueError("TRAINABLE is not a set of names")
    return "".join(parts)
