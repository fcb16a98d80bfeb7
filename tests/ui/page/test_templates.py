"""All HTML comes from templates, and no text that came from outside is read as HTML."""

from __future__ import annotations

import ast
import json
import re
from dataclasses import astuple, replace
from pathlib import Path

import pytest
import torch
from jinja2 import UndefinedError
from torch import nn

from qwen_ui.errors import UserError
from qwen_ui.freeze import FreezePlan
from qwen_ui.markup import Series, chart, environment, render
from qwen_ui.model import Anatomy, open_model
from qwen_ui.model.dataflow import Dataflow, Part
from qwen_ui.model.difference import Difference, Row
from qwen_ui.paths import DOCS, runs_folder
from qwen_ui.runs import RunWriter, annotate, create_run, run_rows
from qwen_ui.ui.freeze.selector import shell
from qwen_ui.ui.inspect import block_diagram
from qwen_ui.ui.inspect.detail import detail_html
from qwen_ui.ui.inspect.more import difference_html
from qwen_ui.ui.page.facts import facts_html
from qwen_ui.ui.page.guard import message
from qwen_ui.ui.page.guides import guide_html
from qwen_ui.ui.page.header import summary_html
from qwen_ui.ui.page.modules import read_modules
from qwen_ui.ui.page.serving import public_limits
from qwen_ui.ui.page.session import Session
from qwen_ui.ui.page.templates import mount_point, paragraph, script
from qwen_ui.ui.runs.report import report
from qwen_ui.ui.train.form import intent
from qwen_ui.ui.train.preview import shown_data
from qwen_ui.ui.train.price import Needs, price_html

PACKAGE = Path(__file__).resolve().parents[3] / "qwen_ui"
HOSTILE = "<img src=x onerror=alert(1)>"
ESCAPED = "&lt;img src=x onerror=alert(1)&gt;"
# What is no HTML of ours: the end of a script element that is looked for, plotly's hover texts.
MAY_HOLD_TAGS = {"ui/page/templates.py", "ui/inspect/figures.py"}
# `<index>` and its like stand for a word in a sentence.
TAG = re.compile(
    r"</\w|<!doctype|<(?!index|kind)[a-z][a-z0-9]*(?: [a-z-]+=[^>]*)?/?>", re.IGNORECASE
)


def texts_of(file: Path) -> list[str]:
    """The literal texts of a file, those inside f-strings too; no docstrings."""
    tree = ast.parse(file.read_text(encoding="utf-8"))
    docstrings = {
        id(node.body[0].value)
        for node in ast.walk(tree)
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef)
        and node.body
        and isinstance(node.body[0], ast.Expr)
    }
    return [
        node.value
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant)
        and isinstance(node.value, str)
        and id(node) not in docstrings
    ]


def test_no_python_file_writes_html() -> None:
    found = {
        str(file.relative_to(PACKAGE)): text
        for file in sorted(PACKAGE.rglob("*.py"))
        for text in texts_of(file)
        if TAG.search(text)
    }
    assert found.keys() == MAY_HOLD_TAGS, found


def test_only_messages_are_escaped_by_hand() -> None:
    """gradio reads its messages as HTML, and they come from no template."""
    imports = re.compile(
        r"^\s*(?:import html\b|from html import|from markupsafe import.*escape)", re.M
    )
    escaping = {
        str(file.relative_to(PACKAGE))
        for file in sorted(PACKAGE.rglob("*.py"))
        if imports.search(file.read_text(encoding="utf-8"))
    }
    assert escaping == {"ui/page/guard.py"}
    assert ESCAPED in str(message(UserError(HOSTILE)))


def test_a_value_that_is_left_out_is_an_error() -> None:
    with pytest.raises(UndefinedError):
        render("page/paragraph.html", text="x")


def test_numbers_are_written_as_everywhere_and_keep_their_units() -> None:
    made = environment().from_string(
        "{{ n | exact }} {{ n | short_count }} {{ n | short_bytes }} {{ s | percent }}"
    )
    written = "22,028,288 22.0~M 22.0~MB 1.43~%".replace("~", "\N{NO-BREAK SPACE}")
    assert made.render(n=22_028_288, s=0.01427) == written


def test_a_script_cannot_end_its_element() -> None:
    head = render(
        "page/head.html",
        style="",
        first=script("'</script>'"),
        languages={"x": {"name": "</script>"}},
        base="b/",
        language="page/x.js",
        preloaded=[],
    )
    assert head.count("</script>") == 4


