"""What the documents of this repository name: paths, commands, options, links."""

from __future__ import annotations

import ast
import io
import re
import shlex
import tokenize
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
FOLDERS = ("qwen_ui", "assets", "scripts", "tests", "benchmarks", "docs", ".ci")
PAGES = (
    *("README.md", "CONTRIBUTING.md", "CHANGELOG.md", "SECURITY.md", "THIRD_PARTY_NOTICES.md"),
    *sorted(path.relative_to(ROOT).as_posix() for path in (ROOT / "docs").rglob("*.md")),
    *sorted(path.relative_to(ROOT).as_posix() for path in (ROOT / "assets").rglob("*.md")),
)
PROGRAM = (["qwen-ui"], ["python", "-m", "qwen_ui"], ["python", "app.py"])
STARTS = ("qwen-ui ", "python ", "make ", "pip ", "docker ")
_FENCE = re.compile(r"^```([^\n]*)\n(.*?)^```", re.DOTALL | re.MULTILINE)
_INLINE = re.compile(r"`([^`\n]+(?:\n[^`\n]+)?)`")


def text_of(page: str) -> str:
    """The text of a page, without its front matter."""
    text = (ROOT / page).read_text(encoding="utf-8")
    return text.split("---\n", 2)[2] if text.startswith("---\n") else text


def code_blocks(page: str, language: str | None = None) -> list[str]:
    """The contents of its fenced blocks: all, or those that are marked as of a language."""
    found = _FENCE.findall(text_of(page))
    return [block for marked, block in found if language is None or marked == language]


def languages(page: str) -> set[str]:
    """What its fenced blocks are marked as; "" where one is not."""
    return {marked for marked, _ in _FENCE.findall(text_of(page))}


def inline_code(page: str) -> list[str]:
    """What stands between single backquotes, on one line each."""
    return [" ".join(code.split()) for code in _INLINE.findall(_FENCE.sub("", text_of(page)))]


def block_commands(page: str) -> list[list[str]]:
    """The words of every command line in its fenced blocks, comments left out."""
    lines = "\n".join(code_blocks(page)).replace("\\\n", " ").split("\n")
    return [shlex.split(line, comments=True) for line in lines if line.startswith(STARTS)]


def inline_commands(page: str) -> list[list[str]]:
    """The words of every command line that it names in its text."""
    return [shlex.split(c) for c in inline_code(page) if c.startswith(STARTS)]


def arguments_of(words: list[str]) -> list[str] | None:
    """What a command line gives to this program, under any of its names; None for another one."""
    for name in PROGRAM:
        if words[: len(name)] == name:
            return words[len(name) :]
    return None


def links(page: str) -> list[str]:
    """The relative targets of its links and images, without fragments."""
    return [file for file, _ in targets(page) if file]


def targets(page: str) -> list[tuple[str, str]]:
    """(file, fragment) of its relative links; "" for the page itself, and for no fragment."""
    found = re.findall(r"\]\(([^)\s]+)\)", _FENCE.sub("", text_of(page)))
    parted = [target.partition("#") for target in found if "://" not in target]
    return [(file, fragment) for file, _, fragment in parted]


def anchors(page: Path) -> set[str]:
    """The fragments that its headings can be reached by, as GitHub makes them."""
    headings = re.findall(r"^#+ (.+)$", _FENCE.sub("", page.read_text("utf-8")), re.MULTILINE)
    plain = [re.sub(r"[^\w\- ]", "", heading.lower()) for heading in headings]
    return {heading.replace(" ", "-") for heading in plain}


def paths_named(text: str) -> set[str]:
    """What looks like a path of this repository: from one of its folders, or a source file."""
    words = set(re.findall(r"[\w*./-]+", text))
    named = {word.strip(".") if not word.startswith(".ci") else word for word in words}
    return {
        word
        for word in named
        if (word.split("/")[0] in FOLDERS and "/" in word)
        or re.fullmatch(r"[\w/-]+\.(py|js|css|md)", word)
        or re.fullmatch(r"([a-z_]+/)+", word)
    }


@cache
def repository() -> frozenset[str]:
    """Every file and folder of the repository, and every end of its path: `weights/fit.py`."""
    known: set[str] = set()
    tops = [path for path in ROOT.iterdir() if path.is_file() or path.name in FOLDERS]
    for path in [*tops, *(inner for top in tops if top.is_dir() for inner in top.rglob("*"))]:
        parts = path.relative_to(ROOT).parts
        known |= {"/".join(parts[start:]) for start in range(len(parts))}
    return frozenset(known)


def exists(path: str) -> bool:
    """Whether a path, or a pattern with `*`, is in the repository."""
    if "*" in path:
        return any(ROOT.glob(path))
    return path.rstrip("/") in repository()


def remarks(file: Path) -> str:
    """The docstrings and comments of a Python file."""
    source = file.read_text(encoding="utf-8")
    documented = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
    nodes = [node for node in ast.walk(ast.parse(source)) if isinstance(node, documented)]
    found = [ast.get_docstring(node) or "" for node in nodes]
    tokens = tokenize.generate_tokens(io.StringIO(source).readline)
    return "\n".join([*found, *(t.string for t in tokens if t.type == tokenize.COMMENT)])


def declared_options(file: Path) -> set[str]:
    """The `--options` that a script declares."""
    return set(re.findall(r'"(--[a-z][\w-]*)"', file.read_text(encoding="utf-8")))
