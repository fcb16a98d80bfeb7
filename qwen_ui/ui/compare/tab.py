"""The Compare tab: several plans on the same data, one verdict; by one click for the two of old."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Any

import gradio as gr

from qwen_ui.freeze import TOP_LAYERS, FreezePlan
from qwen_ui.rank import METHODS
from qwen_ui.ui.compare.asking import (
    CHOICES,
    CLASSIC,
    Asked,
    asked_comparison,
    begin_comparison,
    classic_plans,
    columns_of,
    latest_name,
    plans_asked,
    ticked_plans,
)
from qwen_ui.ui.compare.rank import asked_of, plan_used, ranked_plans, ranking_view
from qwen_ui.ui.compare.view import comparison_view
from qwen_ui.ui.page import (
    BAR,
    CHAT,
    KJV,
    OWN,
    QUIET,
    Header,
    PermitButton,
    Session,
    build_launch_state,
    build_permit_button,
    check_choice,
    guarded,
    keep_fields,
    kept_files,
    mount_point,
    mounted_by,
    own_columns,
    own_file,
    paragraph,
    refused,
    runs_html,
    shown_with_own,
    trained_model,
    wire_keep,
    wire_permit_button,
)

_TERMS = "Same model, data, order, seeds and steps; each plan at its own learning rate."
_FIND = "Find each plan's learning rate first, by short runs"


@dataclass(frozen=True, slots=True)
class CompareTab:
    """The tab's components.

    Attributes:
        classic: the one primary button.
        trains: which model would run.
        asked: what another tab asks to compare the plan in force with.
        others: holds the plans to tick.
        permit, ticked_permit: let a program launch what `classic` and `ticked` would.
        ticked: compares the plans that are ticked in `plans`.
        score: shows how every method scores the blocks.
        by_rank: compares the top blocks by index with the top blocks by each ticked score.
        data_note: what the own file's columns were taken for, or what is wrong with it.
        view: the comparison, drawn by `static/comparison.js`; its value is the comparison's name.
    """

    classic: gr.Button
    trains: gr.HTML
    asked: gr.HTML
    others: gr.Accordion
    permit: PermitButton
    plans: gr.CheckboxGroup
    layers: gr.Textbox
    data: gr.Radio
    upload: gr.File
    columns: gr.Textbox
    data_note: gr.HTML
    keep: gr.Dropdown
    keep_upload: gr.File
    steps: gr.Number
    seeds: gr.Number
    find_rates: gr.Checkbox
    ticked: gr.Button
    ticked_permit: PermitButton
    methods: gr.CheckboxGroup
    score: gr.Button
    by_rank: gr.Button
    view: gr.HTML
    ranking: gr.HTML


def build(session: Session) -> CompareTab:
    """The tab's components, not yet connected."""
    with gr.Row(elem_id="qc-main"):
        with gr.Column(elem_id="qc-form", scale=0):
            gr.HTML(paragraph(_TERMS, "qc-note"))
            data = gr.Radio([KJV, CHAT, OWN], value=KJV, label="Data", elem_id="qc-data")
            upload = own_file("Training data; a part is held out", "qc-upload")
            columns = own_columns("qc-columns")
            data_note = gr.HTML("", apply_default_css=False, elem_id="qc-data-note")
            keep, keep_upload = keep_fields("qc")
            with gr.Row():
                steps = gr.Number(60, label="Steps", precision=0, minimum=1, min_width=100)
                seeds = gr.Number(2, label="Seeds", precision=0, minimum=1, min_width=100)
            find_rates = gr.Checkbox(True, label=_FIND, container=False, elem_id="qc-find-rates")
            asked = gr.HTML(
                "",
                html_template=mount_point("qc-asked"),
                js_on_load=mounted_by("compare/asked.js", fires_input=True),
                apply_default_css=False,
                elem_id="qc-asked",
            )
            with gr.Accordion("Other plans", open=False, elem_id="qc-others") as others:
                plans = gr.CheckboxGroup(list(CHOICES), value=list(CLASSIC), label="Plans")
                layers = gr.Textbox(TOP_LAYERS, label="Blocks", max_length=200)
                ticked = gr.Button("Compare these plans", elem_id="qc-ticked")
                ticked_permit = build_permit_button("qc-ticked-permit", session)
            with gr.Accordion("By index or by rank", open=False):
                methods = gr.CheckboxGroup(
                    list(METHODS), value=list(METHODS), label="Top four blocks by score"
                )
                by_rank = gr.Button("Compare by index and by rank", elem_id="qc-rank")
                score = gr.Button("Show the scores", elem_id="qc-score")
            permit = build_permit_button("qc-permit", session)
        with gr.Column(elem_id="qc-side"):
            view = comparison_view("qc-view")
            ranking = ranking_view("qc-ranking")
    with gr.Row(elem_id="qc-bar", elem_classes=BAR):
        classic = gr.Button(
            "Attention-only vs BitFit", variant="primary", elem_id="qc-classic", min_width=200
        )
        build_launch_state("qc-launched", ["qc-classic", "qc-ticked", "qc-rank"], "qc-view")
        trains = gr.HTML("", apply_default_css=False, elem_id="qc-trains")
    return CompareTab(
        classic,
        trains,
        asked,
        others,
        permit,
        plans,
        layers,
        data,
        upload,
        columns,
        data_note,
        keep,
        keep_upload,
        steps,
        seeds,
        find_rates,
        ticked,
        ticked_permit,
        methods,
        score,
        by_rank,
        view,
        ranking,
    )


