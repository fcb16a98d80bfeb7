"""A public dashboard: every visitor has own runs alone, within limits, whatever is asked."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import gradio as gr
import orjson
import pytest
from gradio.context import LocalContext
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route
from starlette.testclient import TestClient

from qwen_ui import visits
from qwen_ui.compare import latest_comparison, make_comparison, parse_plans
from qwen_ui.engine import checked_spec
from qwen_ui.errors import DataError, ModelError, RunError, SettingsError, UserError
from qwen_ui.freeze import preset
from qwen_ui.model import open_model
from qwen_ui.paths import ASSETS, home, runs_folder
from qwen_ui.runs import RunWriter, create_run, make_spec, run_names, run_rows
from qwen_ui.ui.page import (
    Session,
    build_app,
    run_view,
    save_plan_as_named,
    saved_plan_names,
)
from qwen_ui.ui.page.data_choice import is_known_data, keep_upload
from qwen_ui.ui.page.serving import public_limits
from qwen_ui.ui.page.visitors import COOKIE, KEY, Visitors, as_asked, enter_every_event, visitor_of
from qwen_ui.visits import Visit, current_visit, entered
from qwen_ui.workers import Housekeeper, start, wait
from tests.helpers.built_app import in_a_loop
from tests.ui.page.test_contract import MISTAKES, kind_of

LIMITS = public_limits()
DATA = str(ASSETS / "data" / "kjv-train.txt")
SHORT = {"model": "nano", "data": DATA, "steps": 2, "plan": {"name": "mine"}}
ALICE, BOB = Visit("alice", LIMITS), Visit("bob", LIMITS)


@pytest.fixture(autouse=True)
def public() -> Iterator[None]:
    """This process is a public dashboard's."""
    visits.restrict(LIMITS)
    yield
    visits.restrict(None)


@pytest.fixture(scope="module")
def app() -> gr.Blocks:
    return in_a_loop(lambda: build_app(Session(LIMITS)))


@contextmanager
def asked_by(visit: Visit) -> Iterator[None]:
    """As gradio calls a function while it answers a request of this visitor."""
    LocalContext.request.set(SimpleNamespace(scope={KEY: visit}))  # type: ignore[arg-type]
    try:
        yield
    finally:
        LocalContext.request.set(None)


def finished_run(visit: Visit) -> str:
    with entered(visit):
        folder = create_run(SHORT, {"name": "mine"})
        with RunWriter(folder) as run:
            run.event("step", step=1, loss=2.5)
            run.status("completed")
    return folder.name


# --- whose what is ---

SIDE = {"run": "gone", "messages": [{"role": "user", "content": "x"}]}
# What the sections of an opened run are asked.
OPENED: dict[str, dict[str, tuple[dict[str, Any], str | None]]] = {
    "qr-live": {"look_at_grid": ({"run": "gone"}, "RunError")},
    "qr-about": {"about": ({"run": "gone"}, "RunError")},
    "qr-talk": {
        "talk_state": ({"run": "gone"}, "RunError"),
        "talk": ({"run": "gone", "sides": [SIDE], "sampling": {}}, "RunError"),
        "talk_written": ({"number": 1}, "RunError"),
        "talk_stop": ({}, None),
        "talk_vote": ({"number": 1, "choice": "first"}, "RunError"),
    },
    "qr-take": {
        "take_state": ({"run": "gone"}, "RunError"),
        "take": ({"run": "gone", "kind": "merge"}, "RunError"),
        "take_delta": ({"run": "gone"}, "RunError"),
        "take_snippet": ({"run": "gone"}, "RunError"),
    },
}


def functions_of(app: gr.Blocks) -> dict[str, dict[str, Callable[[Any], dict[str, Any]]]]:
    found = (block for block in app.blocks.values() if isinstance(block, gr.HTML))
    return {str(c.elem_id): {f.__name__: f for f in c.server_fns} for c in found if c.server_fns}


