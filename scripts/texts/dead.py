"""Entries of a dictionary that can never be shown: some of their words stand in no source.

A text may be put together from parts that no reader of sources sees whole, so that an entry which
no source asks for by itself is not dead yet. Long clauses, what stands between holes and marks, are
whole in some source as long as anything can show them, or two pieces of them are; of short ones
each word is.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable
from pathlib import Path

SHORT = 3  # words of a clause that may have been put together
_HOLE = re.compile(r"\{\w+\}")
_MARKS = re.compile(r"[^\w' /+-]+")
_WORDS = re.compile(r"[A-Za-z]{2,}")
# What browsers and libraries write: months, gradio's parts, plotly's buttons.
_OF_OTHERS = re.compile(
    r"\{n\} (?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sept|Oct|Nov|Dec), \{raw\}"
    r"|Autoscale|Box Select|Download plot as a PNG|Lasso Select|Pan|Plot|Reset axes"
    r"|Zoom(?: in| out)?"
    r"|Click to (?:Upload|upload or drop files)|Drop File Here|- or -|File upload"
    r"|Uploading \{n\} files?\.\.\.|Remove this file|\(size unknown\)"
    r"|Empty value|Error|Info|Loading\.\.\.|More tabs|Success"
    r"|Warning|processing \||queue: \{place\} \|"
)


def dead_entries(entries: Iterable[str], sources: str) -> list[str]:
    """Those of the entries with a clause that nothing in the sources (of `corpus`) can show."""
    words = set(sources.split())
    return [
        entry
        for entry in entries
        if not _OF_OTHERS.fullmatch(entry)
        and not all(_can_be_shown(clause, sources, words) for clause in clauses(entry))
    ]


def _can_be_shown(clause: str, sources: str, words: set[str]) -> bool:
    parts = clause.split()
    if clause in sources or (len(parts) <= SHORT and words.issuperset(parts)):
        return True
    # "Launch on" and "the CPU".
    halves = ((" ".join(parts[:at]), " ".join(parts[at:])) for at in range(2, len(parts) - 1))
    return any(first in sources and second in sources for first, second in halves)


def clauses(entry: str) -> list[str]:
    """What an entry has between its holes and marks, in small letters."""
    parts = (_plain(part) for text in _HOLE.split(entry) for part in _MARKS.split(text))
    return [part for part in parts if _WORDS.search(part)]


def corpus(texts: Iterable[str], python: Iterable[Path], others: Iterable[Path]) -> str:
    """All that may be shown, as one text of clauses: texts as found, and whole files.

    Args:
        texts: found in the sources, with their variants.
        python: modules, of which every string counts, put together where the source does.
        others: scripts, templates and the like, of which everything counts.
    """
    parts = [_HOLE.sub("\n", text) for text in texts]
    for path in python:
        tree = ast.parse(path.read_text(encoding="utf-8"))
        parts += [
            node.value
            for node in ast.walk(tree)
            if isinstance(node, ast.Constant) and isinstance(node.value, str)
        ]
    for path in others:
        text = path.read_text(encoding="utf-8")
        parts.append(re.sub(r"[\"'`] \+\s+[\"'`]", "", text))
    return "\n".join(" ".join(map(_plain, _MARKS.split(part))) for part in parts)


def _plain(text: str) -> str:
    return " ".join(text.replace("_", " ").split()).casefold().strip("-/+' ")
