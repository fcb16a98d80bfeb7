"""The sentence that a person can paste."""

from __future__ import annotations

import pytest

from qwen_ui.freeze import FreezePlan, preset, resolve
from qwen_ui.model import Anatomy
from tests.helpers.small_models import small_model


@pytest.mark.parametrize(
    ("rules", "ending"),
    [
        ([{"roles": ["norm"]}], "all norms."),
        ([{"layers": "0,2-3", "roles": ["mlp"]}], "MLP of blocks 0, 2-3."),
        ([{"layers": "5"}], "all parameters of block 5."),
        ([{"layers": "all"}], "all parameters of all 28 blocks."),
        ([{"layers": "1", "kinds": ["self_attn.q_proj.weight"]}], "q weight of block 1."),
        ([{"layers": "1", "kinds": ["self_attn.q_proj.*"]}], "q projection of block 1."),
        (
            [{"layers": "1", "kinds": ["*_proj.weight"]}],
            "q, k and v weights + o projection + MLP of block 1.",
        ),
        (
            [{"names": ["lm_head.weight", "model.norm.weight"]}],
            "model.embed_tokens.weight = lm_head.weight; model.norm.weight.",
        ),
        ([{}, {"train": False, "roles": ["norm"]}], "everything except all norms."),
    ],
)
def test_it_says_what_trains_and_where(
    qwen: Anatomy, rules: list[dict[str, object]], ending: str
) -> None:
    summary = resolve(FreezePlan.from_dict({"schema": 1, "rules": rules}), qwen).summary
    assert summary.endswith(f"): {ending}"), summary


def test_modules_that_share_a_short_name_are_told_apart() -> None:
    _, gpt2 = small_model("gpt2")
    assert "attn.c_proj, ln_2, c_fc and mlp.c_proj biases" in resolve(
        preset("bitfit", "last:1"), gpt2
    ).summary.replace("c_attn, ", "")


def test_many_groups_end_in_a_number(qwen: Anatomy) -> None:
    kinds = [k.kind for k in qwen.kinds if k.blocks][:6]
    rules = [{"layers": str(i), "kinds": [kind]} for i, kind in enumerate(kinds)]
    summary = resolve(FreezePlan.from_dict({"schema": 1, "rules": rules}), qwen).summary
    assert summary.endswith("; and 2 more groups.")
