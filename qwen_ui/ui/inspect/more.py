"""What lies below the tree: pictures, a second model, weights, and the report."""

from __future__ import annotations

import re
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import gradio as gr

from qwen_ui.errors import UserError
from qwen_ui.files import parse_json
from qwen_ui.model import Difference, compare_models, preset_models
from qwen_ui.model.weights import MEASURES
from qwen_ui.ui.inspect.weights import weights_html
from qwen_ui.ui.page import (
    QUIET,
    Header,
    Session,
    build_figure,
    figure_value,
    guarded,
    paragraph,
    render,
)

if TYPE_CHECKING:
    from qwen_ui.model import Anatomy

# plotly cannot read the page's CSS variables; the page says which theme it shows.
_IS_DARK = "(...args) => [...args.slice(0, -1), document.body.classList.contains('dark')]"
_PICK_ONE = "Choose a second model above (a preset, a folder, or a hub id) to see what differs."
_SCALES = ("one scale for all kinds", "each kind on its own scale")


@dataclass(frozen=True, slots=True)
class More:
    """The components below the tree.

    Attributes:
        dark: whether the page is dark, told by the browser.
        treemap, bars: where the parameters are.
        other: the second model; difference: what differs.
        tools, measure, scale, weigh: what to measure of the weights, and how to colour it;
        measured: what is said of them; weights: their heat map.
        write, report, download: the inspection report.
    """

    dark: gr.Checkbox
    treemap: gr.HTML
    bars: gr.HTML
    other: gr.Dropdown
    difference: gr.HTML
    tools: gr.Row
    measure: gr.Dropdown
    scale: gr.Dropdown
    weigh: gr.Button
    measured: gr.HTML
    weights: gr.HTML
    write: gr.Button
    report: gr.Markdown
    download: gr.DownloadButton


def build(session: Session) -> More:
    """The components, not yet connected."""
    # A gr.State's value never leaves the server; a component that is not drawn takes the answer.
    dark = gr.Checkbox(False, visible=False)
    gr.HTML(render("inspect/heading.html"), apply_default_css=False)
    with gr.Tabs(elem_id="qi-more", overflow_behavior="wrap"):
        with gr.Tab("Where the parameters are", id="where"), gr.Row():
            treemap = build_figure("qi-treemap", name="Parameters by role and kind")
            bars = build_figure("qi-bars", name="Parameters of every block, by role")
        with gr.Tab("Two models", id="two"):
            with gr.Row():
                other = gr.Dropdown(
                    choices=list(preset_models()),
                    value=None,
                    allow_custom_value=session.limits is None,
                    label="Second model: a preset, a folder, or a hub id"
                    if session.limits is None
                    else "Second model: one of the bundled ones",
                    show_label=False,
                    container=False,
                    elem_id="qi-other",
                    scale=0,
                    min_width=300,
                )
            difference = gr.HTML(paragraph(_PICK_ONE, "qi-wait"), apply_default_css=False)
        with gr.Tab("Weights", id="weights"):
            measured = gr.HTML("", apply_default_css=False)
            with gr.Row(visible=False) as tools:
                measure = gr.Dropdown(
                    choices=list(MEASURES),
                    value=MEASURES[0],
                    show_label=False,
                    container=False,
                    label="What to measure",
                    elem_id="qi-measure",
                    scale=0,
                    min_width=240,
                )
                scale = gr.Dropdown(
                    choices=list(_SCALES),
                    value=_SCALES[0],
                    show_label=False,
                    container=False,
                    label="Colour scale",
                    elem_id="qi-scale",
                    scale=0,
                    min_width=240,
                )
                weigh = gr.Button("Measure", elem_id="qi-weigh", size="sm", scale=0, min_width=120)
            weights = build_figure("qi-heat", name="The weights by kind and block", visible=False)
        with gr.Tab("Report", id="report"):
            with gr.Row():
                write = gr.Button(
                    "Write the inspection report",
                    elem_id="qi-write",
                    size="sm",
                    scale=0,
                    min_width=230,
                )
                download = gr.DownloadButton(
                    "Download as Markdown", visible=False, size="sm", scale=0, min_width=200
                )
            # The document that is downloaded, which is English (docs/language.md).
            report = gr.Markdown("", elem_id="qi-report", elem_classes="notranslate")
    return More(
        dark,
        treemap,
        bars,
        other,
        difference,
        tools,
        measure,
        scale,
        weigh,
        measured,
        weights,
        write,
        report,
        download,
    )


