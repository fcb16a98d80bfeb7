"""Modules that work on each position by itself: MLPs, experts and their routers."""

from __future__ import annotations

from typing import Any

from qwen_ui.model.anatomy import Anatomy, Module
from qwen_ui.model.config_values import config_int, config_text
from qwen_ui.model.explain.explanation import Explanation, child_names


def mlp(anatomy: Anatomy, module: Module, config: dict[str, Any]) -> Explanation:
    below = " ".join(child_names(anatomy, module))
    activation = config_text(config, "hidden_act") or "act"
    gated = "gate" in below or {"w1", "w2", "w3"} <= set(below.split())
    start = "The MLP: works on each position by itself"
    if "shared" in module.name:
        start = "The shared expert: an MLP that every position passes, whatever the router says"
    return Explanation(
        start + (", a gated one (SwiGLU and its kin, arXiv 2002.05202)." if gated else "."),
        f"down({activation}(gate(x)) · up(x))" if gated else f"W₂ {activation}(W₁ x)",
        ("intermediate_size", "moe_intermediate_size", "hidden_act", "mlp_bias"),
    )


_EXPERT_KEYS = ("num_experts", "num_experts_per_tok", "moe_intermediate_size", "num_shared_experts")


def router(anatomy: Anatomy, module: Module, config: dict[str, Any]) -> Explanation:
    count, chosen = config_int(config, "num_experts"), config_int(config, "num_experts_per_tok")
    best = f"the best {chosen}" if chosen else "the best"
    of = f" of {count}" if count else ""
    return Explanation(
        f"The router: a score for each expert at each position; {best}{of} are used.",
        "weight = top(softmax or sigmoid(x Wᵀ))",
        _EXPERT_KEYS,
    )


def experts(anatomy: Anatomy, module: Module, config: dict[str, Any]) -> Explanation:
    fused = [anatomy.by_name[name] for name in module.own if len(anatomy.by_name[name].shape) == 3]
    if fused:
        return Explanation(
            f"{fused[0].shape[0]} experts in one tensor per matrix: a name takes all of them or "
            "none, so a single expert cannot be frozen by name.",
            "y = Σ over the chosen e of weightₑ · expertₑ(x)",
            _EXPERT_KEYS,
        )
    return Explanation(
        "A mixture of experts: a router sends each position to a few of many MLPs, so that most "
        "parameters rest at each step.",
        "y = Σ over the chosen e of weightₑ · expertₑ(x)",
        _EXPERT_KEYS,
    )
