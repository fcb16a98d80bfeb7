"""What PEFT stops at: it raises, and nothing trains."""

from __future__ import annotations

from collections.abc import Iterator

from qwen_ui.freeze.tools.findings import Problem
from qwen_ui.freeze.tools.peft_rule import MAMBA_TYPES, NOT_IN_MAMBA, PeftRule

_KINDS = {"linear": "linear layers", "embedding": "embeddings", "conv": "convolutions"}


def refusals(rule: PeftRule) -> Iterator[Problem]:
    """The errors that `get_peft_model` would raise for these settings, each kind once."""
    yield from _modules(rule)
    yield from _tensors(rule)
    yield from _saved(rule)
    yield from _tokens(rule)
    if rule.adapter.dora and rule.adapter.lora_bias:
        yield Problem("error", "PEFT refuses lora_bias beside use_dora. Leave one of them out.")
    if rule.adapter.rank <= 0:
        yield Problem("error", f"PEFT refuses the rank {rule.adapter.rank}: it must be positive.")
    if not rule.targeted and not rule.adapted_parameters:
        yield Problem(
            "error",
            f"PEFT stops: no module of {rule.anatomy.source} is targeted, and it does not get "
            "as far as modules_to_save and bias.",
        )


def _modules(rule: PeftRule) -> Iterator[Problem]:
    wrong = [name for name in rule.targeted if rule.kind(name) not in rule.adaptable]
    if wrong:
        kinds = ", ".join(_KINDS[kind] for kind in rule.adaptable if kind in _KINDS)
        yield Problem(
            "error",
            f"PEFT stops at {wrong[0]}: {rule.adapter.method} adapts {kinds}, and this is a "
            f"{rule.part(wrong[0]).class_name}. Name the layers inside it, or leave it out.",
        )
    if rule.anatomy.model_type in MAMBA_TYPES and rule.adapter.method in ("LORA", "ADALORA"):
        # Modules of target_parameters are asked, too.
        holders = (name.rpartition(".")[0] for name in rule.adapted_parameters)
        asked = (*rule.targeted, *holders)
        wrong = [name for name in asked if name.rpartition(".")[2] in NOT_IN_MAMBA]
        if wrong:
            yield Problem(
                "error",
                f"PEFT stops at {wrong[0]}: in {rule.anatomy.model_type} it refuses "
                f"{' and '.join(sorted(NOT_IN_MAMBA))}. Leave them out.",
            )
    grouped = [
        name
        for name in rule.adapted_modules
        if rule.part(name).groups > 1 and rule.adapter.rank % rule.part(name).groups
    ]
    if grouped:
        yield Problem(
            "error",
            f"PEFT stops at {grouped[0]}: the rank {rule.adapter.rank} is no multiple of its "
            f"{rule.part(grouped[0]).groups:,} groups. Leave it out.",
        )


def _tensors(rule: PeftRule) -> Iterator[Problem]:
    named = dict.fromkeys(name for names in rule.parameters.values() for name in names)
    if not named:
        return
    shapes = {p.name: p.shape for p in rule.anatomy.parameters}
    flat = [name for name in named if len(shapes[name]) not in (2, 3)]
    if flat:
        yield Problem(
            "error",
            f"PEFT stops at {flat[0]}: a target parameter has two or three dimensions, and this "
            f"has {len(shapes[flat[0]])}.",
        )
    both = [name for name in named if name.rpartition(".")[0] in rule.adapted_modules]
    if both:
        yield Problem(
            "error",
            f"PEFT stops at {both[0]}: its module is among target_modules as well. Name it once.",
        )
    # PEFT corrects the setting by each linear layer that it adapts; tensors come after these.
    kinds = [rule.kind(name) for name in rule.adapted_modules]
    linear = [kind == "conv1d" for kind in kinds if kind in ("conv1d", "linear")]
    transposed = linear[-1] if linear else rule.adapter.transposed
    unfit = [
        setting
        for setting, given in (
            ("fan_in_fan_out", transposed),
            ("lora_dropout", rule.adapter.dropout),
            ("use_dora", rule.adapter.dora),
            ("lora_bias", rule.adapter.lora_bias),
        )
        if given
    ]
    if unfit:
        yield Problem(
            "error",
            f"PEFT stops: {unfit[0]} does not go with adapters on tensors such as "
            f"{next(iter(named))}. Set it to zero, or leave these out.",
        )


def _saved(rule: PeftRule) -> Iterator[Problem]:
    """A module to save is looked for after the adapters are there, and none of them may be it."""
    adapted = {*rule.adapted_modules, *(n.rpartition(".")[0] for n in rule.adapted_parameters)}
    lists = {p.name for p in rule.parts.listed if p.class_name in ("ModuleList", "ModuleDict")}
    for item, modules in rule.saved.items():
        if modules & lists:
            yield Problem(
                "error",
                f"PEFT stops: '{item}' in modules_to_save is a list of modules, "
                f"{min(modules & lists)}. Name the modules in it.",
            )
        both = sorted(modules & adapted)
        if both:
            yield Problem(
                "error",
                f"PEFT stops: '{item}' in modules_to_save is the end of {both[0]}, too, which gets "
                "an adapter. Write more of the name, or leave one of them out.",
            )


def _tokens(rule: PeftRule) -> Iterator[Problem]:
    # A tensor with an adapter is the one of every module that it is tied to.
    of_tensors = rule.tensors(name.rpartition(".")[0] for name in rule.adapted_parameters)
    for item in rule.adapter.tokens:
        named = item or "embedding"
        modules = rule.token_modules(item)
        if not modules:
            yield Problem(
                "error",
                f"PEFT stops: '{named}' in trainable_token_indices is the end of no module.",
            )
        both = [m for m in modules if m in rule.adapted_modules or rule.tensors([m]) & of_tensors]
        if both:
            yield Problem(
                "error",
                f"PEFT stops: '{named}' in trainable_token_indices is {both[0]}, too, which gets "
                "an adapter. Leave one of them out.",
            )
        # Of a list of tokens PEFT looks for the embedding by its whole name.
        if (item or rule.parts.embedding) in rule.adapter.save:
            yield Problem(
                "error",
                f"PEFT stops: '{named}' is in modules_to_save and in trainable_token_indices. "
                "Leave one of them out.",
            )
