"""Random plans for a given model."""

from __future__ import annotations

from hypothesis import strategies as st

from qwen_ui.freeze import FreezePlan, Rule
from qwen_ui.model import Anatomy


def layer_expressions(block_count: int) -> st.SearchStrategy[str]:
    index = st.integers(0, block_count)
    return st.one_of(
        st.sampled_from(["all", "none", "last:2", "first:1", "every:2", "every:3"]),
        index.map(str),
        st.tuples(index, index).map(lambda pair: f"{min(pair)}-{max(pair)}"),
        st.lists(index.map(str), min_size=1, max_size=3).map(",".join),
    )


def rules(anatomy: Anatomy) -> st.SearchStrategy[Rule]:
    kinds = [k.kind for k in anatomy.kinds if k.blocks]
    names = [name for p in anatomy.parameters for name in p.names]
    roles = sorted({str(p.role) for p in anatomy.parameters})
    globs = [*kinds, "*.bias", "*norm*", "mlp.*", "*weight", "?elf_attn.*", "nothing_like_it"]
    return st.builds(
        Rule,
        train=st.booleans(),
        layers=st.none() | layer_expressions(anatomy.block_count),
        roles=st.lists(st.sampled_from(roles), max_size=2, unique=True).map(tuple),
        kinds=st.lists(st.sampled_from(globs), max_size=2).map(tuple),
        names=st.lists(st.sampled_from(names), max_size=2).map(tuple),
        regex=st.none()
        | st.sampled_from([r"\.[13]\.", r"bias$", r"attn", r"embed|wte", r"q_proj"]),
    )


def plans(anatomy: Anatomy) -> st.SearchStrategy[FreezePlan]:
    many = st.lists(rules(anatomy), max_size=5).map(tuple)
    return st.builds(FreezePlan, name=st.text(max_size=10), rules=many)


def name_sets(anatomy: Anatomy) -> st.SearchStrategy[frozenset[str]]:
    """Sets of first names: single cells, and unions of what rules mean."""
    return st.frozensets(st.sampled_from([p.name for p in anatomy.parameters]))