def test_every_server_function_knows_no_run_of_another(app: gr.Blocks) -> None:
    """Whatever one visitor asks about another's run is answered as about one that is not there."""
    run = finished_run(ALICE)
    with entered(ALICE):
        comparison = make_comparison("nano", parse_plans("attention,bitfit"), data=DATA, steps=2)
    absent = f"{run[:-4]}{'0000' if run[-4:] != '0000' else '1111'}"
    checked = 0
    for component, functions in functions_of(app).items():
        for name, function in functions.items():
            asked, _ = (OPENED | MISTAKES)[component][name]
            for key, theirs, none in (
                ("run", run, absent),
                ("runs", [run], [absent]),
                ("name", comparison.name, "12345678"),
            ):
                if key not in asked or (key == "name" and component != "qc-view"):
                    continue
                with asked_by(BOB):
                    found, other = function({**asked, key: theirs}), function({**asked, key: none})
                about = orjson.dumps(found).decode().replace(run, "X").replace(comparison.name, "X")
                expected = orjson.dumps(other).decode().replace(absent, "X")
                assert about == expected.replace("12345678", "X"), (component, name)
                assert kind_of(found) in {"RunError", "SettingsError"}, (component, name)
                checked += 1
    assert checked >= 20
    assert run in run_names()  # nothing was deleted


def test_lists_hold_own_runs_alone(app: gr.Blocks) -> None:
    mine, theirs = finished_run(ALICE), finished_run(BOB)
    listing = functions_of(app)["qr-table"]["listing"]
    for visit, own in ((ALICE, mine), (BOB, theirs)):
        with asked_by(visit):
            found = listing({"seen": ""})
            assert [row["run"] for row in found["rows"]] == [own]
            assert found["total"] == 1
            assert listing({"seen": found["seen"]})["rows"] == []
            assert functions_of(app)["qt-run"]["poll"]({"run": own})["run"] == own
    assert run_rows(runs_folder()) == []  # nobody named: nobody's
    with entered(None):
        assert {row["run"] for row in run_rows(runs_folder())} == {mine, theirs}


def test_the_queue_tells_no_title_of_another() -> None:
    with entered(ALICE):
        running = create_run(SHORT, {"name": "secret plan"})
        with RunWriter(running) as run:
            run.status("running")
            with entered(BOB):
                waiting = create_run(SHORT, {"name": "mine"})
                place = run_view._place(waiting)
    assert place["running"] in ([], [run_view.OF_ANOTHER])


def test_comparisons_plans_and_uploads_are_a_visitor_s_own(tmp_path: Path) -> None:
    file = tmp_path / "mine.txt"
    file.write_text("text " * 100, encoding="utf-8")
    with entered(ALICE):
        made = make_comparison("nano", parse_plans("attention,bitfit"), data=DATA, steps=2)
        found = latest_comparison()
        assert found is not None
        assert found.name == made.name
        save_plan_as_named(preset("bitfit").model_copy(update={"name": "mine"}))
        kept = keep_upload(str(file))
        assert is_known_data(kept)
        visits.admit_settings({**SHORT, "data": kept})
    with entered(BOB):
        assert latest_comparison() is None
        assert saved_plan_names() == []
        assert not is_known_data(kept)
        with pytest.raises(DataError, match="bundled texts"):
            visits.admit_settings({**SHORT, "data": kept})


def test_every_event_asks_as_its_visitor(app: gr.Blocks) -> None:
    def page() -> gr.Blocks:
        with gr.Blocks() as demo:
            gr.Button().click(lambda: current_visit())
        return demo

    demo = in_a_loop(page)
    enter_every_event(demo)
    (event,) = demo.fns.values()
    assert event.fn is not None
    with asked_by(BOB):
        assert event.fn() == BOB
    # Those of the page are wrapped the same way, none left out.
    code = event.fn.__code__
    handlers = [other.fn for other in app.fns.values() if other.fn is not None]
    assert len(handlers) > 40
    assert all(handler.__code__ is code for handler in handlers)


def test_who_is_not_named_owns_nothing_and_may_nothing() -> None:
    run = finished_run(ALICE)
    assert current_visit() == Visit("", LIMITS)
    with as_asked(), pytest.raises(RunError):
        run_view.poll(run)
    with pytest.raises(ModelError):
        open_model(str(ASSETS / "nano"))
    nobody = create_run(SHORT, {})
    with pytest.raises(RunError):
        run_view.poll(nobody.name)


# --- what is off, and what is limited ---


