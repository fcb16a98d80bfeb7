"""`RunSpec`: all settings of a run, checked, as one immutable value that a file can hold.

In a run's folder settings stand in groups. On the command line, in forms and as arguments they
stand flat, each by the name of its field.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Annotated, Any, Literal, get_args, get_origin

from pydantic import TypeAdapter, ValidationError
from pydantic.fields import FieldInfo

from qwen_ui.errors import SettingsError
from qwen_ui.files import parse_json_file, read_json
from qwen_ui.runs.former_settings import FORMER_SETTINGS, FORMER_VALUES, renamed
from qwen_ui.runs.spec_groups import (
    DataSettings,
    EvaluationSettings,
    ModelSettings,
    OptimizationSettings,
    ResourceSettings,
    Settings,
)

SPEC_NAME = "spec.json"
# Version 1 had no number and no groups, and other names for some settings; version 2 had another
# name for `prefix`.
SCHEMA = 3
# Of the learning-rate finder: no run that takes its rate sees the data in its order.
FINDER_SEED = 2_000_000_000


class RunSpec(Settings):
    """The settings of a run; each group says what it holds."""

    model: ModelSettings
    plan: dict[str, Any]
    """The freeze plan, as `FreezePlan.to_dict` gives it."""
    data: DataSettings
    optimization: OptimizationSettings
    evaluation: EvaluationSettings
    resources: ResourceSettings

    def flat(self) -> dict[str, Any]:
        """All settings by their flat names, with the plan."""
        groups = {name: getattr(self, group) for name, (group, _) in SETTING_PLACES.items()}
        found = {name: getattr(groups[name], field) for name, (_, field) in SETTING_PLACES.items()}
        return {"plan": self.plan, **found}

    def changed(self, **settings: Any) -> RunSpec:
        """The same settings with these, by their flat names, in place of theirs.

        Raises:
            SettingsError: a value is unknown or out of its range.
        """
        return make_spec(**{**self.flat(), **settings})

    def finder(self) -> RunSpec:
        """The run of the learning-rate finder for this one, on a seed of its own."""
        every = ("eval_every", "sample_every", "checkpoint_every", "early_stopping_patience")
        return self.changed(
            learning_rate_finder=True,
            learning_rate_run=None,
            keep=None,
            seed=FINDER_SEED,
            sample_tokens=0,
            trackers=(),
            **dict.fromkeys(every, 0),
        )

    def to_dict(self) -> dict[str, Any]:
        """The record that a run's folder holds."""
        return {"schema": SCHEMA, **self.model_dump(mode="json")}


_GROUPS: dict[str, type[Settings]] = {
    name: field.annotation
    for name, field in RunSpec.model_fields.items()
    if isinstance(field.annotation, type) and issubclass(field.annotation, Settings)
}
# Flat name of every setting -> its group and its field there.
SETTING_PLACES: dict[str, tuple[str, str]] = {
    (group if field == "source" else field): (group, field)
    for group, settings in _GROUPS.items()
    for field in settings.model_fields
}
_FLAT_NAMES: dict[tuple[str | int, ...], str] = {
    place: name for name, place in SETTING_PLACES.items()
}


def setting_field(name: str) -> FieldInfo:
    """The field of the setting with this flat name: type, default, limits, description."""
    group, field = SETTING_PLACES[name]
    return _GROUPS[group].model_fields[field]


def setting_label(name: str) -> str:
    """The label of a setting in every form: `batch_size` is `Batch size`."""
    return setting_field(name).title or name.replace("_", " ").capitalize()


def setting_help(name: str) -> str:
    """What a setting does, for the help of its option."""
    return " ".join((setting_field(name).description or "").split())


def setting_choices(name: str) -> tuple[str, ...] | None:
    """The values that a setting may have, where there are few; None for any other."""
    kind = setting_field(name).annotation
    return get_args(kind) if get_origin(kind) is Literal else None


def make_spec(**values: Any) -> RunSpec:
    """A spec from settings by their flat names, present or former, with the plan.

    Raises:
        SettingsError: a value is missing, unknown, given twice or out of its range.
    """
    record: dict[str, Any] = {group: {} for group, _ in SETTING_PLACES.values()}
    for given, value in values.items():
        name = FORMER_SETTINGS.get(given, given)
        if name != given and name in values:
            raise SettingsError(f"'{given}' is the former name of '{name}'. Give one of them.")
        if name == "plan":
            record["plan"] = value
        elif name in SETTING_PLACES:
            group, field = SETTING_PLACES[name]
            record[group][field] = value
        else:
            raise SettingsError(f"There is no setting '{name}'. Check its spelling.")
    return _validated(record)