class Block(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.add_module(HOSTILE, nn.Linear(4, 4))
        self.inner = nn.Module()
        self.inner.register_parameter(HOSTILE, nn.Parameter(torch.zeros(4)))
        self.inner.register_parameter("weight", nn.Parameter(torch.zeros(4, 4)))


@pytest.fixture(scope="module")
def hostile() -> Anatomy:
    """A model whose name, modules, classes and tensors have hostile names."""
    model = nn.Module()
    block = type(HOSTILE, (Block,), {})
    model.layers = nn.ModuleList([block(), block()])
    return replace(open_model(model), source=HOSTILE)


def runs_report() -> str:
    names = []
    for number in range(2):
        spec = {"model": HOSTILE, "steps": 1, "data": HOSTILE, "learning_rate": number}
        folder = create_run(spec, {"name": HOSTILE})
        annotate(folder.name, name=HOSTILE)
        with RunWriter(folder) as run:
            run.event("start", step=0, steps=1)
            run.event("eval", step=0, loss=6.0)
            run.event("step", step=1, loss=5.0, elapsed=1.0, tokens=8)
            run.event("sample", step=1, prompt=HOSTILE, text=f"</script>{HOSTILE}")
            run.status("completed", step=1)
        names.append(folder.name)
    return report(names, run_rows(runs_folder()))


def compare_report() -> str:
    drawn = chart(HOSTILE, [Series(HOSTILE, [1, 2], [1.0, 2.0], "#000000", [0.1, 0.1])],
                  x_title=HOSTILE, y_title=HOSTILE)  # fmt: skip
    return render(
        "compare/report.html",
        title=HOSTILE,
        verdict=HOSTILE,
        setup=HOSTILE,
        drawings=[drawn],
        columns=[HOSTILE],
        rows=[[HOSTILE]],
        legend=HOSTILE,
        samples=[{"plan": HOSTILE, "prompt": HOSTILE, "before": HOSTILE, "after": HOSTILE}],
        notes=[HOSTILE],
        failures=[{"plan": HOSTILE, "seed": 0, "status": "failed", "reason": HOSTILE}],
    )


def previewed(session: Session, tmp_path: Path) -> str:
    file = tmp_path / "data.jsonl"
    file.write_text(json.dumps({"prompt": HOSTILE, "completion": HOSTILE}), encoding="utf-8")
    seen = shown_data(session, "nano", str(file), 256, True).tokens
    # Every token is an element of its own: none of them begins one.
    assert re.search(r'qt-token[^>]*">&lt;', seen)
    return seen + shown_data(session, "nano", HOSTILE, 8, False).tokens


def inspected(hostile: Anatomy) -> list[str]:
    flow = Dataflow((Part("inner", ()), Part(HOSTILE, ("inner",))), traced=True)
    names = [module.name for module in hostile.modules]
    names += [name for parameter in hostile.parameters for name in parameter.names]
    lists = [(HOSTILE, [HOSTILE, HOSTILE])]
    rows = (Row(HOSTILE, HOSTILE, ""),)
    return [
        facts_html(hostile),
        hostile._repr_html_(),
        *(detail_html(hostile, name) for name in names if HOSTILE in name),
        detail_html(hostile, "layers.0", fold=True),
        block_diagram._Drawing(hostile, "layers.0", flow).svg(),
        difference_html(hostile, hostile, Difference(rows, rows, False)),
        render(
            "inspect/weights.html", sentence=HOSTILE, bytes_read=1, files=1, lists=lists, most=1
        ),
        render("inspect/values.html", pairs=[(HOSTILE, HOSTILE)], bars=[("1", "2")]),
    ]


def test_no_hostile_text_is_read_as_html(hostile: Anatomy, tmp_path: Path) -> None:
    environment.cache_clear()  # so that its templates are those of this test
    session = Session()
    wrong = FreezePlan.from_dict({"schema": 1, "rules": [{"regex": HOSTILE}]})
    launch = {"model": HOSTILE, "stands_in_for": HOSTILE, "summary": HOSTILE, "source": HOSTILE}
    with_hostile = [
        *inspected(hostile),
        summary_html(session, "nano", wrong),
        render("page/summary.html", problem="", trains=True, text=HOSTILE),
        render("page/waiting.html", text=HOSTILE),
        paragraph(HOSTILE, "qt-note"),
        previewed(session, tmp_path),
        intent(session, HOSTILE, wrong, 60, 8).text,
        render("train/intent.html", problem="", rate="0.1", **launch),
        render("train/machines.html", folder=HOSTILE),
        render("page/runs.html", model=HOSTILE, stands_in_for=HOSTILE),
        render("train/heading.html", text=HOSTILE),
        render("page/data_mistakes.html", mistakes=[HOSTILE, HOSTILE], count=3),
        runs_report(),
        compare_report(),
    ]
    shells = (
        "page/brand.html",
        "freeze/edits.html",
        "inspect/shell.html",
        "inspect/heading.html",
        "page/switches.html",
    )
    ours = [
        shell(),
        mount_point("x"),
        *astuple(read_modules().additions),
        guide_html(DOCS / "freeze.md"),
        price_html(Needs(2e9, HOSTILE), 1e9, 2, HOSTILE),
        render("page/public.html", limits=public_limits()),
        *(render(name) for name in shells),
    ]
    unseen = [text[:300] for text in with_hostile if ESCAPED not in text]
    assert not unseen
    assert not [text for text in with_hostile + ours if "<img" in text.replace("\n", "")]
    rendered = {name for _, name in environment().cache or ()}
    assert rendered == {
        f"{f.parent.parent.name}/{f.name}"
        for pattern in ("ui/*/templates/*", "markup/templates/*")
        for f in PACKAGE.glob(pattern)
    }
