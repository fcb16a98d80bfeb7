"""What a run needs and what is free, before it is launched."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from qwen_ui.errors import ModelError, UserError
from qwen_ui.freeze import resolve
from qwen_ui.runs import make_spec
from qwen_ui.ui.page import paragraph, render, trained_model
from qwen_ui.workers import OVERHEAD_BYTES

if TYPE_CHECKING:
    from qwen_ui.freeze import FreezePlan
    from qwen_ui.ui.page import Session


def priced_model(session: Session, source: str, plan: FreezePlan) -> str:
    """What the price is of: the model that would train, else the one that was asked for."""
    try:
        return trained_model(session, source, plan)
    except ModelError:
        return source


def needs(session: Session, model: str, plan: FreezePlan, *, kind: str, **settings: Any) -> float:
    """Bytes that one process of the run holds at its peak.

    Args:
        kind: of the device.
        settings: of the run, by their flat names.

    Raises:
        UserError: the model, the plan or a size cannot be priced.
    """
    from qwen_ui.engine import step_of  # noqa: PLC0415  loads torch
    from qwen_ui.freeze.cost import price  # noqa: PLC0415  loads torch

    anatomy = session.anatomy(model)
    # The price needs no data, and a run cannot be described without.
    run = make_spec(model=model, plan=plan.to_dict(), data="none", **settings)
    step = step_of(run, anatomy, kind, keep_prefix=run.resources.caches_prefix)
    return price(anatomy, resolve(plan, anatomy), step).peak_bytes + OVERHEAD_BYTES


def price_html(need: float, free: float | None, processes: int, where: str, note: str = "") -> str:
    """What the run needs and what is free, marked where it will not fit, and a note under it.

    Args:
        need: bytes of one process.
        free: bytes; None where nobody knows, as of a node that Slurm has yet to choose.
        processes: of the run.
        where: the device in words.
        note: below it.
    """
    # On a CPU the processes share one memory.
    shared = processes if where == "the CPU" else 1
    need *= shared
    fits = free is None or need <= free
    shown = render("train/price.html", need=need, free=free, processes=shared, fits=fits)
    return shown + (paragraph(note, "qt-note") if note else "")


def unpriced_html(error: UserError) -> str:
    """Why there is no price."""
    return paragraph(f"Not priced: {error}", "qt-note")