def parse_spec(record: Mapping[str, Any]) -> RunSpec:
    """A spec from a record of any version; the reverse of `RunSpec.to_dict`.

    Raises:
        SettingsError: a value is missing, unknown or out of its range, or the version is.
    """
    if "schema" not in record:
        return make_spec(**{**FORMER_VALUES, **flat_settings(record)})
    if record["schema"] not in (2, SCHEMA):
        raise SettingsError(
            f"These settings are of version {record['schema']}, and this program reads up to "
            f"{SCHEMA}. Update the program."
        )
    groups = {n: renamed(v) for n, v in record.items() if n != "schema"}
    for name, value in FORMER_VALUES.items() if record["schema"] == 2 else ():
        group, field = SETTING_PLACES[name]
        if isinstance(groups.setdefault(group, {}), dict):
            groups[group] = {field: value, **groups[group]}
    return _validated(groups)


def read_spec(folder: Path) -> RunSpec:
    """The spec that a run's folder holds.

    Raises:
        SettingsError: the file cannot be read, or holds no spec.
    """
    file = folder / SPEC_NAME
    try:
        record = parse_json_file(file)
    except (OSError, ValueError) as error:
        raise SettingsError(f"'{file}' cannot be read ({error}). Start the run again.") from error
    if not isinstance(record, dict):
        raise SettingsError(f"'{file}' holds no settings. Start the run again.")
    return parse_spec(record)


def recorded_settings(folder: Path) -> dict[str, Any]:
    """The settings in a run's folder by their flat names, for lists that must not fail.

    What is of a wrong type, or out of its range, is left out. {} where the file is missing or torn.
    """
    record = read_json(folder / SPEC_NAME)
    wrong = wrong_settings(record)
    return {name: value for name, value in flat_settings(record).items() if name not in wrong}


def wrong_settings(record: Mapping[str, Any]) -> frozenset[str]:
    """Flat names of a record's settings that are of a wrong type or out of their range."""
    return frozenset(n for n, value in flat_settings(record).items() if not _is_setting(n, value))


def _is_setting(name: str, value: Any) -> bool:
    if name == "plan":
        return isinstance(value, dict)
    if name not in SETTING_PLACES:
        # Of another version; it is shown as it is.
        return not isinstance(value, dict | list)
    try:
        _checker(name).validate_python(value)
    except ValidationError:
        return False
    return True


@cache
def _checker(name: str) -> TypeAdapter[Any]:
    field = setting_field(name)
    checked: Any = Annotated[field.annotation, field]
    return TypeAdapter(checked)


def flat_settings(record: Mapping[str, Any]) -> dict[str, Any]:
    """The settings of a record of any version by their flat names, with the plan.

    Nothing is checked: what is missing in the record is missing here.
    """
    if "schema" not in record:
        return renamed(record)
    flat = {"plan": record["plan"]} if "plan" in record else {}
    for name, (group, field) in SETTING_PLACES.items():
        settings = renamed(record.get(group))
        if isinstance(settings, dict) and field in settings:
            flat[name] = settings[field]
    return flat


def _validated(record: dict[str, Any]) -> RunSpec:
    try:
        spec = RunSpec(**record)
    except ValidationError as error:
        raise SettingsError(_sentence(error)) from error
    steps, warmup = spec.optimization.steps, spec.optimization.warmup
    if warmup > steps:
        raise SettingsError(
            f"warmup_steps is {warmup}, more than the {steps} steps of the run. Give fewer steps "
            "of warmup."
        )
    if spec.model.lora_rank and spec.resources.sharded:
        raise SettingsError("LoRA cannot be trained with sharded weights. Turn sharded off.")
    if spec.evaluation.early_stopping_patience and not spec.evaluation.eval_every:
        raise SettingsError(
            "early_stopping_patience needs eval_every. Set it to the steps between evaluations."
        )
    return spec


def _sentence(error: ValidationError) -> str:
    first = error.errors()[0]
    where = first["loc"]
    name = _FLAT_NAMES.get(where[:2]) or ".".join(map(str, where)) or "the settings"
    if first["type"] == "missing":
        return f"The setting '{name}' is missing. Give it a value."
    if first["type"] == "extra_forbidden":
        return f"There is no setting '{name}'. Check its spelling."
    given = repr(first["input"])[:80]
    return f"The setting '{name}' cannot be {given}: {first['msg'].rstrip('.')}. Change it."
