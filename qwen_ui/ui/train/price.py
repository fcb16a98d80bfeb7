"""What a run needs and what is free, before it is launched."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from qwen_ui.errors import ModelError, UserError
from qwen_ui.freeze import resolve
from qwen_ui.runs import make_spec
from qwen_ui.ui.page import paragraph, render, trained_model

if TYPE_CHECKING:
    from qwen_ui.freeze import FreezePlan
    from qwen_ui.ui.page import Session


def priced_model(session: Session, source: str, plan: FreezePlan) -> str:
    """What the price is of: the model that would train, else the one that was asked for."""
    try:
        return trained_model(session, source, plan)
    except ModelError:
        return source


@dataclass(frozen=True, slots=True)
class Needs:
    """What a run takes.

    Attributes:
        bytes: that it holds at its peak, of all processes that share a memory.
        streamed: what is read once and never held, in words; "" where all weights are held.
    """

    bytes: float
    streamed: str


def needs(
    session: Session,
    model: str,
    plan: FreezePlan,
    *,
    kind: str,
    free: float | None,
    **settings: Any,
) -> Needs:
    """What the run holds at its peak, in the way that the worker would choose.

    Args:
        kind: of the device.
        free: bytes there; None where nobody knows, as of a node that Slurm has yet to choose.
        settings: of the run, by their flat names.

    Raises:
        UserError: the model, the plan or a size cannot be priced.
    """
    from qwen_ui.engine import choose_prefix, run_need  # noqa: PLC0415  loads torch

    # The price needs no data, and a run cannot be described without.
    run = make_spec(model=model, plan=plan.to_dict(), data="none", **settings)
    selection = resolve(plan, session.anatomy(model))
    choice = choose_prefix(run, selection, kind, free)
    return Needs(run_need(run, selection, kind, choice.way), choice.sentence)


def price_html(need: Needs, free: float | None, processes: int, where: str, note: str = "") -> str:
    """What the run needs and what is free, marked where it will not fit, and notes under it.

    Args:
        free: bytes; None where nobody knows.
        processes: of the run.
        where: the device in words.
        note: below it.
    """
    # On a CPU the processes share one memory.
    shared = processes if where == "the CPU" else 1
    fits = free is None or need.bytes <= free
    shown = render("train/price.html", need=need.bytes, free=free, processes=shared, fits=fits)
    notes = (paragraph(text, "qt-note") for text in (need.streamed, note) if text)
    return "".join((shown, *notes))


def unpriced_html(error: UserError) -> str:
    """Why there is no price."""
    return paragraph(f"Not priced: {error}", "qt-note")
