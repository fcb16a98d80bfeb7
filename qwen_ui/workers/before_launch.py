"""What a person is told before a launch whose frozen blocks are read once and never held."""

from __future__ import annotations

from qwen_ui.runs import RunSpec
from qwen_ui.workers.devices import find_devices


def prefix_notice(spec: RunSpec) -> str:
    """What is never held, what stays and how long that takes; "" where all weights are held.

    For a run of this machine: it asks what is free here, as the worker will.

    Raises:
        UserError: the model or the plan cannot be read, or the run cannot be priced.
    """
    if spec.resources.prefix not in ("auto", "stream"):
        return ""
    # Torch is slow to import.
    from qwen_ui.engine import choose_prefix  # noqa: PLC0415
    from qwen_ui.freeze import FreezePlan, resolve  # noqa: PLC0415
    from qwen_ui.model import open_model  # noqa: PLC0415

    selection = resolve(FreezePlan.from_dict(spec.plan), open_model(spec.model.source))
    devices = find_devices(spec.resources.device)
    return choose_prefix(spec, selection, devices.kind, devices.free_bytes).sentence
