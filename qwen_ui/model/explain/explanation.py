"""What is said of a module, and what the functions that say it share."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from qwen_ui.model.anatomy import Anatomy, Module


@dataclass(frozen=True, slots=True)
class Explanation:
    """One sentence, one formula (often empty), and the configuration keys that matter here."""

    sentence: str
    formula: str = ""
    keys: tuple[str, ...] = ()


# (model, module, values of the language model's configuration) -> what the module is
Explain = Callable[[Anatomy, Module, dict[str, Any]], Explanation]


def child_names(anatomy: Anatomy, module: Module) -> list[str]:
    """Names of the modules right below this one, without its path."""
    prefix = f"{module.name}."
    inside = [m.name[len(prefix) :] for m in anatomy.modules if m.name.startswith(prefix)]
    return [name for name in inside if "." not in name]
