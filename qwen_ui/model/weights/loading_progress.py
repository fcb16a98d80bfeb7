"""How far transformers is with loading weights, in parameters of the model."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any

from qwen_ui.model.anatomy import Anatomy
from qwen_ui.model.libraries import set_tqdm_hook

# What transformers (`core_model_loading`) calls its bar over the tensors that it puts into a model.
_BAR = "Loading weights"


@contextmanager
def told_loading(anatomy: Anatomy, tell: Callable[[int, int], None]) -> Iterator[None]:
    """Within this, `tell(parameters loaded, parameters in all)` after each tensor that is loaded.

    The library offers a hook for its progress bars, one for the whole process: for workers, which
    load one model at a time. A version whose bar is called otherwise tells nothing.
    """
    total = sum(parameter.numel for parameter in anatomy.parameters)

    def hook(factory: Callable[..., Any], given: tuple[Any, ...], named: dict[str, Any]) -> Any:
        bar = factory(*given, **named)
        return counted(bar) if named.get("desc") == _BAR else bar

    def counted(entries: Iterable[tuple[str, Any]]) -> Iterator[tuple[str, Any]]:
        done = 0
        for name, entry in entries:
            yield name, entry
            # By another name only where several stored tensors become one: counted at the end.
            done += anatomy.by_name[name].numel if name in anatomy.by_name else 0
            tell(done, total)

    previous = set_tqdm_hook(hook)
    try:
        yield
    finally:
        set_tqdm_hook(previous)
