"""The text of a file -> plain values: the task that `recognising` gives to a process with limits.

JSON, YAML, Python and command lines of others may be nested or repeated without end. Nothing is
executed: YAML by its safe loader, Python by `ast`.
"""

from __future__ import annotations

import ast
import json
import re
import shlex
from datetime import date
from typing import Any

import yaml

from qwen_ui.freeze.lint.script import Script, read_script

MOST_DEPTH = 20
_COMMAND = re.compile(
    r"^[^#\n]*?\b((?:swift|megatron)\s+(?:sft|pt|rlhf)|llamafactory-cli\s+train|axolotl\s+train|"
    r"tune\s+run|trl\s+(?:sft|dpo|kto|grpo|reward|rloo))\b",
    re.M,
)
_FILE = re.compile(r"\.(?:ya?ml|json)$")
_PYTHON = re.compile(
    r"^\s*(?:from\s+[\w.]+\s+import\b|import\s+\w)|\b[A-Z]\w*Config\s*\(|\bget_peft_model\s*\(",
    re.M,
)
_ENDS = frozenset({"&&", "||", "|", ";", "&", ">", ">>", "2>&1", "<"})
_LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


def parse(text: str, name: str) -> dict[str, Any]:
    """One of {"values": ...}, {"items": [...]}, {"script": ...}, {"command", "values"}, {"wrong"}.

    Args:
        name: of the file, where it has one; its ending decides in doubt.
    """
    try:
        return _parse(text.removeprefix("\ufeff"), name.lower())
    except (RecursionError, MemoryError):
        return {"wrong": "it is nested too deeply"}


def _parse(text: str, name: str) -> dict[str, Any]:
    if text.lstrip().startswith(("{", "[")) and not name.endswith((".yaml", ".yml", ".py")):
        return _json(text)
    if name.endswith(".py"):
        return _python(text) or {"wrong": "it is not Python that can be read"}
    found = _COMMAND.search(text)
    if found:
        inner = _heredoc(text)
        return inner or _command(text[found.start(1) :])
    if inner := _heredoc(text):
        return inner
    if _PYTHON.search(text) and (script := _python(text)):
        return script
    return _yaml(text)


def _json(text: str) -> dict[str, Any]:
    try:
        values = json.loads(text)
    except ValueError as error:
        return {"wrong": f"it is not JSON ({error})"}
    return _of(values)


def _yaml(text: str) -> dict[str, Any]:
    try:
        values = yaml.load(text, Loader=_LOADER)
    except yaml.YAMLError as error:
        lines = _lines(text)
        if not any(re.match(r"^[\w-]+:(\s|$)", line) for line in lines):
            return {"items": lines}
        return {"wrong": f"it is not YAML ({' '.join(str(error).split())[:200]})"}
    if values is None or isinstance(values, str | int | float):
        return {"items": _lines(text)}
    return _of(values)


def _of(values: Any) -> dict[str, Any]:
    plain = _plain(values)
    if isinstance(plain, dict):
        return {"values": plain}
    if isinstance(plain, list) and all(isinstance(item, str) for item in plain):
        return {"items": plain}
    return {"wrong": "it is a list of something else than names"}


def _plain(value: Any, depth: int = 0) -> Any:
    """What JSON holds: names of keys as text, dates as text."""
    if depth > MOST_DEPTH:
        raise RecursionError
    if isinstance(value, dict):
        return {str(key): _plain(item, depth + 1) for key, item in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        items = sorted(value, key=str) if isinstance(value, set | frozenset) else value
        return [_plain(item, depth + 1) for item in items]
    if isinstance(value, date | bytes | complex) or value is Ellipsis:
        return str(value)
    return value


def _lines(text: str) -> list[str]:
    """Lines without comments, dashes and quotes."""
    stripped = (line.strip().removeprefix("- ").strip() for line in text.splitlines())
    return [_unquoted(line) for line in stripped if line and not line.startswith("#")]


def _unquoted(line: str) -> str:
    if len(line) > 1 and line[0] == line[-1] and line[0] in "'\"":
        return line[1:-1]
    return line


def _python(text: str) -> dict[str, Any] | None:
    try:
        script: Script = read_script(ast.parse(text))
    except (SyntaxError, ValueError):
        return None
    return {
        "script": {
            "calls": [
                {
                    "name": call.name,
                    "owner": call.owner,
                    "line": call.line,
                    "values": _plain(call.values),
                    "unread": call.unread,
                }
                for call in script.calls
            ],
            "wrapped": script.wrapped,
            "trainers": script.trainers,
            "requires_grad": script.requires_grad,
            "trainable": script.trainable,
        }
    }


def _heredoc(text: str) -> dict[str, Any] | None:
    """The Python of a shell script that writes it to a file first."""
    found = re.search(r"<<\s*'?(\w+)'?\s*\n(.*?)^\1\s*$", text, re.S | re.M)
    return _python(found[2]) if found else None


def _command(text: str) -> dict[str, Any]:
    joined = re.sub(r"\\\s*\n", " ", text)
    first_line = joined.split("\n", 1)[0]
    try:
        words = shlex.split(first_line, comments=True)
    except ValueError as error:
        return {"wrong": f"its command line cannot be read ({error})"}
    end = next((i for i, word in enumerate(words) if word in _ENDS), len(words))
    program, given = " ".join(words[:2]), words[2:end]
    values: dict[str, Any] = {}
    key = ""
    # LLaMA-Factory, Axolotl and torchtune take a file by its place, the others by an option.
    files = [word for word in given if _FILE.search(word.partition("=")[2] or word)]
    if (files and not program.startswith("swift")) or "--config" in given:
        named = files[0] if files else "--config"
        return {"wrong": f"the command reads its settings from a file ({named[:100]}): give that"}
    for word in given:
        if word.startswith("--"):
            key, _, value = word[2:].partition("=")
            values[key] = [value] if value else []
        elif key:
            values[key].append(word)
    return {
        "command": program,
        "values": {k: True if not v else v[0] if len(v) == 1 else v for k, v in values.items()},
    }
