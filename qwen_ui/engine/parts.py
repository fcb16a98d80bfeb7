"""What a run is made of before there is a model: its weights on the disk, and its examples."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from qwen_ui.data import Examples
from qwen_ui.freeze import Selection
from qwen_ui.model.weights import folder_fingerprint


@dataclass(frozen=True)
class Base:
    """The weights that a run starts from, and which of them it trains."""

    selection: Selection
    folder: Path

    @cached_property
    def fingerprint(self) -> str:
        """Of the weights; reads all of them when it is first asked for."""
        return folder_fingerprint(self.folder)


@dataclass(frozen=True, slots=True)
class TokenizedData:
    """The examples of a run, and the tokenizer that made them.

    Attributes:
        keep: of the text to keep; None where there is none.
    """

    tokenizer: Any
    training: Examples
    evaluation: Examples
    keep: Examples | None