def wire(more: More, header: Header, session: Session, tree: gr.HTML) -> None:
    """Connect the components; each follows the model.

    Args:
        tree: its `drawn` says that a model's tree is on screen. The pictures wait for it, because
            plotly takes the browser's one thread for half a second.
    """

    @guarded
    def draw(followed: str, dark: bool) -> tuple[Any, Any]:
        from qwen_ui.ui.inspect.figures import block_bars, parameter_treemap  # noqa: PLC0415  loads plotly

        anatomy = session.anatomy(parse_json(followed)["source"])
        treemap = parameter_treemap(anatomy, dark=dark)
        return figure_value(treemap), figure_value(block_bars(anatomy, dark=dark))

    @guarded
    def compare(source: str, other: str | None) -> str:
        return differences(source, other)

    def differences(source: str, other: str | None) -> str:
        if not source or not (other or "").strip():
            return paragraph(_PICK_ONE, "qi-wait")
        left, right = session.anatomy(source), session.anatomy(str(other).strip())
        return difference_html(left, right, compare_models(left, right))

    @guarded
    def on_model(source: str, other: str | None) -> tuple[Any, ...]:
        """(what differs, what is said of the weights, their tools, their map, report, download)"""
        try:
            differs = differences(source, other)
        except UserError as error:
            differs = paragraph(str(error), "qi-wait")
        anatomy = session.anatomy(source)
        at_hand = anatomy.weights_folder is not None
        weights = (weights_html(anatomy), gr.Row(visible=at_hand), gr.HTML(visible=False))
        return differs, *weights, "", gr.DownloadButton(visible=False)

    @guarded
    def weigh(source: str, measure: str, scale: str, dark: bool) -> Any:
        from qwen_ui.model.weights import measure_weights  # noqa: PLC0415  loads torch
        from qwen_ui.ui.inspect.figures import weight_heatmap  # noqa: PLC0415  loads plotly

        grid = measure_weights(session.anatomy(source), measure)
        figure = weight_heatmap(grid, dark=dark, by_kind=scale == _SCALES[1])
        return gr.HTML(figure_value(figure), visible=True)

    @guarded
    def write(source: str) -> tuple[str, Any]:
        from qwen_ui.report import inspection_report  # noqa: PLC0415  loads torch

        anatomy = session.anatomy(source)
        text = inspection_report(anatomy).markdown
        return text, gr.DownloadButton(value=str(report_file(anatomy, text)), visible=True)

    model = header.model
    tree.drawn(draw, [tree, more.dark], [more.treemap, more.bars], js=_IS_DARK, **QUIET)
    more.other.change(compare, [model, more.other], more.difference, **QUIET)
    model.change(
        on_model,
        [model, more.other],
        [
            *(more.difference, more.measured, more.tools, more.weights),
            *(more.report, more.download),
        ],
        **QUIET,
    )
    more.weigh.click(
        weigh,
        [model, more.measure, more.scale, more.dark],
        more.weights,
        js=_IS_DARK,
        api_visibility="private",
        concurrency_id="weigh",
    )
    more.write.click(write, model, [more.report, more.download], api_visibility="private")


def difference_html(left: Anatomy, right: Anatomy, found: Difference) -> str:
    """Two tables, facts and kinds; what differs stands out and comes with a word."""
    names = {"left": left.source, "right": right.source}
    return render("inspect/difference.html", **names, found=found)


def report_file(anatomy: Anatomy, text: str) -> Path:
    """The report as a file in a folder of its own, for the browser to fetch."""
    name = re.sub(r"[^\w.-]+", "-", anatomy.source).strip("-.") or "model"
    folder = Path(tempfile.mkdtemp(prefix="qwen-ui-report-"))
    file = folder / f"{name[-80:]}-inspection.md"
    file.write_text(text, encoding="utf-8")
    return file
