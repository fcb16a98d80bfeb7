"""Which parameters get a gradient from text, by a fake forward pass.

The graph that autograd would go back through is walked from the logits to the parameters; it is not
run. Names do not show it: towers, projectors, cross-attention inside the decoder's own blocks.
What a few tokens do not reach may be for long sequences alone (DeepSeek-V4 compresses 128 tokens
into one), so that a longer pass decides then.
"""

from __future__ import annotations

import logging
from inspect import signature

import torch

from qwen_ui.model.anatomy import Anatomy
from qwen_ui.model.config_values import config_int, language_config
from qwen_ui.model.per_anatomy import once_per_anatomy
from qwen_ui.model.skeleton import TRACED_TOKENS, model_class, step_inputs
from qwen_ui.model.tracing import fake_model

_LONG, _SPARED = 512, 8
_log = logging.getLogger(__name__)


@once_per_anatomy
def unreached_by_text(anatomy: Anatomy) -> frozenset[str]:
    """First names of the parameters that a step on text gives no gradient.

    Empty as well where the model cannot be run without weights, so that nothing is known.
    """
    if anatomy.configuration is None:
        return frozenset()
    try:
        reached = _reached(anatomy, TRACED_TOKENS)
        inside = [p for p in anatomy.parameters if p.block is not None]
        if not all(reached.intersection(p.names) for p in inside):
            reached |= _reached(anatomy, long_pass(anatomy))
    except Exception:
        # Model classes may raise anything in a fake forward pass: those that must have an image do.
        _log.info("no fake forward of %s on text alone", anatomy.model_type, exc_info=True)
        return frozenset()
    return frozenset(p.name for p in anatomy.parameters if not reached.intersection(p.names))


def long_pass(anatomy: Anatomy) -> int:
    """Tokens of a pass that is long enough for all parts, within the positions that are named.

    Some of those are not for tokens: RoBERTa counts from two on, ProphetNet looks ahead.
    """
    named = config_int(language_config(anatomy.config), "max_position_embeddings")
    return _LONG if named is None else max(TRACED_TOKENS, min(named - _SPARED, _LONG))


def needed_beside_tokens(anatomy: Anatomy) -> tuple[str, ...]:
    """Arguments beside the tokens that the model's forward pass cannot do without."""
    if anatomy.configuration is None:
        return ()
    made = model_class(anatomy.configuration)
    given = () if made is None else list(signature(made.forward).parameters.values())[1:]
    return tuple(
        argument.name
        for argument in given
        if argument.default is argument.empty
        and argument.kind is argument.POSITIONAL_OR_KEYWORD
        and argument.name not in {"input_ids", "attention_mask"}
    )


def _reached(anatomy: Anatomy, length: int) -> set[str]:
    fake = fake_model(anatomy)
    fake.module.eval()  # else a layer may be dropped by chance
    names: dict[torch.Tensor, str] = {}
    for name, parameter in fake.module.named_parameters():
        if parameter.dtype.is_floating_point:
            parameter.requires_grad_(True)  # tables that the class freezes can be chosen, too
            names[parameter] = name
    with fake.running():
        logits = fake.module(**step_inputs(fake.module, length), use_cache=False).logits
    return {names[leaf] for leaf in _leaves(logits) if leaf in names}


def _leaves(output: torch.Tensor) -> set[torch.Tensor]:
    """The tensors that a backward pass from this one gives a gradient."""
    found: set[torch.Tensor] = set()
    todo, seen = [output.grad_fn], {output.grad_fn}
    while todo:
        node = todo.pop()
        if node is None:
            continue
        if isinstance(leaf := getattr(node, "variable", None), torch.Tensor):
            found.add(leaf)
        following = [after for after, _ in node.next_functions if after not in seen]
        seen.update(following)
        todo += following
    return found