@pytest.mark.parametrize("source", ["/etc", "gpt2", str(ASSETS / "nano"), "../nano", ""])
def test_no_folder_and_no_hub_id(source: str, app: gr.Blocks) -> None:
    functions = functions_of(app)
    with asked_by(ALICE):
        for component, name in (("qi-main", "tree"), ("qs-main", "structure")):
            answer = functions[component][name]({"source": source})
            assert kind_of(answer) == "ModelError"
            assert "bundled models" in answer["error"]["message"]
        scored = functions["qc-ranking"]["scores"]({"model": source, "data": DATA})
    deadline = time.monotonic() + 20
    while "error" not in scored and time.monotonic() < deadline:
        with asked_by(ALICE):
            scored = functions["qc-ranking"]["scores"]({"model": source, "data": DATA})
    assert kind_of(scored) == "ModelError"


BEYOND: dict[str, tuple[dict[str, Any], type[UserError], str]] = {
    "steps": ({"steps": LIMITS.steps + 1}, SettingsError, "steps is 200 at most, not 201"),
    "length": ({"sequence_length": 512}, SettingsError, "sequence_length is 256"),
    "batch": ({"batch_size": 65}, SettingsError, "8,192 at most"),
    "accumulation": ({"gradient_accumulation_steps": 64}, SettingsError, "8,192 at most"),
    "samples": ({"sample_tokens": 4096}, SettingsError, "sample_tokens is 64"),
    "processes": ({"processes": 2}, SettingsError, "several processes is off"),
    "trackers": ({"trackers": ("wandb",)}, SettingsError, "Logging to a tracker is off"),
    "model": ({"model": "qwen2.5-0.5b-instruct"}, ModelError, "trains nano alone"),
    "folder": ({"model": "/models/x"}, ModelError, "trains nano alone"),
    "data": ({"data": "/etc/passwd"}, DataError, "bundled texts"),
    "hub data": ({"data": "wikitext"}, DataError, "bundled texts"),
    "held out": ({"eval_data": "/etc/passwd"}, DataError, "bundled texts"),
    "kept text": ({"keep": "/etc/passwd"}, DataError, "bundled texts"),
}


@pytest.mark.parametrize("beyond", BEYOND.values(), ids=BEYOND)
def test_a_run_beyond_the_limits_is_refused_wherever_it_comes_from(
    beyond: tuple[dict[str, Any], type[UserError], str],
) -> None:
    settings, kind, said = beyond
    plan = preset("bitfit")
    asked = {"model": "nano", "data": DATA, **settings}
    with entered(ALICE):
        with pytest.raises(kind, match=said):
            checked_spec(**asked, plan=plan)
        record = make_spec(**asked, plan=plan.to_dict()).to_dict()
        with pytest.raises(kind, match=said):
            create_run(record, plan.to_dict())
    assert run_names() == []


def test_talking_and_taking_away_are_off_and_say_so(app: gr.Blocks) -> None:
    run = finished_run(ALICE)
    (runs_folder() / run / "delta.safetensors").write_bytes(b"x")
    functions = functions_of(app)
    side = {**SIDE, "run": run}
    with asked_by(ALICE):
        assert "off on this public" in functions["qr-talk"]["talk_state"]({"run": run})["why"]
        for component, name, asked in (
            ("qr-talk", "talk", {"run": run, "sides": [side], "sampling": {}}),
            ("qr-talk", "talk_written", {"number": 1}),
            ("qr-talk", "talk_stop", {}),
            ("qr-talk", "talk_vote", {"number": 1, "choice": "first"}),
            ("qr-take", "take", {"run": run, "kind": "merge"}),
            ("qr-take", "take_delta", {"run": run}),
            ("qr-take", "take_snippet", {"run": run}),
            ("qr-dial", "measure_dial", {"run": run}),
        ):
            answer = functions[component][name](asked)
            assert kind_of(answer) == "SettingsError", name
            assert "is off on this public dashboard" in answer["error"]["message"]


def test_clusters_are_off() -> None:
    record = make_spec(model="nano", data=DATA, plan={}).to_dict()
    with entered(ALICE), pytest.raises(SettingsError, match="cluster is off"):
        create_run(record, {}, by_hand="by a person")


