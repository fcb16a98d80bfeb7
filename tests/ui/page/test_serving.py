"""On which address the dashboard is served, and when it refuses to start."""

from __future__ import annotations

import subprocess
import sys
from importlib.metadata import PackageNotFoundError

import pytest

from qwen_ui.errors import SettingsError
from qwen_ui.paths import ASSETS
from qwen_ui.ui.page.serving import AUTH_VARIABLE, Serving, serving_from

LOGIN = {AUTH_VARIABLE: "me:secret:with:colons"}


def test_loopback_alone_by_default() -> None:
    serving = serving_from(None, environment={})
    assert serving.address == "127.0.0.1"
    assert serving.login is None
    assert serving.policy.framed_by == Serving().policy.framed_by == ()


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "10.1.2.3", "gpu-box"])
def test_no_other_address_without_a_login(host: str) -> None:
    for given, environment in ((host, {}), (None, {"GRADIO_SERVER_NAME": host})):
        with pytest.raises(SettingsError, match=rf"'{host}' can be reached.*{AUTH_VARIABLE}"):
            serving_from(given, environment=environment)
    assert serving_from(host, environment=LOGIN).login == ("me", "secret:with:colons")


def test_what_it_answers_to() -> None:
    assert serving_from("gpu-box", environment=LOGIN).policy.hosts == {"gpu-box"}
    assert serving_from("fe80::1", environment=LOGIN).policy.hosts == {"[fe80::1]"}
    everywhere = serving_from(
        "0.0.0.0",
        allowed_hosts=["Demo.example.org"],
        allowed_origins=["https://Demo.example.org/"],
        environment=LOGIN,
    )
    assert everywhere.policy.hosts == {"demo.example.org"}
    assert everywhere.policy.origins == {"https://demo.example.org"}


def test_a_space_is_reached_under_its_name_and_framed_by_the_hub_alone() -> None:
    space = {**LOGIN, "GRADIO_SERVER_NAME": "0.0.0.0", "SPACE_HOST": "me-qwen-ui.hf.space"}
    policy = serving_from(None, environment=space).policy
    assert policy.hosts == {"me-qwen-ui.hf.space"}
    assert policy.framed_by == ("https://huggingface.co",)


def test_a_public_dashboard_lets_anybody_in_within_limits() -> None:
    serving = serving_from("0.0.0.0", public=True, allowed_hosts=["demo.example"], environment={})
    assert serving.login is None
    assert serving.limits is not None
    assert serving.limits.trains == {"nano"}
    assert serving_from(None, environment={}).limits is None
    with pytest.raises(SettingsError, match="for programs on this machine"):
        serving_from(None, public=True, mcp=True, environment={})


def test_a_space_is_public_by_itself_unless_it_has_a_login() -> None:
    space = {"GRADIO_SERVER_NAME": "0.0.0.0", "SPACE_HOST": "me-qwen-ui.hf.space"}
    assert serving_from(None, environment=space).limits is not None
    assert serving_from(None, environment={**space, "SPACE_ID": "me/qwen-ui"}).limits is not None
    assert serving_from(None, environment={**space, **LOGIN}).limits is None


def test_mcp_is_off_unless_asked_for_and_for_this_machine_alone() -> None:
    assert not serving_from(None, environment={"GRADIO_MCP_SERVER": "true"}).policy.mcp
    with pytest.raises(SettingsError, match="for programs on this machine"):
        serving_from(None, mcp=True, environment=LOGIN)
    with pytest.raises(SettingsError, match="for programs on this machine"):
        serving_from("gpu-box", mcp=True, environment=LOGIN)


@pytest.mark.parametrize(("found", "fits"), [("1.30.0", True), ("2.3.0", False), (None, False)])
def test_mcp_needs_its_library(
    found: str | None, fits: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    def version(name: str) -> str:
        if found is None:
            raise PackageNotFoundError(name)
        return found

    monkeypatch.setattr("qwen_ui.ui.page.serving.version", version)
    if fits:
        assert serving_from(None, mcp=True, environment={}).policy.mcp
    else:
        with pytest.raises(SettingsError, match="pip install"):
            serving_from(None, mcp=True, environment={})


def test_what_cannot_be_one_is_refused() -> None:
    for login in ("me", "me:", ":secret"):
        with pytest.raises(SettingsError, match="USER:PASSWORD"):
            serving_from(None, environment={AUTH_VARIABLE: login})
    with pytest.raises(SettingsError, match="not a host name"):
        serving_from(None, allowed_hosts=["https://x"], environment={})
    for origin in ("demo.example.org", "https://x/path", "ftp://x"):
        with pytest.raises(SettingsError, match="not an origin"):
            serving_from(None, allowed_origins=[origin], environment={})


def test_the_program_says_it_and_does_not_start() -> None:
    command = [sys.executable, "app.py", "--host", "0.0.0.0", "--port", "1"]
    done = subprocess.run(
        command, cwd=ASSETS.parent, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 2
    assert "can be reached from other machines" in done.stderr
    assert "Traceback" not in done.stderr
