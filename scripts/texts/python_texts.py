"""The texts in Python sources: strings and f-strings, but for what only programs read."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

from scripts.texts.found import Found, Hole, Pieces, is_text, variants, written

# Nobody but a developer reads what these are given.
_UNSEEN_CALLS = frozenset(
    {
        *("logger", "logging", "warnings", "re", "getLogger", "compile", "Path", "getattr"),
        *("ValueError", "TypeError", "RuntimeError", "AssertionError", "KeyError", "LookupError"),
        *(
            "NotImplementedError",
            "OSError",
            "TimeoutError",
            "add_argument",
            "namedtuple",
            "TypeVar",
        ),
        *("import_module", "lazy_face", "startswith", "endswith", "split", "replace", "environ"),
        *("removeprefix", "removesuffix", "partition", "strip", "encode", "get", "cast", "print"),
    }
)
_UNSEEN_NAMES = frozenset({"elem_id", "elem_classes", "api_name", "dest", "metavar", "scale"})
_SHOWN_NAMES = frozenset({"label", "info", "placeholder", "title", "text", "name", "heading"})


def texts_of(path: Path, name: str) -> Iterator[Found]:
    """All texts of a file, each variant of a conditional one by itself."""
    finder = _Finder()
    finder.visit(ast.parse(path.read_text(encoding="utf-8")))
    for pieces, line, shown in finder.found:
        text = written(pieces)
        if is_text(text, shown=shown):
            yield Found(text, f"{name}:{line}")


class _Finder(ast.NodeVisitor):
    def __init__(self) -> None:
        self.found: list[tuple[Pieces, int, bool]] = []
        self._shown = False

    def visit(self, node: ast.AST) -> None:
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
            return  # a docstring
        if isinstance(node, ast.Call) and _unseen(node.func):
            # What it is called on may be a text all the same.
            if isinstance(node.func, ast.Attribute):
                self.visit(node.func.value)
            return
        if isinstance(node, (ast.Compare, ast.Subscript, ast.Assert, ast.arguments, ast.alias)):
            self._inside(node)
            return
        if isinstance(node, ast.keyword) and node.arg in _UNSEEN_NAMES:
            return
        if isinstance(node, ast.keyword) and node.arg in _SHOWN_NAMES:
            self._shown, before = True, self._shown
            self.generic_visit(node)
            self._shown = before
            return
        if _is_text(node):
            assert isinstance(node, ast.expr)
            for pieces in _ways(node):
                self.found.append((pieces, node.lineno, self._shown))
            self._inside(node)
            return
        if isinstance(node, ast.AnnAssign):
            if node.value is not None:
                self.visit(node.value)
            return
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            for statement in node.body:
                self.visit(statement)
            return
        self.generic_visit(node)

    def _inside(self, node: ast.AST) -> None:
        """The texts in calls and choices within; not the pieces of the text itself."""
        for child in ast.walk(node):
            if child is not node and isinstance(child, (ast.Call, ast.IfExp, ast.Dict)):
                self.visit(child)


def _unseen(function: ast.expr) -> bool:
    names = []
    while isinstance(function, ast.Attribute):
        names.append(function.attr)
        function = function.value
    if isinstance(function, ast.Name):
        names.append(function.id)
    return any(name in _UNSEEN_CALLS for name in (names[:1] + names[-1:]))


def _is_text(node: ast.AST) -> bool:
    if isinstance(node, ast.Constant):
        return isinstance(node.value, str)
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
        return _is_text(node.left) or _is_text(node.right)
    return isinstance(node, ast.JoinedStr)


def _ways(node: ast.expr) -> list[Pieces]:
    """The texts that an expression may come to."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return [(node.value,)]
    if isinstance(node, ast.JoinedStr):
        return variants([_ways(value) for value in node.values])
    if isinstance(node, ast.FormattedValue):
        if node.format_spec is not None:
            return [(Hole("n"),)]
        return _ways(node.value)
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add) and _is_text(node):
        return variants([_ways(node.left), _ways(node.right)])
    if isinstance(node, ast.IfExp) and (_is_text(node.body) or _is_text(node.orelse)):
        return [*_ways(node.body), *_ways(node.orelse)]
    return [(Hole(_name(node)),)]


def _name(node: ast.expr) -> str:
    while isinstance(node, (ast.Call, ast.Subscript)):
        if isinstance(node, ast.Call):
            node = node.args[0] if node.args else node.func
        else:
            node = node.value
    found = node.attr if isinstance(node, ast.Attribute) else getattr(node, "id", "value")
    return found.strip("_").lower() or "value"
