"""The Train tab: what trains, on what data, with which settings; launch, and watch the run."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any

import gradio as gr

from qwen_ui.freeze import FreezePlan
from qwen_ui.ui.charts import run_view
from qwen_ui.ui.guard import guarded
from qwen_ui.ui.header import Header
from qwen_ui.ui.session import Session
from qwen_ui.ui.train_form import (
    CHAT,
    KJV,
    OWN,
    device_words,
    intent,
    latest_run,
    model_to_train,
    spec_of,
)

FILE_TYPES = [".txt", ".jsonl", ".json", ".csv", ".parquet"]


@dataclass(frozen=True, slots=True)
class Settings:
    """The form's fields, named as in `RunSpec`; `upload` and `prompt` are the form's own."""

    data: gr.Radio
    upload: gr.File
    steps: gr.Number
    learning_rate: gr.Number
    batch_size: gr.Number
    sequence_length: gr.Number
    eval_every: gr.Number
    seed: gr.Number
    schedule: gr.Dropdown
    weight_decay: gr.Number
    gradient_clip: gr.Number
    prefix_cache: gr.Dropdown
    dtype: gr.Dropdown
    device: gr.Dropdown
    prompt: gr.Textbox

    def components(self) -> list[Any]:
        return [getattr(self, field.name) for field in fields(self)]


@dataclass(frozen=True, slots=True)
class TrainTab:
    """The tab's components.

    Attributes:
        what: which model trains, what of it, and the suggested rate.
        settings: the form.
        launch: the one primary button.
        view: the run, drawn by `assets/charts.js`; its value is the run's name.
    """

    what: gr.HTML
    settings: Settings
    launch: gr.Button
    view: gr.HTML


def build(session: Session) -> TrainTab:
    """The tab's components, not yet connected."""
    with gr.Row(elem_id="qt-main"):
        with gr.Column(elem_id="qt-form", scale=0):
            what = gr.HTML(
                '<p class="qt-what qt-note">Waiting for a model …</p>', elem_id="qt-what"
            )
            settings = _settings()
            launch = gr.Button("Launch", variant="primary", elem_id="qt-launch")
        with gr.Column(elem_id="qt-side"):
            view = run_view("qt-run")
    return TrainTab(what, settings, launch, view)


def _settings() -> Settings:
    data = gr.Radio([KJV, CHAT, OWN], value=KJV, label="Data", elem_id="qt-data")
    upload = gr.File(
        label="Upload .txt, .jsonl, .json, .csv or .parquet",
        file_types=FILE_TYPES,
        visible=False,
        elem_id="qt-upload",
        height=110,
    )
    with gr.Row():
        steps = gr.Number(60, label="Steps", precision=0, minimum=1, min_width=100)
        rate = gr.Number(None, label="Learning rate", min_width=100, elem_id="qt-rate")
    with gr.Row():
        batch = gr.Number(8, label="Batch size", precision=0, minimum=1, min_width=100)
        length = gr.Number(128, label="Sequence length", precision=0, minimum=2, min_width=100)
    with gr.Accordion("More settings", open=False):
        with gr.Row():
            every = gr.Number(20, label="Evaluate every", precision=0, minimum=0, min_width=90)
            seed = gr.Number(0, label="Seed", precision=0, minimum=0, min_width=90)
        with gr.Row():
            schedule = gr.Dropdown(
                ["cosine", "linear", "constant"], value="cosine", label="Schedule", min_width=90
            )
            decay = gr.Number(0.0, label="Weight decay", minimum=0, min_width=90)
        with gr.Row():
            clip = gr.Number(1.0, label="Gradient clip (0: off)", minimum=0, min_width=90)
            prefix = gr.Dropdown(["auto", "off"], value="auto", label="Kept prefix", min_width=90)
        with gr.Row():
            dtype = gr.Dropdown(
                ["auto", "float32", "bfloat16"], value="auto", label="Dtype", min_width=90
            )
            device = gr.Dropdown(
                ["auto", "cpu", "cuda", "mps"], value="auto", label="Device", min_width=90
            )
        prompt = gr.Textbox(
            "And it came to pass", label="Prompt of the samples", max_length=2000, lines=1
        )
    return Settings(
        data=data,
        upload=upload,
        steps=steps,
        learning_rate=rate,
        batch_size=batch,
        sequence_length=length,
        eval_every=every,
        seed=seed,
        schedule=schedule,
        weight_decay=decay,
        gradient_clip=clip,
        prefix_cache=prefix,
        dtype=dtype,
        device=device,
        prompt=prompt,
    )


def wire(tab: TrainTab, header: Header, session: Session) -> None:
    """Connect the form to the header's model and plan, and the button to a worker."""
    names = [field.name for field in fields(Settings)]

    @guarded
    def on_change(source: str, plan: FreezePlan, device: str) -> tuple[Any, ...]:
        found = intent(session, source, plan)
        launch = gr.Button(f"Launch on {device_words(device)}", interactive=found.rate is not None)
        return found.text, found.rate, launch

    @guarded
    def on_launch(source: str, plan: FreezePlan, *values: Any) -> str:
        from qwen_ui.train import launch

        form = dict(zip(names, values, strict=True))
        return launch.start(spec_of(form, model_to_train(session, source), plan))

    quiet: dict[str, Any] = {"show_progress": "hidden", "api_visibility": "private"}
    gr.on(
        [header.model.change, header.plan.change, tab.settings.device.change],
        on_change,
        [header.model, header.plan, tab.settings.device],
        [tab.what, tab.settings.learning_rate, tab.launch],
        trigger_mode="always_last",
        **quiet,
    )
    # Fires once after the page is loaded: the run that goes on is found again.
    header.model.change(lambda shown: shown or latest_run(), tab.view, tab.view, **quiet)
    tab.settings.data.change(
        lambda choice: gr.File(visible=choice == OWN),
        tab.settings.data,
        tab.settings.upload,
        **quiet,
    )
    tab.launch.click(
        on_launch,
        [header.model, header.plan, *tab.settings.components()],
        tab.view,
        **quiet,
    )
