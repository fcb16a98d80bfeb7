"""The settings that a person gives -> a `RunSpec` that can run, or a message before launch."""

from __future__ import annotations

import importlib.util
from typing import TYPE_CHECKING, Any

from qwen_ui.data import check_data, data_path, parse_columns
from qwen_ui.errors import ModelError, PlanError, SettingsError
from qwen_ui.freeze import FreezePlan
from qwen_ui.limited import WARM, Limits
from qwen_ui.model import refuse_length
from qwen_ui.model.weights import check_weights, refuse_misfit, refuse_untrainable, weights_of
from qwen_ui.runs import RunSpec, make_spec
from qwen_ui.visits import admit_settings

if TYPE_CHECKING:
    from qwen_ui.model import Anatomy


# Reading 32 MiB of data and the headers of the weights, and as much again as opening takes.
CHECKING = Limits(seconds=60.0, memory=4 * 1024**3, patience=180.0)


def checked_spec(
    *,
    model: str,
    plan: FreezePlan,
    anatomy: Anatomy | None = None,
    within_limits: bool = False,
    **settings: Any,
) -> RunSpec:
    """The spec of a run, its model, plan and settings checked.

    Args:
        anatomy: of the model, where it is open already.
        within_limits: check in another process, as for a page that others use meanwhile.
        settings: the other settings, by their flat names (`runs.spec.SETTING_PLACES`).

    Raises:
        SettingsError: a setting is out of its range.
        UserError: as `check_spec`.
    """
    spec = make_spec(model=model, plan=plan.to_dict(), **settings)
    admit_settings(spec.flat())
    if within_limits:
        check_spec_within_limits(spec)
    elif anatomy is not None:
        check_spec(spec, anatomy)
    else:
        check_named_spec(spec)
    return spec


def check_spec_within_limits(spec: RunSpec) -> None:
    """As `check_spec`, in another process: model, weights, tokenizer and data may be anybody's.

    Raises:
        UserError: as `check_spec`; or it takes more than `CHECKING` allows.
    """
    admit_settings(spec.flat())
    WARM.run(
        "qwen_ui.engine.check_task:checked",
        {"record": spec.to_dict()},
        CHECKING,
        lambda why: SettingsError(
            f"The run cannot be checked: {why}. Use smaller data, or start it by "
            "`qwen-ui train`, which waits for as long as it takes."
        ),
    )


def check_named_spec(spec: RunSpec) -> None:
    """As `check_spec`, of the model that the spec names.

    Raises:
        UserError: as `check_spec`, and as `open_model`.
    """
    from qwen_ui.model import open_model  # noqa: PLC0415  imports torch

    check_spec(spec, open_model(spec.model.source))


def check_spec(spec: RunSpec, anatomy: Anatomy) -> None:
    """Refuse, before launch, a run that cannot train this model.

    Raises:
        ModelError: its weights are not on this machine, do not fit it, or are quantized; it needs
            more than text; a token of the data has no row in its embedding.
        PlanError: the plan trains nothing in this model, or nothing that LoRA adapts.
        SettingsError: a library that is asked for is missing, settings exclude each other, or
            sequences are too long.
        DataError: a file of data cannot be used.
    """
    from qwen_ui.freeze import resolve  # noqa: PLC0415

    selection = resolve(FreezePlan.from_dict(spec.plan), anatomy)
    _check_data(spec)
    if not selection.names:
        raise PlanError(
            "The plan trains nothing. Choose what trains first, for instance 'attention'."
        )
    if spec.model.lora_rank:
        from qwen_ui.engine.lora import adapted_modules, check_peft  # noqa: PLC0415  imports torch

        check_peft()
        adapted_modules(selection)
    _check_optimizer(spec)
    _check_prefix(spec)
    refuse_length(anatomy, spec.data.sequence_length)
    _refuse_encoder(anatomy)
    _refuse_images(anatomy)
    refuse_untrainable(anatomy)
    weights = weights_of(anatomy)
    refuse_untrainable(anatomy, weights)
    refuse_misfit(anatomy, check_weights(anatomy, weights))
    from qwen_ui.engine.split import refuse_unknown_tokens  # noqa: PLC0415  imports torch

    refuse_unknown_tokens(spec, anatomy)


def _check_optimizer(spec: RunSpec) -> None:
    """Refuse an optimizer that is not here, and settings of it that exclude each other."""
    eight_bit = spec.optimization.optimizer == "adamw_8bit"
    if eight_bit and importlib.util.find_spec("bitsandbytes") is None:
        raise SettingsError(
            "The 8-bit AdamW is bitsandbytes', which is not installed: pip install bitsandbytes, "
            "or choose the optimizer adamw."
        )
    offload = spec.resources.optimizer_offload
    ways = [
        *(["the 8-bit AdamW"] if eight_bit else []),
        *(["the optimizer's state in main memory"] if offload else []),
        *(["sharded weights"] if spec.resources.sharded else []),
    ]
    if len(ways) > 1:
        raise SettingsError(f"{' and '.join(ways)} exclude each other. Choose one of them.")


def _check_prefix(spec: RunSpec) -> None:
    """Refuse settings that exclude each other."""
    if spec.resources.prefix == "stream" and spec.resources.sharded:
        raise SettingsError(
            "Frozen blocks that are read one by one are never held, so that sharding the weights "
            "saves nothing of them. Turn sharded off, or set the prefix to keep."
        )


def _refuse_encoder(anatomy: Anatomy) -> None:
    """Refuse a model whose text goes through an encoder: its loss is of another kind."""
    if anatomy.encoder_decoder:
        raise ModelError(
            f"'{anatomy.source}' is an encoder with a decoder ({anatomy.model_type}); only "
            "decoders are trained here. Choose a causal language model."
        )


def _check_data(spec: RunSpec) -> None:
    """Read the data as far as that is quick; what `datasets` loads is left to the run."""
    parse_columns(spec.data.columns)
    if _is_file(spec.data.source):
        check_data(spec.data.source, spec.data.columns)
    held_out = spec.data.eval_data
    if held_out is not None and _is_file(held_out):
        check_data(held_out, spec.data.columns, required=False)
    if spec.data.keep is not None and _is_file(spec.data.keep):
        check_data(spec.data.keep, spec.data.columns, required=False)


def _is_file(source: str) -> bool:
    path = data_path(source)
    return path is not None and path.is_file()


def _refuse_images(anatomy: Anatomy) -> None:
    """Refuse a model whose forward pass cannot do without something beside the tokens (BLIP)."""
    from qwen_ui.model import needed_beside_tokens  # noqa: PLC0415  imports torch

    if needed := needed_beside_tokens(anatomy):
        raise ModelError(
            f"'{anatomy.source}' ({anatomy.model_type}) computes nothing from text alone: it needs "
            f"{', '.join(needed)}. Training here is on text; choose a model that takes it alone."
        )
