"""Plans that have a name: attention only, BitFit, MLP only and so on."""

from __future__ import annotations

from qwen_ui.errors import PlanError
from qwen_ui.freeze.layers import parse_layers
from qwen_ui.freeze.plan import FreezePlan, Rule

TOP_BLOCKS = 4
TOP_LAYERS = f"last:{TOP_BLOCKS}"
# `model.anatomy.is_bias` as globs over kinds: a bias belongs to a module of the block
# (`self_attn.q_proj.bias`) or, rarely, to the block itself.
BIASES = ("*.bias", "bias")
# Name -> the selector of its one rule. None: no rule, so that nothing trains.
_SELECTORS: dict[str, dict[str, object] | None] = {
    "attention": {"roles": ("attention",)},
    "bitfit": {"kinds": BIASES},
    "mlp": {"roles": ("mlp", "expert", "router")},
    "norms": {"roles": ("norm",)},
    "embeddings": {"roles": ("embedding", "head")},
    "full": {},
    "none": None,
}
_DEFAULT_LAYERS = {"attention": TOP_LAYERS, "bitfit": TOP_LAYERS}


def preset_plans() -> tuple[str, ...]:
    """Names of the presets."""
    return tuple(_SELECTORS)


def default_layers(name: str) -> str:
    """The layer expression that a preset takes where none is given."""
    return _DEFAULT_LAYERS.get(name, "all")


def preset(name: str, layers: str | None = None) -> FreezePlan:
    """A preset as a plan.

    `bitfit` trains bias terms only (arXiv 2106.10199). With `layers="all"` the parameters outside
    the blocks are included: `norms` then has the final norm. Embeddings lie outside the blocks.

    Args:
        name: `attention`, `bitfit`, `mlp`, `norms`, `embeddings`, `full` or `none`.
        layers: a layer expression; by default `last:4` for attention and bitfit, else `all`.

    Raises:
        PlanError: no such preset, or a layer expression that is not understood.
    """
    if name not in _SELECTORS:
        raise PlanError(f"There is no preset '{name}'. There are {', '.join(_SELECTORS)}.")
    selector = _SELECTORS[name]
    if selector is None:
        return FreezePlan(name=name)
    expression = (layers or default_layers(name)).replace(" ", "").lower()
    parse_layers(expression, 1)
    if expression == "all" or name == "embeddings":
        return FreezePlan(name=name, rules=(Rule.model_validate(selector),))
    rule = Rule.model_validate({"layers": expression, **selector})
    return FreezePlan(name=f"{name} on {expression}", rules=(rule,))
