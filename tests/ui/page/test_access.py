"""Which requests pass, on the application as gradio makes it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from gradio.data_classes import BodyCSS
from gradio.routes import App
from starlette.datastructures import Headers
from starlette.testclient import TestClient

from qwen_ui.ui.page.access import AccessPolicy, host_name, is_loopback
from qwen_ui.ui.page.app import launch_options
from qwen_ui.ui.page.serving import Serving
from tests.helpers.built_app import built_app, in_a_loop

HOST = "127.0.0.1:7860"
OWN = {"origin": f"http://{HOST}", "sec-fetch-site": "same-origin"}
JSON = {"content-type": "application/json"}
CALL = "/gradio_api/component_server"
ATTACKS = {
    "a form of another site": {"origin": "http://evil.example", "content-type": "text/plain"},
    "a script of another site": {"origin": "http://evil.example", **JSON},
    "a page in a sandbox": {"origin": "null", **JSON},
    "another port of this machine": {"origin": "http://127.0.0.1:9999", **JSON},
    "another site that hides its origin": {"sec-fetch-site": "cross-site", **JSON},
    "another name of the same site": {"sec-fetch-site": "same-site", **JSON},
    "an origin that begins alike": {"origin": f"http://{HOST}.evil.example", **JSON},
    "an origin with a user": {"origin": f"http://{HOST}@evil.example", **JSON},
}


@pytest.fixture(scope="module")
def client() -> Iterator[TestClient]:
    blocks, options = built_app(), launch_options(Serving())["app_kwargs"]
    app = in_a_loop(lambda: App.create_app(blocks, app_kwargs=options))
    # `launch` takes it from the theme.
    app.get_blocks().config["body_css"] = BodyCSS(
        body_background_fill="white",
        body_background_fill_dark="black",
        body_text_color="black",
        body_text_color_dark="white",
    )
    with TestClient(app, base_url=f"http://{HOST}") as client:
        yield client


@pytest.mark.parametrize("headers", ATTACKS.values(), ids=ATTACKS)
def test_no_other_site_calls_or_uploads(client: TestClient, headers: dict[str, str]) -> None:
    for path in (CALL, "/gradio_api/upload", "/gradio_api/queue/join", "/gradio_api/cancel"):
        assert client.post(path, content=b"{}", headers=headers).status_code in {403, 415}, path
    if headers.get("content-type") == JSON["content-type"]:
        only = {key: value for key, value in headers.items() if key != "content-type"}
        for path in ("/gradio_api/queue/data?session_hash=x", "/config", "/gradio_api/info"):
            assert client.get(path, headers=only).status_code == 403, path


@pytest.mark.parametrize(
    "host", ["evil.example", "evil.example:7860", "127.0.0.1.evil.example", "", "a b", "::1"]
)
def test_a_rebound_name_reads_nothing(client: TestClient, host: str) -> None:
    for path in ("/", "/config", "/assets/index.js", "/gradio_api/info"):
        answer = client.get(path, headers={"host": host})
        assert answer.status_code == 421, path
        assert "--allow-host" in answer.text
    assert client.post(CALL, json={}, headers={"host": host}).status_code == 421


def test_two_hosts_are_no_host() -> None:
    headers = Headers(raw=[(b"host", b"localhost"), (b"host", b"evil.example")])
    refusal = AccessPolicy().refusal("GET", "/", headers)
    assert refusal is not None
    assert refusal.status == 421


@pytest.mark.parametrize("kind", ["text/plain", "application/x-www-form-urlencoded", "", "json"])
def test_a_body_that_a_form_could_send_is_refused(client: TestClient, kind: str) -> None:
    headers = {**OWN, "content-type": kind}
    assert client.post(CALL, content=b"{}", headers=headers).status_code == 415
    # Without a length too: in chunks.
    assert client.post(CALL, content=iter([b"{}"]), headers=headers).status_code == 415


@pytest.mark.parametrize(
    "path",
    [
        "/gradio_api/file=http://127.0.0.1:1/x",
        "/gradio_api/file=https%3A//127.0.0.1/x",
        "/gradio_api/file=HTTP://127.0.0.1/x",
        "/gradio_api/file=//127.0.0.1/x",
        "/gradio_api/file=%2F%2F127.0.0.1/x",
        "/gradio_api/file/http://127.0.0.1/x",
        "/gradio_api/proxy=http://127.0.0.1:1/x",
        "/gradio_api/run/predict",
        "/gradio_api/dev/reload",
        "/gradio_api/vibe-code",
        "/gradio_api/run-history/records",
        "/gradio_api/deep_link",
        "/gradio_api/token",
        "/gradio_api/openapi.json",
        "/monitoring",
        "/docs",
        "/openapi.json",
        "/svelte/x",
        "/pwa_icon",
    ],
)
def test_what_the_page_does_not_use_is_closed(client: TestClient, path: str) -> None:
    assert client.get(path, headers=OWN).status_code == 404
    assert client.post(path, json={}, headers=OWN).status_code == 404


def test_the_page_itself_passes(client: TestClient) -> None:
    page = client.get("/", headers={"sec-fetch-site": "cross-site"})  # a link from elsewhere
    assert page.status_code == 200
    assert "frame-ancestors 'none'" in page.headers["content-security-policy"]
    assert page.headers["x-content-type-options"] == "nosniff"
    assert "window.gradio_config" in page.text
    assert client.get("/config", headers=OWN).status_code == 200
    wrong = client.post(CALL, json={"data": None}, headers=OWN)
    assert wrong.status_code not in {403, 404, 415, 421}
    # A program sends neither Origin nor Sec-Fetch-Site.
    assert client.get("/config").status_code == 200


def test_every_answer_is_marked(client: TestClient) -> None:
    for path in ("/config", "/assets/none.js", "/docs"):
        headers = client.get(path, headers=OWN).headers
        assert headers["x-content-type-options"] == "nosniff", path
        assert "default-src 'self'" in headers["content-security-policy"], path


def test_names_and_origins_that_were_given_pass() -> None:
    policy = AccessPolicy(frozenset({"gpu-box"}), frozenset({"https://demo.example.org"}))

    def status(host: str, origin: str) -> int:
        headers = Headers({"host": host, "origin": origin, **JSON, "content-length": "2"})
        refusal = policy.refusal("POST", CALL, headers)
        return refusal.status if refusal else 200

    assert status("gpu-box:7860", "http://gpu-box:7860") == 200
    assert status("localhost", "https://demo.example.org") == 200
    assert status("GPU-BOX", "https://gpu-box") == 200  # the proxy ends TLS
    assert status("gpu-box", "http://other") == 403
    assert status("other", "http://other") == 421


def test_host_names() -> None:
    assert host_name("Name.example:8000") == "name.example"
    assert host_name("[::1]:80") == "[::1]"
    for wrong in ("", "a:b", "a:123456", "a/b", "u@a", "::1"):
        assert host_name(wrong) is None
    assert all(
        is_loopback(name) for name in ("127.0.0.1", "127.1.2.3", "::1", "[::1]", "Localhost")
    )
    assert not any(is_loopback(name) for name in ("0.0.0.0", "::", "10.0.0.1", "gpu-box", ""))


def test_mcp_s_route_is_open_where_it_was_asked_for_and_guarded_as_the_rest() -> None:
    def status(path: str, *, mcp: bool = True, method: str = "POST", **headers: str) -> int:
        given = Headers({"host": HOST, "content-length": "2", **JSON} | headers)
        refusal = AccessPolicy(mcp=mcp).refusal(method, path, given)
        return refusal.status if refusal else 200

    for path in ("/gradio_api/mcp", "/gradio_api/mcp/"):
        assert status(path) == 200
        assert status(path, method="GET", accept="text/event-stream") == 200
        assert status(path, mcp=False) == 404
        assert status(path, origin="http://evil.example") == 403
        assert status(path, method="GET", origin="http://evil.example") == 403
        assert status(path, host="evil.example") == 421
    for path in ("/gradio_api/mcp/sse", "/gradio_api/mcp/messages/", "/gradio_api/mcp/schema"):
        assert status(path) == 404
