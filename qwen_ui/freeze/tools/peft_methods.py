"""PEFT's kinds of adapters whose targets follow LoRA's rule, and what each of them knows.

By the source of peft 0.21.2: what a method adapts by its `_create_new_module` (or, of LoRA,
`dispatch_default`), what it knows by the fields of its configuration. Where PEFT reads a file, it
passes over what a method's configuration has no field for (`PeftConfig.from_peft_type`), with a
warning; a configuration made in a script raises a TypeError.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from qwen_ui.freeze.sentence import join_with_and
from qwen_ui.freeze.tools.findings import Problem

# Settings that some methods lack, of those that lint reads.
_BEYOND_LORA = (
    *("target_parameters", "trainable_token_indices", "layer_replication", "ensure_weight_tying"),
    *("use_dora", "lora_bias", "lora_dropout"),
)
_PATTERNS = ("rank_pattern", "alpha_pattern")
_EXCLUDE = ("exclude_modules",)
_LAYERS = ("layers_to_transform", "layers_pattern")


@dataclass(frozen=True, slots=True)
class Method:
    """A kind of adapter.

    Attributes:
        adapts: kinds of modules (`parts.Part.kind`) that it can adapt.
        lacks: settings that its configuration has no field for.
    """

    adapts: tuple[str, ...]
    lacks: frozenset[str]

    def unknown(self, values: Mapping[str, Any]) -> list[str]:
        """Settings of these that say something, and that PEFT passes over for this method."""
        return sorted(key for key in self.lacks if values.get(key) not in (None, "none", False))


def _method(adapts: tuple[str, ...], *lacks: str) -> Method:
    return Method(adapts, frozenset(lacks))


_LINEAR = ("linear",)
_BOTH = ("linear", "conv1d")


METHODS: dict[str, Method] = {
    "LORA": _method(("linear", "conv1d", "embedding", "conv")),
    "ADALORA": _method(_BOTH),
    "BOFT": _method(_LINEAR, *_BEYOND_LORA, *_PATTERNS),
    # MiSS by its old name, gone from peft 0.21.
    "BONE": _method(_LINEAR, *_BEYOND_LORA, *_PATTERNS, "fan_in_fan_out"),
    "C3A": _method(_LINEAR, *_BEYOND_LORA, *_PATTERNS, *_EXCLUDE, "fan_in_fan_out"),
    "DELORA": _method(_LINEAR, *_BEYOND_LORA, "alpha_pattern", "fan_in_fan_out"),
    "FOURIERFT": _method(_BOTH, *_BEYOND_LORA, *_PATTERNS),
    "GRALORA": _method(_BOTH, *_BEYOND_LORA, *_PATTERNS, *_EXCLUDE),
    "HRA": _method(_LINEAR, *_BEYOND_LORA, *_PATTERNS, "fan_in_fan_out"),
    "IA3": _method(_BOTH, *_BEYOND_LORA, *_PATTERNS, *_LAYERS, "bias"),
    "LOHA": _method(("linear", "conv"), *_BEYOND_LORA, "bias", "fan_in_fan_out"),
    "LOKR": _method(("linear", "conv"), *_BEYOND_LORA, "bias", "fan_in_fan_out"),
    "MISS": _method(_LINEAR, *_BEYOND_LORA, *_PATTERNS, "fan_in_fan_out"),
    "OFT": _method(("linear", "embedding"), *_BEYOND_LORA, *_PATTERNS),
    "PVERA": _method(_BOTH, *_BEYOND_LORA, *_PATTERNS, *_EXCLUDE),
    "RANDLORA": _method(_BOTH, *_BEYOND_LORA, *_PATTERNS, *_EXCLUDE),
    "VBLORA": _method(_BOTH, *_BEYOND_LORA, *_PATTERNS),
    "VERA": _method(_BOTH, *_BEYOND_LORA, *_PATTERNS, *_EXCLUDE),
    "WAVEFT": _method(_BOTH, *_BEYOND_LORA, *_PATTERNS),
}


def lacking(method: str, settings: Sequence[str], *, script: bool) -> Problem:
    """That a method has no such settings, which a script or a file gives."""
    names = join_with_and(list(settings))
    if script:
        return Problem(
            "error",
            f"{method} has no {names}: PEFT raises a TypeError where the script makes this "
            "configuration. The names here are those without it.",
        )
    return Problem(
        "warning",
        f"{method} has no {names}: PEFT passes over that where it reads a file, and a "
        "configuration made in a script raises a TypeError. The names here are those without it.",
    )
