"""Which way a run's frozen blocks go, chosen by what fits, and what a person is told of it.

The worker asks before it reads a weight; page, command line and advice ask the same before launch.
"""

from __future__ import annotations

from dataclasses import dataclass

from qwen_ui.engine.pass_speed import known_speed, note_speed, speed_words
from qwen_ui.engine.step_price import auto_dtype, step_of
from qwen_ui.engine.stream.prefix_pass import PORTION_BYTES
from qwen_ui.engine.stream.streamed_run import Passed
from qwen_ui.errors import UserError
from qwen_ui.formats import duration, short_bytes, short_count
from qwen_ui.freeze import Cost, Selection
from qwen_ui.freeze.cost import (
    OVERHEAD_BYTES,
    WORTHWHILE,
    PassTime,
    Speed,
    Way,
    choose_way,
    pass_time,
    price,
    streamed_parameters,
    streamed_sentence,
)
from qwen_ui.model import dtype_bytes
from qwen_ui.runs import RunSpec


@dataclass(frozen=True, slots=True)
class PrefixChoice:
    """What becomes of a run's frozen blocks.

    Attributes:
        way: off, keep or stream.
        sentence: what a person is told before launch; "" where all weights are held.
    """

    way: Way
    sentence: str = ""


def choose_prefix(
    spec: RunSpec, selection: Selection, device: str, free: float | None
) -> PrefixChoice:
    """The way of this run, by what fits.

    Args:
        selection: its plan, resolved.
        device: the type of the one that computes it: `cpu`, `cuda` or `mps`.
        free: bytes that it may take there; None where nobody knows, and all weights are held.

    Raises:
        UserError: the run was asked to read its frozen blocks once, and cannot be priced.
    """
    asked = spec.resources.prefix
    if asked != "auto":
        return _told(spec, selection, device, choose_way(asked, kept=0, streamed=0, free=0))
    if free is None or spec.resources.sharded or not _worthwhile(spec, selection, device, free):
        return PrefixChoice("keep")
    try:
        kept, streamed = (run_need(spec, selection, device, way) for way in ("keep", "stream"))
        way = choose_way(asked, kept=kept, streamed=streamed, free=free)
        return _told(spec, selection, device, way)
    except UserError:
        return PrefixChoice("keep")  # without a price nothing is known to fit better


def run_need(spec: RunSpec, selection: Selection, device: str, way: Way) -> float:
    """Bytes that a run needs on its device at its peak, in one way.

    Processes that train together on a CPU share its memory.

    Raises:
        UserError: it cannot be priced.
    """
    peak = run_cost(spec, selection, device, way).peak_bytes + OVERHEAD_BYTES
    return peak * (spec.resources.processes if device == "cpu" else 1)


def run_cost(spec: RunSpec, selection: Selection, device: str, way: Way) -> Cost:
    """The price of a step of this run.

    Raises:
        UserError: it cannot be priced.
    """
    return price(selection.anatomy, selection, step_of(spec, selection.anatomy, device, way))


def tokens_at_most(spec: RunSpec) -> int:
    """Tokens that a run may come to: of its steps, its evaluation and its text to keep."""
    settings, data = spec.optimization, spec.data
    sequences = settings.steps * settings.batch_size * settings.gradient_accumulation_steps
    training = sequences * spec.resources.processes * data.sequence_length
    return training + spec.evaluation.eval_tokens + (data.keep_tokens if data.keep else 0)


def pass_sentence(cost: Cost, tokens: int, device: str, dtype: str) -> str:
    """How long the pass over so many tokens takes, and by which speeds that is said.

    Args:
        dtype: of the weights in memory.
    """
    speed = known_speed(device, dtype)
    found: PassTime = pass_time(cost, tokens, speed, PORTION_BYTES)
    return (
        f"Their pass over at most {short_count(tokens)} tokens takes about "
        f"{duration(found.seconds)}: {duration(found.disk)} to read "
        f"{short_bytes(found.readings * cost.pass_read_bytes)}, {duration(found.compute)} to "
        f"compute, at {speed_words(speed)}."
    )


def note_pass(spec: RunSpec, selection: Selection, device: str, passed: Passed) -> None:
    """Remember how fast this machine ran a pass."""
    try:
        cost = run_cost(spec, selection, device, "stream")
    except UserError:
        return  # without a price nothing is known of what it computed
    anything = Speed(1.0, 1.0, measured=False)
    readings = pass_time(cost, passed.tokens, anything, PORTION_BYTES, beforehand=0).readings
    note_speed(
        device,
        _dtype(spec, selection, device),
        read=readings * cost.pass_read_bytes,
        flops=passed.tokens * cost.pass_flops_per_token,
        seconds=passed.seconds,
    )


def _dtype(spec: RunSpec, selection: Selection, device: str) -> str:
    anatomy = selection.anatomy
    return step_of(spec, anatomy, device, "stream").dtype or anatomy.dtype


def _told(spec: RunSpec, selection: Selection, device: str, way: Way) -> PrefixChoice:
    if way != "stream":
        return PrefixChoice(way)
    cost = run_cost(spec, selection, device, way)
    if not cost.streamed_bytes:
        return PrefixChoice(way)
    dtype = _dtype(spec, selection, device)
    passing = pass_sentence(cost, tokens_at_most(spec), device, dtype)
    return PrefixChoice(way, f"{streamed_sentence(cost)} {passing}")


def _worthwhile(spec: RunSpec, selection: Selection, device: str, free: float) -> bool:
    """Whether the frozen blocks are large enough to be worth a price."""
    anatomy, dtype = selection.anatomy, spec.model.dtype
    width = dtype_bytes(auto_dtype(anatomy, on_gpu=device != "cpu") if dtype == "auto" else dtype)
    saved = width * sum(p.numel for p in streamed_parameters(selection))
    return saved >= WORTHWHILE * free
