"""Where the blocks of a model are: the ModuleList that holds its decoder layers.

The stack is the `ModuleList` with the most parameters among those that are not inside another one.
In 176 of the 181 causal-LM types that transformers 5.24 builds weightless, it has as many entries
as the configuration names hidden layers; where another candidate has that number, it is taken.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from torch import nn

from qwen_ui.model.libraries import PreTrainedConfig, PreTrainedModel
from qwen_ui.model.skeleton import language_part


@dataclass(frozen=True, slots=True)
class Stack:
    """The block stack; an empty name means that the model has none."""

    name: str

    def locate(self, path: str) -> tuple[int | None, str]:
        """Block index and path inside the block; (None, path) outside the blocks.

        The index is parsed as an integer, so that `layers.2` never takes `layers.24` along.
        """
        prefix = f"{self.name}."
        if not self.name or not path.startswith(prefix):
            return None, path
        index, _, inside = path[len(prefix) :].partition(".")
        return (int(index), inside) if index.isdecimal() else (None, path)

    def block_name(self, index: int | None) -> str | None:
        return None if index is None else f"{self.name}.{index}"


def find_stack(module: nn.Module, configuration: Any = None) -> Stack:
    """The stack of decoder layers of a module."""
    candidates: dict[str, nn.ModuleList] = {}
    for name, child in module.named_modules():
        inside_another = any(name.startswith(f"{outer}.") for outer in candidates)
        if isinstance(child, nn.ModuleList) and len(child) and not inside_another:
            candidates[name] = child
    if not candidates:
        return Stack("")
    sizes = {n: sum(p.numel() for p in child.parameters()) for n, child in candidates.items()}
    largest = max(sizes, key=lambda name: sizes[name])
    expected = hidden_layers(configuration or getattr(module, "config", None))
    fitting = [name for name in candidates if len(candidates[name]) == expected]
    # A vision tower may have as many layers as the language model beside it.
    decoder = _decoder_name(module)
    inside = [name for name in fitting if name.startswith(f"{decoder}.")] if decoder else []
    return Stack(max(inside or fitting or [largest], key=lambda name: sizes[name]))


def _decoder_name(module: nn.Module) -> str:
    """Name of what transformers calls the decoder; "" where it is the model itself."""
    found = module.get_decoder() if isinstance(module, PreTrainedModel) else None
    return next((name for name, child in module.named_modules() if child is found), "")


def hidden_layers(configuration: Any) -> int | None:
    """The number of decoder layers that a configuration names, None where it names none.

    Of an encoder-decoder it is `decoder_layers`: its `num_hidden_layers` is the encoder's
    (Blenderbot has 2 and 24). Of a stack that is run several times (HRM) it is the layers that
    exist, `num_layers_per_stack`: `num_hidden_layers` counts every pass.
    """
    if configuration is None:
        return None
    if isinstance(configuration, PreTrainedConfig):
        configuration = language_part(configuration)
    for key in ("decoder_layers", "num_layers_per_stack", "num_hidden_layers"):
        count = getattr(configuration, key, None)
        if isinstance(count, int) and count > 0:
            return count
    return None
