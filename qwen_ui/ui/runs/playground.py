"""Talk to it: two of {the base, runs of that base, at any strength} asked the same thing.

The DOM is `static/playground.js`'s. The models write in a process of their own
(`workers.Playground`), which the page asks for what is new. In blind mode the order of the sides is
drawn here and told with the vote alone.
"""

from __future__ import annotations

import secrets
from collections import OrderedDict
from dataclasses import dataclass
from typing import Annotated, Any, Literal

import gradio as gr
from pydantic import BaseModel, ConfigDict, Field

from qwen_ui.errors import RunError
from qwen_ui.paths import runs_folder
from qwen_ui.runs import DELTA_NAME, recorded_settings, run_folder, run_names, status_of
from qwen_ui.ui.page import mount_point, mounted_by, server_function, title_of
from qwen_ui.ui.runs.votes import Choice, add_vote, side_key, tally
from qwen_ui.visits import DO_IT_YOURSELF, current_visit, is_own, refuse
from qwen_ui.workers import AskedSide, Playground

# How many runs are looked at for others of the same base, and how many are offered.
MOST_LOOKED_AT = 400
MOST_OFFERED = 60
MOST_KEPT_ORDERS = 64
TALKING = "Talking to a run"
Text = Annotated[str, Field(max_length=20_000)]


class Message(BaseModel):
    """One of a conversation."""

    model_config = ConfigDict(extra="forbid")
    role: Literal["user", "assistant"]
    content: Text


class Side(BaseModel):
    """One who is to write; `run` is "" for the base."""

    model_config = ConfigDict(extra="forbid")
    run: str = Field(default="", max_length=200)
    strength: float = Field(default=1.0, ge=0, le=4)
    messages: list[Message] = Field(min_length=1, max_length=64)

    @property
    def key(self) -> str:
        """What votes call it."""
        return side_key(self.run, self.strength)

    def asked(self) -> AskedSide:
        """As the worker is asked."""
        return AskedSide(self.run, self.strength, tuple(m.model_dump() for m in self.messages))


class Sampling(BaseModel):
    """How tokens are drawn; see `engine.Sampling`."""

    model_config = ConfigDict(extra="forbid")
    chat: bool = True
    tokens: int = Field(default=128, ge=1, le=2048)
    temperature: float = Field(default=0.7, ge=0, le=5)
    seed: int = Field(default=0, ge=0, lt=2**31)


@dataclass(frozen=True, slots=True)
class Hidden:
    """Two sides as they are shown, until a vote reveals them."""

    sides: tuple[Side, Side]
    first: int


_playground = Playground()
_hidden: OrderedDict[int, Hidden] = OrderedDict()


def build_playground() -> gr.HTML:
    """The section for the run that its value names; "" shows nothing."""
    functions = (talk_state, talk, talk_written, talk_stop, talk_vote)
    return gr.HTML(
        "",
        html_template=mount_point("qr-talk"),
        js_on_load=mounted_by("runs/playground.js"),
        apply_default_css=False,
        elem_id="qr-talk",
        server_functions=[server_function(f) for f in functions],
    )


def talk_state(run: str) -> dict[str, Any]:
    """Whom one can talk to: `sides` (run, name), and `why` not yet to this run; "" where one can.

    Raises:
        RunError: no such run.
    """
    folder = run_folder(run)
    model = str(recorded_settings(folder).get("model") or "")
    why = ""
    if not (folder / DELTA_NAME).is_file():
        over = status_of(folder).over
        why = (
            "This run left no trained tensors, so there is nothing to talk to."
            if over
            else "The run is not over. Talk to it when it has ended."
        )
    # One process writes for all who ask, and who comes next takes it over.
    if current_visit() is not None:
        why = f"{TALKING} is off on this public dashboard. {DO_IT_YOURSELF}"
    sides = [{"run": "", "name": f"the base, {model.rpartition('/')[2]}"}]
    sides += [{"run": name, "name": title} for name, title in _runs_of(model, run)]
    return {"model": model, "why": why, "over": status_of(folder).over, "sides": sides}


def _runs_of(model: str, chosen: str) -> list[tuple[str, str]]:
    """(run, what it is called) of the runs of this base that left a delta, the chosen one first."""
    found = []
    for name in dict.fromkeys([chosen, *run_names()[:MOST_LOOKED_AT]]):
        folder = runs_folder() / name
        if not (folder / DELTA_NAME).is_file() or not is_own(folder):
            continue
        if str(recorded_settings(folder).get("model") or "") == model:
            found.append((name, f"{title_of(folder)} ({name[:15]}-{name[-4:]})"))
    return found[:MOST_OFFERED]


def talk(run: str, sides: list[Side], sampling: Sampling, blind: bool = False) -> dict[str, Any]:
    """Let one or two sides write; `number` is what to ask after.

    Args:
        run: whose page it is; its base is the base.
        blind: two sides in random order.

    Raises:
        RunError: no such run, an answer is being written, or a run has the device.
    """
    model = str(recorded_settings(run_folder(run)).get("model") or "")
    refuse(TALKING)
    if not 1 <= len(sides) <= 2 or (blind and len(sides) != 2):
        raise RunError("Choose two sides to compare.")
    first = secrets.randbelow(2) if blind else 0
    shown = [sides[first], *(side for n, side in enumerate(sides) if n != first)]
    number = _playground.ask(model, [side.asked() for side in shown], sampling.model_dump())
    if blind:
        _hidden[number] = Hidden((shown[0], shown[1]), first)
        while len(_hidden) > MOST_KEPT_ORDERS:
            _hidden.popitem(last=False)
    return {"number": number}


def talk_written(number: int) -> dict[str, Any]:
    """What has been written: `state`, `said` and the `sides`; `ready`: the model in memory.

    Raises:
        RunError: another question has been asked since.
    """
    refuse(TALKING)
    answer = _playground.answer(number)
    sides = [dict(side) for side in answer.sides]
    if number in _hidden:
        # How long each took might give away which is which.
        sides = [{**side, "seconds": 0.0} for side in sides]
    return {
        "state": answer.state,
        "said": answer.said,
        "sides": sides,
        "ready": _playground.ready(),
    }


def talk_stop() -> dict[str, Any]:
    """Let no side write on."""
    refuse(TALKING)
    _playground.stop()
    return {}


def talk_vote(number: int, choice: Choice) -> dict[str, Any]:
    """Keep a blind vote and tell who was who: `first` is the number of the side shown first.

    Raises:
        RunError: it was no blind question, or has its vote.
    """
    refuse(TALKING)
    if _playground.answer(number).state in ("loading", "writing"):
        raise RunError("Wait for both answers, then vote.")
    hidden = _hidden.pop(number, None)
    if hidden is None:
        raise RunError("This answer has its vote already, or was not asked in blind mode.")
    keys = hidden.sides[0].key, hidden.sides[1].key
    if keys[0] != keys[1]:
        add_vote(keys, choice, hidden.sides[0].messages[-1].content)
    ordered = keys if hidden.first == 0 else (keys[1], keys[0])
    return {"first": hidden.first, **tally(ordered)}
