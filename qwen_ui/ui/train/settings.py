"""The fields of the Train tab's form: what every run needs in sight, the rest in groups below."""

from __future__ import annotations

import importlib.util
from dataclasses import dataclass, fields
from typing import Any

import gradio as gr

from qwen_ui.ui.page import CHAT, KJV, OWN, own_file, render
from qwen_ui.workers import cores

TRACKERS = ("tensorboard", "trackio", "wandb", "mlflow")
PROMPTS = "And it came to pass\nIn the beginning"


@dataclass(frozen=True, slots=True)
class Settings:
    """The fields, named as in `RunSpec`.

    `upload`, `eval_upload`, `held_out`, `prompts` and `warmup` are the form's own.
    """

    data: gr.Radio
    upload: gr.File
    eval_upload: gr.File
    held_out: gr.Number
    steps: gr.Number
    learning_rate: gr.Number
    batch_size: gr.Number
    sequence_length: gr.Number
    schedule: gr.Dropdown
    warmup: gr.Number
    weight_decay: gr.Number
    gradient_clip: gr.Number
    accumulation: gr.Number
    packing: gr.Checkbox
    seed: gr.Number
    eval_every: gr.Number
    early_stopping: gr.Number
    checkpoint_every: gr.Number
    prompts: gr.Textbox
    prefix_cache: gr.Dropdown
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
        preview: the tokens of the first sequences.
        find_rate: starts a learning-rate range test.
        rate_note: what the test found.
    """

    settings: Settings
    preview: gr.HTML
    find_rate: gr.Button
    rate_note: gr.HTML


def installed_trackers() -> list[str]:
    """Those of accelerate's trackers that can be used here."""
    return [name for name in TRACKERS if importlib.util.find_spec(name) is not None]


def build_form() -> Form:
    """All fields, in the order in which a person fills them in."""
    made: dict[str, Any] = {}
    made["data"] = gr.Radio([KJV, CHAT, OWN], value=KJV, label="Data", elem_id="qt-data")
    made["upload"] = own_file("Training data: .txt, .jsonl, .json, .csv or .parquet", "qt-upload")
    made["eval_upload"] = own_file(
        "Evaluation data (default: a part is held out)", "qt-eval-upload"
    )
    with gr.Accordion("What the model will see", open=False, elem_id="qt-preview"):
        preview = gr.HTML("", apply_default_css=False)
    with gr.Row():
        made["steps"] = _whole(60, "Steps", 1)
        made["batch_size"] = _whole(8, "Batch size", 1)
    with gr.Row():
        made["sequence_length"] = _whole(128, "Sequence length", 2)
        made["learning_rate"] = gr.Number(
            None, label="Learning rate", min_width=86, elem_id="qt-rate"
        )
    find_rate = gr.Button(
        "Learning-rate finder", size="sm", variant="secondary", elem_id="qt-find-rate"
    )
    rate_note = gr.HTML("", apply_default_css=False)
    with gr.Accordion("More settings", open=False):
        _optimizer(made)
        _checks(made)
        _machine(made)
    return Form(Settings(**made), preview, find_rate, rate_note)


def _optimizer(made: dict[str, Any]) -> None:
    _heading("Optimizer and data")
    with gr.Row():
        made["schedule"] = _choice(["cosine", "linear", "constant"], "Schedule")
        made["warmup"] = gr.Number(10, label="Warmup, % of steps", minimum=0, min_width=86)
    with gr.Row():
        made["weight_decay"] = gr.Number(0.0, label="Weight decay", minimum=0, min_width=90)
        made["gradient_clip"] = gr.Number(1.0, label="Gradient clip", minimum=0, min_width=90)
    with gr.Row():
        made["accumulation"] = _whole(1, "Gradient accumulation steps", 1)
        made["seed"] = _whole(0, "Seed", 0)
    made["packing"] = gr.Checkbox(
        False, label="Pack short samples together (without attention between them)", container=False
    )


def _checks(made: dict[str, Any]) -> None:
    _heading("Evaluation and checkpoints (in steps; 0: never)")
    with gr.Row():
        made["eval_every"] = _whole(20, "Evaluate every", 0)
        made["checkpoint_every"] = _whole(0, "Checkpoint every", 0)
    with gr.Row():
        made["early_stopping"] = _whole(0, "Early stopping patience", 0)
        made["held_out"] = gr.Number(
            5, label="Validation split, %", minimum=0, maximum=100, min_width=86
        )
    made["prompts"] = gr.Textbox(
        PROMPTS, label="Sample prompts, one per line", max_length=8000, lines=2, max_lines=8
    )


def _machine(made: dict[str, Any]) -> None:
    _heading("Machine")
    with gr.Row():
        made["device"] = _choice(["auto", "cpu", "cuda", "mps"], "Device")
        made["processes"] = gr.Dropdown(
            [1], value=1, label="Processes", min_width=90, interactive=cores() > 1
        )
    with gr.Row():
        made["dtype"] = _choice(["auto", "float32", "bfloat16"], "Dtype")
        made["mixed_precision"] = _choice(["no", "bf16"], "Mixed precision")
    made["prefix_cache"] = _choice(["auto", "off"], "Cache frozen blocks' outputs")
    made["sharded"] = gr.Checkbox(
        False, label="Shard the weights (FSDP2)", container=False, visible=False
    )
    found = installed_trackers()
    made["trackers"] = gr.CheckboxGroup(
        found, value=[], label="Also log to", visible=bool(found), elem_id="qt-trackers"
    )


def _heading(text: str) -> None:
    gr.HTML(render("train/heading.html", text=text), apply_default_css=False)


def _whole(value: int, label: str, least: int) -> gr.Number:
    return gr.Number(value, label=label, precision=0, minimum=least, min_width=86)


def _choice(choices: list[str], label: str) -> gr.Dropdown:
    return gr.Dropdown(list(choices), value=choices[0], label=label, min_width=90)
