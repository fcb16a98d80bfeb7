"""Values show themselves in a notebook; names that look like HTML stay text."""

from __future__ import annotations

from dataclasses import replace
from importlib import import_module
from importlib.util import find_spec
from xml.etree import ElementTree

from qwen_ui.freeze import FreezePlan, estimate_cost, preset, resolve
from qwen_ui.library import RunList, find_run
from qwen_ui.markup import Grid, table, view
from qwen_ui.model import Anatomy
from qwen_ui.paths import runs_folder
from qwen_ui.rank import Ranking
from qwen_ui.rank.scores import Scores
from qwen_ui.runs import RunWriter, create_run, run_rows

HOSTILE = "<img src=x onerror=alert(1)>"


def shown(value: object) -> str:
    """The HTML that a notebook would show, which has to be well formed."""
    html = value._repr_html_()  # type: ignore[attr-defined]
    if find_spec("IPython") is not None:
        formatter = import_module("IPython.core.formatters").DisplayFormatter()
        formats, _ = formatter.format(value)
        assert formats["text/html"] == html
    ElementTree.fromstring(html)
    assert "<img" not in html
    return str(html)


def test_a_model_shows_its_kinds(qwen: Anatomy) -> None:
    html = shown(qwen)
    assert "1,543,714,304 parameters in 338 tensors, 28 blocks" in html
    assert "model.embed_tokens.weight and lm_head.weight are one tensor." in html
    assert html.count("<tr>") == 1 + len(qwen.kinds)


def test_a_selection_shows_where_it_trains(qwen: Anatomy) -> None:
    html = shown(resolve(preset("bitfit", layers="last:4"), qwen))
    root = ElementTree.fromstring(html)
    frozen, trains = (e for e in root.iter("{http://www.w3.org/2000/svg}path"))
    assert trains.get("d", "").count("M") == 3 * 4
    assert frozen.get("d", "").count("M") == 12 * 28 - 3 * 4
    assert "8,192" in html


def test_a_price_shows_its_figures(qwen: Anatomy) -> None:
    selection = resolve(preset("attention"), qwen)
    cost = estimate_cost(qwen, selection, batch_size=4, sequence_length=512)
    assert f"{cost.flops_step:,}" in shown(cost)
    assert "8.12 TFLOP" in shown(cost)


def test_hostile_names_stay_text(qwen: Anatomy) -> None:
    kind = next(p for p in qwen.parameters if p.kind == "self_attn.q_proj.bias")
    renamed = tuple(replace(p, kind=HOSTILE) if p.kind == kind.kind else p for p in qwen.parameters)
    hostile = replace(qwen, parameters=renamed, source=HOSTILE, notes=(HOSTILE,))
    plan = FreezePlan(name=HOSTILE, rules=preset("bitfit").rules)
    scores = Scores((1.0, 0.0), {}, ())
    for value in (
        hostile,
        resolve(plan, hostile),
        Ranking(HOSTILE, "gradient", scores, 1, (HOSTILE,)),
    ):
        assert "&lt;img" in shown(value)


def test_runs_show_themselves_before_and_after_their_end() -> None:
    folder = create_run({"model": HOSTILE, "steps": 2}, {"name": HOSTILE})
    run = find_run(folder.name)
    assert "queued" in shown(run)
    with RunWriter(folder) as writer:
        writer.event("step", step=1, loss=2.5, elapsed=0.1, tokens=10)
        writer.event("step", step=2, loss=2.25, elapsed=0.2, tokens=20)
        writer.status("failed", reason=HOSTILE)
    assert "&lt;img" in shown(run)
    assert "&lt;img" in shown(RunList(run_rows(runs_folder())))
    assert run.status == "failed"


def test_what_is_long_says_what_is_left_out() -> None:
    html = view("x", tables=[table(("n",), [(n,) for n in range(100)])])
    assert "and 40 more" in html


def test_a_picture_of_too_many_cells_is_left_out() -> None:
    many = Grid(tuple(map(str, range(200))), 200, frozenset({(0, 0)}), frozenset())
    assert "<svg" not in view("x", grid=many)
