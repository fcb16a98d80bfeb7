"""The table of what trains in which memory: python -m scripts.memory_table [--write].

For each model and amount of memory: of how many of its last blocks the attention can train, with
all weights held, and with the frozen blocks read once and never held, by the price of a step of our
worker (bfloat16, one sequence of 512 tokens). It stands between two marks in README.md, and in
README.zh-CN.md in Chinese.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from qwen_ui.engine import as_worker
from qwen_ui.freeze import StepSettings, preset, resolve
from qwen_ui.freeze.cost import OVERHEAD_BYTES, Way, price
from qwen_ui.model import open_model

ROOT = Path(__file__).resolve().parents[1]
BEGIN, END = "<!-- memory table: scripts/memory_table.py -->", "<!-- end of the memory table -->"
MODELS = {
    "qwen2.5-1.5b-instruct": "Qwen2.5-1.5B",
    "qwen2.5-7b-instruct": "Qwen2.5-7B",
    "qwen2.5-32b-instruct": "Qwen2.5-32B",
    "qwen2.5-72b-instruct": "Qwen2.5-72B",
}
MEMORIES = (8, 16, 24)  # GB
GB = 10**9
WAYS: tuple[Way, ...] = ("keep", "stream")


@dataclass(frozen=True, slots=True)
class Words:
    """The table's words in the language of a README.

    Attributes:
        heading: of its first column.
        none, every: no block trains, all do.
        last: so many of the last ones do.
    """

    heading: str
    none: str
    every: str
    last: str


READMES = {
    "README.md": Words("all held / read once", "none", "all", "last {}"),
    "README.zh-CN.md": Words("全部常驻 / 只读取一次", "无", "全部", "最后 {} 层"),
}


@cache
def need(model: str, blocks: int, way: Way) -> float:
    """Bytes that a step takes that trains the attention of so many last blocks."""
    anatomy = open_model(model)
    step = as_worker(
        StepSettings(batch_size=1, sequence_length=512),
        dtype="bfloat16",
        keep_prefix=True,
        stream_prefix=way == "stream",
    )
    selection = resolve(preset("attention", f"last:{blocks}"), anatomy)
    return price(anatomy, selection, step).peak_bytes + OVERHEAD_BYTES


def most_blocks(model: str, memory: float, way: Way) -> int:
    """How many of the last blocks train within so many bytes: more blocks never take less."""
    fewest, most = 0, open_model(model).block_count
    while fewest < most:
        middle = (fewest + most + 1) // 2
        if need(model, middle, way) <= memory:
            fewest = middle
        else:
            most = middle - 1
    return fewest


def row(model: str, words: Words) -> str:
    """A model's line of the table."""
    every = open_model(model).block_count
    cells = [
        " / ".join(_cell(most_blocks(model, memory * GB, way), every, words) for way in WAYS)
        for memory in MEMORIES
    ]
    return f"| {MODELS[model]} | {' | '.join(cells)} |"


def _cell(blocks: int, every: int, words: Words) -> str:
    if not blocks:
        return words.none
    return words.every if blocks == every else words.last.format(blocks)


def table(words: Words) -> str:
    """The whole table."""
    heads = " | ".join(f"{memory} GB" for memory in MEMORIES)
    lines = [f"| {words.heading} | {heads} |", f"|---|{'---|' * len(MEMORIES)}"]
    return "\n".join([*lines, *(row(model, words) for model in MODELS)])


def shown(readme: str) -> str:
    """The table as a README has it."""
    text = (ROOT / readme).read_text(encoding="utf-8")
    return text[text.index(BEGIN) + len(BEGIN) : text.index(END)].strip()


def write(readme: str) -> None:
    """Put the table into a README."""
    text = (ROOT / readme).read_text(encoding="utf-8")
    start, end = text.index(BEGIN) + len(BEGIN), text.index(END)
    new = f"{text[:start]}\n{table(READMES[readme])}\n{text[end:]}"
    (ROOT / readme).write_text(new, encoding="utf-8")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--write", action="store_true", help="put it into the READMEs")
    if parser.parse_args().write:
        for named in READMES:
            write(named)
    else:
        print(table(READMES["README.md"]))