def test_so_many_runs_may_wait_and_train() -> None:
    few = LIMITS.own_runs
    with entered(ALICE):
        for _ in range(few):
            create_run(SHORT, {})
        with pytest.raises(RunError, match=f"{few} runs may wait and train"):
            create_run(SHORT, {})
        with pytest.raises(RunError, match="this would be 4 more"):
            make_comparison("nano", parse_plans("attention,bitfit"), data=DATA, steps=2)
    with entered(BOB):
        create_run(SHORT, {})
    others = LIMITS.runs - few - 1
    for n in range(others):
        with entered(Visit(f"visitor {n}", LIMITS)):
            create_run(SHORT, {})
    with entered(BOB), pytest.raises(RunError, match="all visitors together"):
        create_run(SHORT, {})


def test_programs_may_not_be_permitted(app: gr.Blocks) -> None:
    with asked_by(ALICE), pytest.raises(SettingsError, match="off on this public dashboard"):
        visits.refuse("Launching by a program")
    buttons = [b for b in app.blocks.values() if str(b.elem_id).endswith("-permit")]
    assert len(buttons) == 3
    assert not any(button.visible for button in buttons)


# --- the cookie ---


def test_a_cookie_names_the_visitor() -> None:
    async def who(request: Request) -> JSONResponse:
        return JSONResponse(request.scope[KEY].visitor)

    routes = [Route("/", who), Route("/gradio_api/call", who, methods=["POST"])]
    app = Visitors(Starlette(routes=routes), LIMITS, framed=False)
    first, second = TestClient(app), TestClient(app)
    assert first.post("/gradio_api/call").json() == ""  # before the page was opened
    one, other = first.get("/").json(), second.get("/").json()
    assert one != other
    assert len(one) == 32
    assert first.post("/gradio_api/call").json() == first.get("/").json() == one
    token = first.cookies[COOKIE]
    assert visitor_of(token) == one
    assert token not in one
    for wrong in ("x", "alice", one, token + "x"):
        headers = {"cookie": f"{COOKIE}={wrong}"}
        assert TestClient(app).post("/gradio_api/call", headers=headers).json() != one
    set_cookie = TestClient(app).get("/").headers["set-cookie"]
    assert "HttpOnly" in set_cookie
    assert "SameSite=Lax" in set_cookie
    framed = TestClient(Visitors(Starlette(routes=routes), LIMITS, framed=True)).get("/")
    assert "SameSite=None; Secure; Partitioned" in framed.headers["set-cookie"]


# --- what is cleared away ---


def aged(path: Path, seconds: float) -> None:
    for file in [*path.rglob("*"), path]:
        os.utime(file, (time.time() - seconds,) * 2)


def test_old_runs_and_what_visitors_left_are_removed(tmp_path: Path) -> None:
    old, new = finished_run(ALICE), finished_run(BOB)
    uploads = tmp_path / "gradio"
    for folder in (home() / "uploads" / "alice", home() / "plans" / "alice", uploads / "abc"):
        folder.mkdir(parents=True)
        (folder / "file").write_text("x", encoding="utf-8")
        aged(folder, LIMITS.kept_seconds + 60)
    (home() / "uploads" / "bob").mkdir()
    aged(runs_folder() / old, LIMITS.kept_seconds + 60)
    Housekeeper(LIMITS, uploads).round()
    assert run_names() == [new]
    assert [p.name for p in (home() / "uploads").iterdir()] == ["bob"]
    assert list(uploads.iterdir()) == list((home() / "plans").iterdir()) == []


def test_the_oldest_goes_where_there_is_too_much(tmp_path: Path) -> None:
    old, new = finished_run(ALICE), finished_run(BOB)
    for run, age in ((old, 100), (new, 10)):
        (runs_folder() / run / "delta.safetensors").write_bytes(b"\0" * 200_000)
        aged(runs_folder() / run, age)
    Housekeeper(replace(LIMITS, kept_bytes=300_000), tmp_path / "gradio").round()
    assert run_names() == [new]


@pytest.mark.usefixtures("step_worker")
def test_a_run_that_trains_too_long_is_stopped(tmp_path: Path) -> None:
    with entered(ALICE):
        run = start(make_spec(**{**SHORT, "steps": 200, "plan": preset("bitfit").to_dict()}))
    with entered(None):
        housekeeper = Housekeeper(LIMITS, tmp_path / "gradio")
        housekeeper.round()
        assert not (runs_folder() / run / "stop").exists()
        housekeeper.round(time.time() + LIMITS.run_seconds + 1)
        assert wait(run)["status"] in {"stopped", "completed"}