def wire(tab: CompareTab, header: Header, session: Session) -> None:
    """Connect the buttons to comparisons."""

    @guarded
    def on_classic(source: str, *settings: Any) -> str:
        return begin_comparison(session, source, classic_plans(), Asked(*settings))

    def classic_settings(source: str, *settings: Any) -> dict[str, Any]:
        return asked_comparison(session, source, classic_plans(), Asked(*settings))

    def ticked_settings(
        source: str, plan: FreezePlan, ticked: list[str], layers: str, *settings: Any
    ) -> dict[str, Any]:
        plans = ticked_plans(ticked, layers, plan)
        return asked_comparison(session, source, plans, Asked(*settings))

    @guarded
    def on_ticked(
        source: str, plan: FreezePlan, ticked: list[str], layers: str, *settings: Any
    ) -> str:
        plans = ticked_plans(ticked, layers, plan)
        return begin_comparison(session, source, plans, Asked(*settings))

    @guarded
    def on_score(source: str, data: str, upload: str | None, columns: str) -> str:
        model, training = trained_model(session, source), kept_files(data, upload)[0]
        return asked_of(model, training, columns_of(data, columns))

    @guarded
    def on_rank(source: str, methods: list[str], *settings: Any) -> tuple[str, str]:
        asked = Asked(*settings)
        model, training = trained_model(session, source), kept_files(asked.data, asked.upload)[0]
        by_hand = columns_of(asked.data, asked.columns)
        plans = ranked_plans(model, training, methods, by_hand)
        return begin_comparison(session, source, plans, asked), asked_of(model, training, by_hand)

    @guarded
    def on_data(
        source: str, data: str, upload: str | None, columns: str, keep: str, keep_upload: str | None
    ) -> tuple[Any, ...]:
        checked = check_choice(
            session, source, data, upload, columns, keep=keep, keep_upload=keep_upload
        )
        return checked.text, *(gr.Button(interactive=checked.usable) for _ in buttons)

    chosen: list[Any] = [tab.data, tab.upload, tab.columns]
    kept: list[Any] = [tab.keep, tab.keep_upload]
    settings = [*chosen, *kept, tab.steps, tab.seeds, tab.find_rates]
    buttons = [tab.classic, tab.ticked, tab.by_rank, tab.score]
    tab.asked.input(guarded(plans_asked), tab.asked, [tab.plans, tab.layers, tab.others], **QUIET)
    launched = partial(refused, elem_id="qc-launched")
    launched(tab.classic.click(on_classic, [header.model, *settings], tab.view, **QUIET))
    header.follow(tab.trains, lambda source, _: runs_html(session, source), of_plan=False)
    permit = partial(wire_permit_button, session=session, kind="comparison")
    permit(tab.permit, settings_of=classic_settings, inputs=[header.model, *settings])
    permit(
        tab.ticked_permit,
        settings_of=ticked_settings,
        inputs=[header.model, header.plan, tab.plans, tab.layers, *settings],
    )
    launched(
        tab.ticked.click(
            on_ticked,
            [header.model, header.plan, tab.plans, tab.layers, *settings],
            tab.view,
            **QUIET,
        )
    )
    tab.score.click(on_score, [header.model, *chosen], tab.ranking, **QUIET)
    launched(
        tab.by_rank.click(
            on_rank,
            [header.model, tab.methods, *settings],
            [tab.view, tab.ranking],
            api_visibility="private",
        )
    )
    tab.ranking.input(guarded(plan_used), tab.ranking, header.plan, **QUIET)
    wire_keep(header, session, tab.data, tab.keep, tab.keep_upload)
    tab.data.change(shown_with_own, tab.data, [tab.upload, tab.columns], **QUIET)
    gr.on(
        [header.model.change, *(component.change for component in (*chosen, *kept))],
        on_data,
        [header.model, *chosen, *kept],
        [tab.data_note, *buttons],
        trigger_mode="always_last",
        **QUIET,
    )
    header.found_again.append((tab.view, lambda asked: asked.get("comparison") or latest_name()))
