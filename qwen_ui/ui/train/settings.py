"""The fields of the Train tab's form: what every run needs in sight, the rest in groups below."""

from __future__ import annotations

import importlib.util
from dataclasses import dataclass, fields
from typing import Any, get_args

import gradio as gr

from qwen_ui.runs import Tracker, setting_choices, setting_field, setting_label
from qwen_ui.ui.page import CHAT, KJV, OWN, keep_fields, own_columns, own_file, render
from qwen_ui.workers import cores

PROMPTS = "And it came to pass\nIn the beginning"


@dataclass(frozen=True, slots=True)
class Settings:
    """The fields, named as the settings of a run.

    The uploads and the percentages are the form's own; `sample_prompts` is one text.
    """

    data: gr.Radio
    upload: gr.File
    eval_upload: gr.File
    columns: gr.Textbox
    keep: gr.Dropdown
    keep_upload: gr.File
    validation_percent: gr.Number
    steps: gr.Number
    learning_rate: gr.Number
    batch_size: gr.Number
    sequence_length: gr.Number
    schedule: gr.Dropdown
    warmup_percent: gr.Number
    weight_decay: gr.Number
    gradient_clip: gr.Number
    gradient_accumulation_steps: gr.Number
    optimizer: gr.Dropdown
    packing: gr.Checkbox
    seed: gr.Number
    eval_every: gr.Number
    eval_tokens: gr.Number
    early_stopping_patience: gr.Number
    checkpoint_every: gr.Number
    sample_prompts: gr.Textbox
    prefix: gr.Dropdown
    gradient_checkpointing: gr.Checkbox
    optimizer_offload: gr.Checkbox
    dtype: gr.Dropdown
    mixed_precision: gr.Dropdown
    device: gr.Dropdown
    processes: gr.Dropdown
    sharded: gr.Checkbox
    trackers: gr.CheckboxGroup

    def components(self) -> list[Any]:
        return [getattr(self, field.name) for field in fields(self)]


@dataclass(frozen=True, slots=True)
class Form:
    """The settings, and what stands between them.

    Attributes:
        settings: the fields.
        data_note: what the own file's columns were taken for, or what is wrong with it.
        verdict: how much data there is, and what a sequence cuts off.
        preview: the tokens of some sequences.
        first: the place of the first of them.
        back, on: show the sequences before them and after them.
        find_rate: starts the learning-rate finder.
        rate_note: what it found.
    """

    settings: Settings
    data_note: gr.HTML
    verdict: gr.HTML
    preview: gr.HTML
    first: gr.State
    back: gr.Button
    on: gr.Button
    find_rate: gr.Button
    rate_note: gr.HTML


def installed_trackers() -> list[str]:
    """Those of accelerate's trackers that can be used here."""
    return [name for name in get_args(Tracker) if importlib.util.find_spec(name) is not None]


def build_form() -> Form:
    """All fields, in the order in which a person fills them in."""
    made: dict[str, Any] = {}
    made["data"] = gr.Radio([KJV, CHAT, OWN], value=KJV, label="Data", elem_id="qt-data")
    made["upload"] = own_file("Training data", "qt-upload")
    made["columns"] = own_columns("qt-columns")
    data_note = gr.HTML("", apply_default_css=False, elem_id="qt-data-note")
    verdict = gr.HTML("", apply_default_css=False, elem_id="qt-verdict")
    made["eval_upload"] = own_file(
        "Evaluation data (default: a part is held out)", "qt-eval-upload"
    )
    with gr.Accordion("What the model will see", open=False, elem_id="qt-preview"):
        preview = gr.HTML("", apply_default_css=False)
        with gr.Row():
            back = gr.Button("Earlier", size="sm", interactive=False, min_width=80)
            on = gr.Button("Later", size="sm", interactive=False, min_width=80)
    made["keep"], made["keep_upload"] = keep_fields("qt")
    with gr.Row():
        made["steps"] = _whole("steps", 60, 1)
        made["batch_size"] = _whole("batch_size", 8, 1)
    with gr.Row():
        made["sequence_length"] = _whole("sequence_length", 128, 2)
        made["learning_rate"] = gr.Number(
            None, label=setting_label("learning_rate"), min_width=86, elem_id="qt-rate"
        )
    find_rate = gr.Button(
        setting_label("learning_rate_finder"),
        size="sm",
        variant="secondary",
        elem_id="qt-find-rate",
    )
    rate_note = gr.HTML("", apply_default_css=False)
    with gr.Accordion("More settings", open=False):
        _optimizer(made)
        _checks(made)
        _machine(made)
    first = gr.State(0)
    return Form(
        Settings(**made), data_note, verdict, preview, first, back, on, find_rate, rate_note
    )


