"""The whole demonstration by an MCP client: only the permit is a person's click on the page."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable, Coroutine, Iterator
from concurrent.futures import ThreadPoolExecutor
from importlib import import_module
from typing import Any

import pytest
from gradio_client import Client  # type: ignore[import-untyped]
from playwright.sync_api import Page, expect

from tests.browser.conftest import Dashboard

pytestmark = [pytest.mark.browser, pytest.mark.slow]
MODEL = "qwen2.5-1.5b-instruct"
PATIENCE_SECONDS = 240
Call = Callable[..., Coroutine[Any, Any, dict[str, Any]]]


class Refused(Exception):
    """A tool answered with an error."""


@pytest.fixture(scope="module")
def dashboard(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Dashboard]:
    pytest.importorskip("mcp")
    folder = tmp_path_factory.mktemp("programs")
    server = Dashboard(folder / "home", folder / "dashboard.log", "--mcp")
    server.start()
    yield server
    server.stop()


def over_mcp(url: str, work: Callable[[Call], Coroutine[Any, Any, Any]]) -> Any:
    """What `work` gives, connected as an MCP client; in a thread, since Playwright has its loop."""
    session_class = import_module("mcp").ClientSession
    connect = import_module("mcp.client.streamable_http").streamable_http_client

    async def run() -> Any:
        async with (
            connect(f"{url}gradio_api/mcp/") as (reading, writing, _),
            session_class(reading, writing) as session,
        ):
            await session.initialize()

            async def call(name: str, **arguments: Any) -> dict[str, Any]:
                answer = await session.call_tool(name, arguments)
                text = answer.content[0].text
                if answer.isError:
                    raise Refused(text)
                found: dict[str, Any] = json.loads(text)
                return found

            call.session = session  # type: ignore[attr-defined]
            return await work(call)

    with ThreadPoolExecutor(1) as pool:
        return pool.submit(lambda: asyncio.run(run())).result(PATIENCE_SECONDS + 60)


def permit_on_the_compare_tab(page: Page) -> str:
    """A person sets a short comparison and allows a program to launch it."""
    page.get_by_role("tab", name="Compare").click()
    page.get_by_label("Steps").locator("visible=true").first.fill("3")
    page.get_by_label("Seeds").fill("1")
    page.locator("#qc-find-rates input").uncheck()
    page.locator("#qc-permit").click()
    token = page.locator("#qc-permit-token").get_by_role("textbox")
    expect(token).not_to_have_value("")
    return token.input_value()


@pytest.mark.long
def test_an_mcp_client_does_the_demonstration(page: Page, dashboard: Dashboard) -> None:
    token = permit_on_the_compare_tab(page)

    async def demonstrate(call: Call) -> dict[str, Any]:
        assert MODEL in (await call("list_models"))["models"]
        plans = {}
        for plan, trains in (("attention", 22_028_288), ("bitfit", 8_192)):
            found = await call("resolve_plan", model=MODEL, plan=plan, layers="last:4")
            assert found["trainable_parameters"] == trains
            price = await call("price_step", model=MODEL, plan=plan, layers="last:4")
            assert price["flops_step"] < price["full"]["flops_step"]
            plans[plan] = price["optimizer_bytes"]
        assert plans["bitfit"] < plans["attention"]
        preview = await call("preview_data", data="kjv-train.txt")
        assert preview["sequences"][0]["tokens_in_loss"] > 0

        permitted = await call("permitted_settings", token=token)
        settings = json.dumps(permitted["settings"])
        altered = settings.replace('"steps": 3', '"steps": 4')
        assert altered != settings
        for wrong_token, wrong_settings in (
            (token, altered),
            (token + "x", settings),
            ("qwen-ui-once-foreign", settings),
        ):
            with pytest.raises(Refused, match=r"not the settings|not made by this dashboard"):
                await call("launch_comparison", token=wrong_token, settings=wrong_settings)
        assert (await call("list_runs"))["total"] == 0

        launched = await call("launch_comparison", token=token, settings=settings)
        with pytest.raises(Refused, match="This token is used"):
            await call("launch_comparison", token=token, settings=settings)
        deadline = time.monotonic() + PATIENCE_SECONDS
        while time.monotonic() < deadline:
            read = await call("read_comparison", comparison=launched["comparison"])
            if all(run["status"] == "completed" for run in read["runs"]):
                return read
            await asyncio.sleep(1)
        raise AssertionError(read)

    read = over_mcp(dashboard.url, demonstrate)
    assert [run["plan"] for run in read["runs"]] == ["attention on last:4", "bitfit on last:4"]
    assert "on one seed" in read["verdict"]
    assert "nats per token" in read["verdict"]


def test_the_tools_are_typed_and_described(dashboard: Dashboard) -> None:
    async def listed(call: Call) -> Any:
        return (await call.session.list_tools()).tools  # type: ignore[attr-defined]

    tools = {tool.name: tool for tool in over_mcp(dashboard.url, listed)}
    price = tools["price_step"]
    assert price.description.startswith("What one training step of a plan costs")
    properties = price.inputSchema["properties"]
    assert properties["batch_size"] | {"description": ""} == {
        "type": "integer",
        "default": 8,
        "description": "",
    }
    assert price.inputSchema["required"] == ["model", "plan"]


@pytest.mark.long
def test_gradio_s_client_reads_and_launches(page: Page, dashboard: Dashboard) -> None:
    client = Client(dashboard.url, verbose=False)

    def call(name: str, **asked: Any) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(client.predict(api_name=f"/{name}", **asked))
        return found

    assert call("inspect_model", model=MODEL)["total_parameters"] == 1_543_714_304
    page.get_by_role("tab", name="Train").click()
    page.get_by_label("Steps").locator("visible=true").first.fill("2")
    expect(page.locator("#qt-launch")).to_be_enabled()
    page.locator("#qt-permit").click()
    box = page.locator("#qt-permit-token").get_by_role("textbox")
    expect(box).not_to_have_value("")
    permitted = call("permitted_settings", token=box.input_value())
    assert permitted["settings"]["optimization"]["steps"] == 2
    settings = json.dumps(permitted["settings"])
    run = call("launch_training", token=box.input_value(), settings=settings)["run"]
    deadline = time.monotonic() + PATIENCE_SECONDS
    while call("read_run", run=run)["status"] != "completed":
        assert time.monotonic() < deadline, call("read_run", run=run)
        time.sleep(0.5)
    assert len(call("read_run", run=run)["losses"]) == 2
    with pytest.raises(Exception, match="This token is used"):
        call("launch_training", token=box.input_value(), settings=settings)
