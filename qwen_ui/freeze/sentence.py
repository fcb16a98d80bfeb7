"""A selection in one sentence that a person can paste.

It has a grammar, so that the page can say it in other languages (`{list}` in docs/language.md):
groups are joined by "; ", what trains in the same blocks by " + ", and a list of names always ends
in what they are the names of.
"""

from __future__ import annotations

from qwen_ui.formats import index_ranges, percent
from qwen_ui.freeze.canonical import grouped_kinds, whole_roles
from qwen_ui.model import Anatomy

_MAX_GROUPS = 4
_MAX_LISTED = 6
# What names are the names of, and of several.
_ENDINGS = {
    "projection": "projections",
    "module": "modules",
    "weight": "weights",
    "bias": "biases",
    "tensor": "tensors",
}
_ROLE_NAMES = {
    "norm": "norms",
    "mlp": "MLP",
    "expert": "all experts",
    "attention": "attention",
    "router": "router",
}


def summarize(anatomy: Anatomy, names: frozenset[str]) -> str:
    """For instance: Trains 8,192 of 1,543,714,304 parameters (0.00053 %): q, k and v biases of ...

    Modules named `*_proj` are called projections; a module of which only the weight or only the
    bias trains says so.
    """
    total = anatomy.total_parameters
    count = sum(p.numel for p in anatomy.parameters if p.name in names)
    if not names:
        return f"Trains none of {total:,} parameters: everything is frozen."
    if count == total:
        return f"Trains all {total:,} parameters."
    parts = _parts(anatomy, names)
    shown = "; ".join(parts[:_MAX_GROUPS])
    if (more := len(parts) - _MAX_GROUPS) > 0:
        shown += f"; and {more} more group{'s' if more > 1 else ''}"
    return f"Trains {count:,} of {total:,} parameters ({percent(count / total)}): {shown}."


def join_with_and(items: list[str]) -> str:
    """`a`, `a and b`, `a, b and c`; one too long to read ends in a number, `a, b and 7 other`."""
    if len(items) > _MAX_LISTED:
        items = [*items[: _MAX_LISTED - 1], f"{len(items) - _MAX_LISTED + 1} other"]
    return items[0] if len(items) == 1 else f"{', '.join(items[:-1])} and {items[-1]}"


def _parts(anatomy: Anatomy, names: frozenset[str]) -> list[str]:
    parts = _groups(anatomy, names)
    frozen = frozenset(p.name for p in anatomy.parameters) - names
    if len(parts) > 1 and len(frozen) < len(names):
        left_out = _groups(anatomy, frozen)
        if len(left_out) < len(parts):
            first, *others = left_out
            return [f"everything except {first}", *(f"and also except {other}" for other in others)]
    return parts


def _groups(anatomy: Anatomy, names: frozenset[str]) -> list[str]:
    parts = []
    norms_outside = any(p.role == "norm" and p.block is None for p in anatomy.parameters)
    if norms_outside and "norm" in whole_roles(anatomy, names):
        parts.append("all norms")
        names = frozenset(n for n in names if anatomy.by_name[n].role != "norm")
    names_of_kinds = _KindNames(anatomy)
    for layers, kinds in grouped_kinds(anatomy, names).items():
        parts.append(f"{names_of_kinds.describe(kinds)} of {_blocks(layers, anatomy.block_count)}")
    outside = [p for p in anatomy.parameters if p.block is None and p.name in names]
    parts.extend(" = ".join(p.names) for p in outside)
    return parts


def _blocks(layers: tuple[int, ...], block_count: int) -> str:
    if len(layers) == block_count > 1:
        return f"all {block_count} blocks"
    return f"block{'s' if len(layers) > 1 else ''} {index_ranges(layers)}"


class _KindNames:
    """Names of one model's kinds, as a sentence has them."""

    def __init__(self, anatomy: Anatomy) -> None:
        kinds = [kind for kind in anatomy.kinds if kind.blocks]
        self.leaves: dict[str, set[str]] = {}
        self.roles: dict[str, set[str]] = {}
        for kind in kinds:
            module, _, leaf = kind.kind.rpartition(".")
            self.leaves.setdefault(module, set()).add(leaf)
            self.roles.setdefault(kind.role, set()).add(kind.kind)
        self.count = len({kind.kind for kind in kinds})
        shorts = [_last(module) for module in self.leaves]
        self.ambiguous = {short for short in shorts if shorts.count(short) > 1}

    def describe(self, kinds: tuple[str, ...]) -> str:
        """Whole roles by their name, whole modules by theirs, and single tensors."""
        if len(kinds) == self.count:
            return "all parameters"
        remaining, roles = list(kinds), []
        for role, members in self.roles.items():
            # The projections of attention are worth naming; an MLP has nothing else.
            named_one_by_one = role == "attention" and all(_is_projection(kind) for kind in members)
            if role in _ROLE_NAMES and not named_one_by_one and members <= set(remaining):
                roles.append(_ROLE_NAMES[role])
                remaining = [kind for kind in remaining if kind not in members]
        return " + ".join([*self._describe_modules(remaining), *roles])

    def _describe_modules(self, kinds: list[str]) -> list[str]:
        chosen: dict[str, list[str]] = {}
        for kind in kinds:
            module, _, leaf = kind.rpartition(".")
            chosen.setdefault(module, []).append(leaf)
        groups: dict[str, list[str]] = {}
        for module, leaves in chosen.items():
            short = _last(module)
            name = module if short in self.ambiguous else short
            ending = self._ending(module, leaves)
            names = [".".join(filter(None, (name, leaf))) for leaf in leaves]
            if ending != "tensor":
                names = [name.removesuffix("_proj") if self._is_projection(module) else name]
            groups.setdefault(ending, []).extend(names)
        return [_describe_group(ending, names) for ending, names in groups.items()]

    def _ending(self, module: str, leaves: list[str]) -> str:
        """What is said of a module of which these tensors train."""
        if not module or not {"weight", "bias"}.issuperset(self.leaves[module]):
            return "tensor"
        if set(leaves) != self.leaves[module]:
            return leaves[0]
        return "projection" if self._is_projection(module) else "module"

    def _is_projection(self, module: str) -> bool:
        """Whether its last part, which ends in `_proj`, tells it from all others."""
        short = _last(module)
        return short.endswith("_proj") and short not in self.ambiguous


def _last(module: str) -> str:
    return module.rpartition(".")[2]


def _is_projection(kind: str) -> bool:
    return kind.rpartition(".")[0].endswith("_proj")


def _describe_group(ending: str, names: list[str]) -> str:
    return f"{join_with_and(names)} {_ENDINGS[ending] if len(names) > 1 else ending}"