def _optimizer(made: dict[str, Any]) -> None:
    _heading("Optimizer and data")
    with gr.Row():
        made["schedule"] = _choice("schedule")
        made["warmup_percent"] = gr.Number(10, label="Warmup, % of steps", minimum=0, min_width=86)
    with gr.Row():
        made["weight_decay"] = _number("weight_decay", 0.0)
        made["gradient_clip"] = _number("gradient_clip", 1.0)
    with gr.Row():
        made["gradient_accumulation_steps"] = _whole("gradient_accumulation_steps", 1, 1)
        made["seed"] = _whole("seed", 0, 0)
    made["optimizer"] = _choice("optimizer")
    made["packing"] = gr.Checkbox(False, label=setting_label("packing"), container=False)


def _checks(made: dict[str, Any]) -> None:
    _heading("Evaluation and checkpoints (in steps; 0: never)")
    with gr.Row():
        made["eval_every"] = _whole("eval_every", 20, 0)
        made["checkpoint_every"] = _whole("checkpoint_every", 0, 0)
    with gr.Row():
        made["early_stopping_patience"] = _whole("early_stopping_patience", 0, 0)
        made["validation_percent"] = gr.Number(
            None,
            label=f"{setting_label('validation_split')}, %",
            placeholder="automatic",
            minimum=0,
            maximum=100,
            min_width=86,
        )
    made["eval_tokens"] = _whole("eval_tokens", setting_field("eval_tokens").default, 0)
    made["sample_prompts"] = gr.Textbox(
        PROMPTS,
        label=f"{setting_label('sample_prompts')}, one per line",
        max_length=8000,
        lines=2,
        max_lines=8,
    )


def _machine(made: dict[str, Any]) -> None:
    _heading("Machine")
    with gr.Row():
        made["device"] = _choice("device")
        made["processes"] = gr.Dropdown(
            [1], value=1, label=setting_label("processes"), min_width=90, interactive=cores() > 1
        )
    with gr.Row():
        made["dtype"] = _choice("dtype")
        made["mixed_precision"] = _choice("mixed_precision")
    made["prefix"] = _choice("prefix")
    for name in ("gradient_checkpointing", "optimizer_offload"):
        made[name] = gr.Checkbox(False, label=setting_label(name), container=False)
    made["sharded"] = gr.Checkbox(
        False, label=setting_label("sharded"), container=False, visible=False
    )
    found = installed_trackers()
    made["trackers"] = gr.CheckboxGroup(
        found, value=[], label=setting_label("trackers"), visible=bool(found), elem_id="qt-trackers"
    )


def _heading(text: str) -> None:
    gr.HTML(render("train/heading.html", text=text), apply_default_css=False)


def _whole(name: str, value: int, least: int) -> gr.Number:
    return gr.Number(value, label=setting_label(name), precision=0, minimum=least, min_width=86)


def _number(name: str, value: float) -> gr.Number:
    return gr.Number(value, label=setting_label(name), minimum=0, min_width=90)


def _choice(name: str) -> gr.Dropdown:
    choices = setting_choices(name)
    assert choices is not None, name
    return gr.Dropdown(list(choices), value=choices[0], label=setting_label(name), min_width=90)
