"""`FreezePlan`: what a person chose to train, as one small immutable value.

A plan starts with everything frozen. Its rules are applied in order and later ones win. A rule
trains or freezes the parameters in its `layers` (anywhere, if it names none) that match one of its
roles, kinds, names or its regular expression (all, if it names none).

    {"schema": 1, "name": "attention on last:4",
     "rules": [{"train": true, "layers": "last:4", "roles": ["attention"]}]}

Rules speak of block indexes and parameter names, so a plan made for one model is a plan for every
model that shares them. `qwen_ui.freeze.resolve` is the one place that turns a plan into names.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Set
from fnmatch import translate
from functools import lru_cache
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from qwen_ui.errors import PlanError
from qwen_ui.files import parse_json
from qwen_ui.freeze.layers import parse_layers
from qwen_ui.model import check_pattern

SCHEMA = 1
MAX_PLAN_BYTES = 1024 * 1024
MAX_IMPORT_BYTES = 16 * 1024 * 1024  # of a list of names
NONE: frozenset[str] = frozenset()
RoleName = Literal["attention", "mlp", "norm", "embedding", "head", "router", "expert", "other"]


class Rule(BaseModel):
    """One rule of a plan.

    Attributes:
        train: whether the parameters that match are trained or frozen.
        layers: a layer expression; None means everywhere, outside the blocks too.
        roles: roles that match.
        kinds: globs over the kind (`*.bias`, `self_attn.q_proj.*`).
        names: globs over the full name (`model.norm.weight`).
        regex: a regular expression searched for in the full name.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    train: bool = True
    layers: str | None = None
    roles: tuple[RoleName, ...] = ()
    kinds: tuple[str, ...] = ()
    names: tuple[str, ...] = ()
    regex: str | None = None

    @field_validator("layers")
    @classmethod
    def _layers_are_an_expression(cls, layers: str | None) -> str | None:
        if layers is not None:
            parse_layers(layers, 1)
        return layers

    @field_validator("regex")
    @classmethod
    def _regex_compiles(cls, regex: str | None) -> str | None:
        if regex is not None:
            check_pattern(regex)
        return regex

    def matches(self, names: tuple[str, ...], kind: str, role: str, found: Set[str] = NONE) -> bool:
        """Whether the rule matches a parameter with these names, kind and role, in any block.

        Args:
            found: all names in which its regular expression was found.
        """
        if not (self.roles or self.kinds or self.names or self.regex is not None):
            return True
        return (
            role in self.roles
            or _any_glob_matches(self.kinds, (kind,))
            or _any_glob_matches(self.names, names)
            or any(name in found for name in names)
        )

    @property
    def depends_on_kind_only(self) -> bool:
        """Whether the rule treats all parameters of one kind and role alike, apart from blocks."""
        return not self.names and self.regex is None

    def describe(self) -> str:
        """The rule as a short phrase, for messages."""
        parts = [*self.roles, *self.kinds, *self.names]
        if self.regex is not None:
            parts.append(f"/{self.regex}/")
        what = ", ".join(parts) or "everything"
        where = "" if self.layers is None else f" in blocks {self.layers}"
        return f"{'train' if self.train else 'freeze'} {what}{where}"


class FreezePlan(BaseModel):
    """What is trained; see the module's text.

    Attributes:
        name: for people; it has no effect.
        rules: applied in order to a model with everything frozen.
        schema_version: of the JSON form, under `schema`.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", validate_by_name=True)

    schema_version: Literal[1] = Field(default=1, alias="schema")
    name: str = Field(default="", max_length=200)
    rules: tuple[Rule, ...] = Field(default=(), max_length=5000)

    def to_json(self) -> str:
        """Readable JSON without the empty fields of rules."""
        return json.dumps(self.to_dict(), indent=2)

    def to_dict(self) -> dict[str, object]:
        rules = [
            {"train": rule.train, **rule.model_dump(mode="json", exclude_defaults=True)}
            for rule in self.rules
        ]
        return {"schema": self.schema_version, "name": self.name, "rules": rules}

    @classmethod
    def from_json(cls, text: str) -> FreezePlan:
        """The plan that `to_json` wrote.

        Raises:
            PlanError: too large, not JSON, or not a plan of a schema that this version reads.
        """
        if len(text) > MAX_PLAN_BYTES:
            raise PlanError("The plan is larger than 1 MiB, which is too large for a plan.")
        try:
            values = parse_json(text)
        except ValueError as error:
            raise PlanError(f"The plan is not JSON ({error}). Save it again.") from error
        return cls.from_dict(values)

    @classmethod
    def from_dict(cls, values: object) -> FreezePlan:
        """As `from_json`, for values already parsed."""
        if not isinstance(values, dict):
            raise PlanError('The plan is not an object with "rules". Save it again.')
        if values.get("schema") != SCHEMA:
            raise PlanError(
                f"The plan has schema {values.get('schema')!r}; this version reads schema {SCHEMA}."
            )
        try:
            return cls.model_validate(values)
        except ValidationError as error:
            first = error.errors()[0]
            where = ".".join(str(part) for part in first["loc"])
            raise PlanError(f"The plan is not understood at '{where}': {first['msg']}.") from error


def _any_glob_matches(globs: tuple[str, ...], texts: Iterable[str]) -> bool:
    if not globs:
        return False
    exact, pattern = _compiled(globs)
    return any(text in exact or pattern.match(text) is not None for text in texts)


@lru_cache(maxsize=4096)
def _compiled(globs: tuple[str, ...]) -> tuple[frozenset[str], re.Pattern[str]]:
    """Globs without special characters as a set, and one pattern for the others.

    A plan may list tens of thousands of names; one alternation of them all would be slow.
    """
    exact = frozenset(glob for glob in globs if not set(glob) & set("*?["))
    patterns = [translate(glob) for glob in globs if glob not in exact]
    return exact, re.compile("|".join(patterns) or r"(?!)")
