"""The page's scripts: served by exact name, found by the import map, complete."""

from __future__ import annotations

import json
import re

import pytest
from starlette.applications import Starlette
from starlette.testclient import TestClient

from qwen_ui.ui.page.modules import LANGUAGE, OPENED, Modules, mounted_by, read_modules, styles
from tests.helpers.built_app import built_app

MODULES = read_modules()


@pytest.fixture
def client() -> TestClient:
    return TestClient(Starlette(routes=[MODULES.route]))


def test_a_module_is_served_as_it_is_and_kept_for_ever(client: TestClient) -> None:
    answer = client.get(f"/modules/{MODULES.version}/page/dom.js")
    assert answer.status_code == 200
    assert answer.text == MODULES.texts["page/dom.js"]
    assert answer.headers["content-type"].startswith("text/javascript")
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert "immutable" in answer.headers["cache-control"]


@pytest.mark.parametrize(
    "path",
    [
        "old/page/dom.js",
        "VERSION/page/none.js",
        "VERSION/page/static/dom.js",
        "VERSION/page/..%2fpage/dom.js",
        "VERSION/..%2f..%2fpage/app.py",
        "VERSION/page/base.css",
        "VERSION/",
        "VERSION",
        "",
    ],
)
def test_nothing_else_is_served(client: TestClient, path: str) -> None:
    assert client.get(f"/modules/{path.replace('VERSION', MODULES.version)}").status_code == 404


def test_nothing_is_written(client: TestClient) -> None:
    assert client.post(f"/modules/{MODULES.version}/page/dom.js").status_code == 405


def test_another_text_is_another_version() -> None:
    other = Modules({**MODULES.texts, "page/dom.js": ""})
    assert other.version != MODULES.version


def test_the_head_names_the_modules_before_anything_asks_for_one() -> None:
    names, rest = re.findall(
        r'<script type="importmap">(.*?)</script>(.*)', MODULES.additions.head, re.DOTALL
    )[0]
    base = f"./modules/{MODULES.version}/"
    assert json.loads(names) == {"imports": {"qwen/": base}}
    early = re.findall(r'<link rel="modulepreload" href="(.*?)">', rest)
    (links,) = re.findall(r"of (\[.*?\])\)", MODULES.additions.head_end)
    needed = MODULES.needed_by(OPENED)
    assert {"page/dom.js", "page/api.js"} <= needed
    needed |= MODULES.needed_by(LANGUAGE)
    fetched = [link.removeprefix(base) for link in (*early, *json.loads(links))]
    assert sorted(fetched) == sorted({OPENED, LANGUAGE, *needed})
    assert f'<script type="module" src="{base}{LANGUAGE}"></script>' in rest


def test_a_dictionary_is_served_and_named_before_the_first_script(client: TestClient) -> None:
    before, offered = re.findall(
        r'(.*?)<script type="application/json" id="q-languages">(.*?)</script>',
        MODULES.additions.head,
        re.DOTALL,
    )[0]
    assert "<script" not in before
    language = json.loads(offered)["zh-CN"]
    assert language["name"] == "简体中文"
    answer = client.get(language["file"].removeprefix("."))
    assert answer.headers["content-type"] == "application/json"
    assert answer.json()["language"] == language["name"]


@pytest.mark.parametrize("name", MODULES.texts)
def test_every_import_is_there_and_no_tab_imports_another(name: str) -> None:
    room = name.split("/")[0]
    for imported in MODULES.imports_of(name):
        assert imported in MODULES.texts
        assert imported.split("/")[0] in {room, "page"}


def test_every_component_mounts_a_module_that_is_there() -> None:
    scripts = [getattr(block, "js_on_load", None) or "" for block in built_app().blocks.values()]
    mounted = {name for script in scripts for name in re.findall(r'import\("qwen/(.*?)"\)', script)}
    assert mounted
    for name in mounted:
        assert re.search(r"^export const mount\b", MODULES.texts[name], re.MULTILINE), name


def test_a_component_s_input_event_is_offered_where_it_is_asked_for() -> None:
    assert "trigger('input')" in mounted_by("page/run_view.js", fires_input=True)
    assert "trigger" not in mounted_by("page/run_view.js")


def test_no_script_puts_anything_into_the_window() -> None:
    for name, text in MODULES.texts.items():
        assert "window.Qwen" not in text, name


def test_the_page_s_colours_come_before_what_uses_them() -> None:
    found = styles()
    assert "--q-accent:" in MODULES.additions.head
    assert "--q-accent:" not in found
    assert found.index(".qr-view") < found.index(".qc-view")


def media_rules() -> str:
    """What stands in the style sheets' media rules, without comments."""
    sheet = re.sub(r"/\*.*?\*/", "", styles(), flags=re.DOTALL)
    return "".join(re.findall(r"@media[^{]*\{((?:[^{}]*\{[^{}]*\})*)[^{}]*\}", sheet))


def test_no_selector_of_a_media_rule_has_a_comma_in_brackets() -> None:
    """gradio splits these at every comma and puts its own prefix before each piece."""
    selectors = re.findall(r"([^{}]+)\{", media_rules())
    assert len(selectors) > 100
    assert [one for one in selectors if re.search(r"\([^()]*,", one)] == []


def test_no_media_rule_is_for_what_stands_outside_gradio() -> None:
    """gradio binds these rules to its own container, and dialogs lie in the body."""
    outside = r"\.q-(?:dialog|help|palette|term|found)|(?<![\w-])(?:html|body)(?![\w-])"
    assert not re.search(outside, media_rules())
