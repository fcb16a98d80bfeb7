"""What programs may ask of a dashboard. Plain functions; their docstrings are what a program reads.

Names of files stay inside: data are the bundled texts, or what was uploaded to this dashboard.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict
from typing import Any

from qwen_ui.compare import comparison_record, latest_comparison, read_comparison
from qwen_ui.errors import PlanError, RunError, SettingsError
from qwen_ui.files import parse_json
from qwen_ui.freeze import (
    FreezePlan,
    Selection,
    StepSettings,
    preset,
    preset_plans,
    resolve,
)
from qwen_ui.freeze.lint import lint_record, lint_text
from qwen_ui.library import freeze_record, inspect_record
from qwen_ui.model import DEFAULT_MODEL, NANO, preset_models
from qwen_ui.paths import runs_folder
from qwen_ui.runs import run_folder, run_rows, run_summary
from qwen_ui.ui.page import Permits, Session, data_named, data_names, data_preview, trained_model
from qwen_ui.ui.programs.launching import launch_permitted

Record = dict[str, Any]
MOST_LISTED = 200


def functions(session: Session, permits: Permits) -> tuple[Callable[..., Record], ...]:
    """All of them, for one dashboard."""

    def selection_of(model: str, plan: str, layers: str) -> Selection:
        return resolve(plan_from(plan, layers), session.anatomy(model))

    def list_models() -> Record:
        """List the models that need no network: `models`, which one is the default, which trains.

        Other functions take these names, and where this dashboard allows it also a folder or a
        Hugging Face hub id. `trains` is the small twin that is trained where a model has no weights
        here; plans made for the default model mean the same parameter names on it.
        """
        return {"models": list(preset_models()), "default": DEFAULT_MODEL, "trains": NANO}

    def list_plans() -> Record:
        """List the preset plans, the forms of layer expressions, and the bundled data by name.

        A plan says which parameters train. Give a preset's name and layers, or a plan's JSON as
        `resolve_plan` answers it.
        """
        layers = ["all", "none", "24-27", "0,4,8-11", "last:4", "first:4", "every:4"]
        return {"plans": list(preset_plans()), "layers": layers, "data": list(data_names())}

    def inspect_model(model: str) -> Record:
        """Open a model without its weights: parameters, blocks, kinds, tied tensors, bytes.

        Args:
            model: a name of `list_models`.
        """
        return inspect_record(session.anatomy(model))

    def resolve_plan(model: str, plan: str, layers: str = "") -> Record:
        """Which parameters a plan trains in a model: exact names, counts by block, warnings.

        Args:
            model: a name of `list_models`.
            plan: a preset's name (attention, bitfit, ...) or a plan as JSON text.
            layers: a layer expression such as last:4; empty for the preset's own.
        """
        return freeze_record(selection_of(model, plan, layers))

    def lint_selection(model: str, text: str, file: str = "") -> Record:
        """What another tool's selection trains in a model, entry by entry, and what is wrong.

        PEFT, LLaMA-Factory, ms-swift, Unsloth, Axolotl, Spectrum, torchtune, TRL, a plan, or names.
        Scripts are read and never run.

        Args:
            model: a name of `list_models`.
            text: of the tool's file.
            file: its name, which decides where the text leaves a doubt.
        """
        return lint_record(lint_text(text, session.anatomy(model), file))

    def price_step(
        model: str,
        plan: str,
        layers: str = "",
        batch_size: int = 8,
        sequence_length: int = 128,
        checkpointing: bool = False,
        keep_prefix: bool = True,
    ) -> Record:
        """What one training step of a plan costs: FLOPs and bytes, and beside it training all.

        Args:
            model: a name of `list_models`.
            plan: a preset's name or a plan as JSON text.
            layers: a layer expression; empty for the preset's own.
            batch_size: sequences per step.
            sequence_length: tokens per sequence.
            checkpointing: gradient checkpointing.
            keep_prefix: outputs of the frozen blocks below are cached.
        """
        from qwen_ui.freeze import full_cost  # noqa: PLC0415  loads torch
        from qwen_ui.freeze.cost import price  # noqa: PLC0415  loads torch

        selection = selection_of(model, plan, layers)
        settings = StepSettings(
            batch_size=batch_size,
            sequence_length=sequence_length,
            checkpointing=checkpointing,
            keep_prefix=keep_prefix,
        )
        full = full_cost(selection.anatomy, settings)
        return {**asdict(price(selection.anatomy, selection, settings)), "full": asdict(full)}

    def preview_data(data: str, model: str = NANO, sequence_length: int = 128) -> Record:
        """The first sequences of training data as a model gets them, and what is in the loss.

        Args:
            data: a name of `list_plans`, or the path of a file uploaded to this dashboard.
            model: the model whose tokenizer reads them.
            sequence_length: tokens per sequence.
        """
        trained = session.anatomy(trained_model(session, model))
        found = data_preview(trained, data_named(data), sequence_length)
        sequences = [
            {
                "source": one.where,
                "tokens": len(one.tokens),
                "tokens_in_loss": one.loss_tokens,
                "text": "".join(token.text for token in one.tokens),
                "text_in_loss": "".join(token.text for token in one.tokens if token.in_loss),
            }
            for one in found.sequences
        ]
        return {"sequences": sequences, "notes": list(found.notes)}

    def list_runs() -> Record:
        """List training runs, the newest first, at most 200: status, losses, plan, model."""
        rows = run_rows(runs_folder())
        return {"runs": rows[:MOST_LISTED], "total": len(rows)}

    def read_run(run: str) -> Record:
        """A run's status, its loss at every step, evaluation losses, speed and memory.

        Args:
            run: a name of `list_runs`.
        """
        return run_summary(run_folder(run))

    def read_comparison_of(comparison: str = "") -> Record:
        """A comparison: a row per plan, the verdict in a sentence, the paired difference by seed.

        Args:
            comparison: its name; empty for the latest.
        """
        found = read_comparison(comparison) if comparison else latest_comparison()
        if found is None:
            raise RunError("There is no comparison yet. Start one on the Compare tab.")
        return comparison_record(found)

    def permitted_settings(token: str) -> Record:
        """What a token permits, without using it up: `kind` and the exact `settings` to launch.

        Args:
            token: from a person, who made it on the page ("Allow a program to launch this once").
        """
        permit = permits.look_at(token)
        return {"kind": permit.kind, "settings": permit.settings}

    def launch_training(token: str, settings: str) -> Record:
        """Launch the training run that a person permitted; the token works once. Answers its name.

        Args:
            token: from a person, for a training.
            settings: as JSON text, exactly those of `permitted_settings`.
        """
        return launch_permitted(permits.use(token, "training", settings_from(settings)))

    def launch_comparison(token: str, settings: str) -> Record:
        """Launch the comparison that a person permitted; the token works once. Answers its name.

        Args:
            token: from a person, for a comparison.
            settings: as JSON text, exactly those of `permitted_settings`.
        """
        return launch_permitted(permits.use(token, "comparison", settings_from(settings)))

    # `read_comparison` is what programs call it; here that is the function which reads the file.
    read_comparison_of.__name__ = "read_comparison"
    return (
        *(list_models, list_plans, inspect_model, resolve_plan, lint_selection),
        *(price_step, preview_data),
        *(list_runs, read_run, read_comparison_of),
        *(permitted_settings, launch_training, launch_comparison),
    )


def plan_from(text: str, layers: str = "") -> FreezePlan:
    """A plan from a preset's name and layers, or from its JSON.

    Raises:
        PlanError: it is neither.
    """
    if not text.lstrip().startswith("{"):
        return preset(text.strip(), layers.strip() or None)
    if layers.strip():
        raise PlanError("A plan as JSON has blocks of its own. Leave `layers` empty.")
    return FreezePlan.from_json(text)


def settings_from(text: str) -> Record:
    """Settings from JSON text.

    Raises:
        SettingsError: it is none.
    """
    try:
        found = parse_json(text)
    except ValueError as error:
        raise SettingsError(f"The settings are not JSON ({error}).") from error
    if not isinstance(found, dict):
        raise SettingsError(f"The settings are not a JSON object: {json.dumps(found)[:80]}.")
    return found
