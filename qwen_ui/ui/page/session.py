"""What the dashboard's process holds: the models that were opened, and what programs may launch."""

from __future__ import annotations

import gc
import threading
from importlib import import_module
from typing import TYPE_CHECKING

from qwen_ui.limited import LIGHT, WARM
from qwen_ui.model import open_within_limits
from qwen_ui.ui.page.kept import Kept
from qwen_ui.ui.page.permits import Permits
from qwen_ui.visits import Limits
from qwen_ui.workers import preload

if TYPE_CHECKING:
    from qwen_ui.model import Anatomy

MAX_OPEN_MODELS = 16
WARM_UP_SECONDS = 3.0


def load_libraries() -> None:
    """Import what opening a model and pricing a step need: torch and transformers, seconds.

    Then have processes at hand that imported what training, and reading what others made, needs.
    """
    LIGHT.start()
    for module in (
        "qwen_ui.model.reading",
        "qwen_ui.model.skeleton",
        "qwen_ui.freeze.cost.estimate",
    ):
        import_module(module)
    # A million objects that are never garbage: without this, collections while a long log is read
    # look at all of them again and again.
    gc.collect()
    gc.freeze()
    preload()
    WARM.start()


class Session:
    """Opened models by the name they were opened under, the least recently used dropped first.

    `permits` are those that people gave to programs; `limits` are what visitors of a public
    dashboard may, None where everything is allowed.

    Safe to call from the threads that gradio runs handlers in. A model is built once, however many
    tabs ask for it at the same time, and who asks for another does not wait for it.
    """

    def __init__(self, limits: Limits | None = None) -> None:
        self.limits = limits
        self.anatomies: Kept[str, Anatomy] = Kept(MAX_OPEN_MODELS)
        self.permits = Permits()
        self._lock = threading.Lock()
        self._warm = False

    def anatomy(self, source: str) -> Anatomy:
        """The anatomy of this model.

        Raises:
            ModelError: there is no such model, or it cannot be built.
        """
        return self.anatomies.get(source, lambda: open_within_limits(source))

    def warm_up(self) -> None:
        """Import what training's checks and prices need, once, in a thread of its own.

        Called when a page asks for its first model; a browser that draws has the processor first.
        """
        with self._lock:
            if self._warm:
                return
            self._warm = True
        timer = threading.Timer(WARM_UP_SECONDS, load_libraries)
        timer.daemon = True
        timer.start()
