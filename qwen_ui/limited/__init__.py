"""Work on what others made, in a process with limits of time and memory that can be ended.

Called by every room. A file, a pattern or a configuration may ask for hours or for all memory, and
some libraries end their process over one. Such work is a *task*: a function of ours, named by its
module, that takes and returns what JSON holds. A child of a process that has done the imports
(`server`) calls it, within limits that the kernel enforces.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from qwen_ui.lazy import lazy_face

if TYPE_CHECKING:
    from qwen_ui.limited.client import LIGHT, WARM, Limits, TaskServer

__all__ = ["LIGHT", "WARM", "Limits", "TaskServer"]
__getattr__ = lazy_face(__name__, __file__)
