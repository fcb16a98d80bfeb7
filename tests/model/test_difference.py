"""Two models side by side."""

from __future__ import annotations

from transformers import GPT2Config

from qwen_ui.model import Anatomy, open_model
from qwen_ui.model.difference import compare_models


def test_two_sizes_of_a_family_differ_in_figures_and_share_their_names(qwen: Anatomy) -> None:
    found = compare_models(qwen, open_model("qwen2.5-7b-instruct"))
    facts = {row.what: row for row in found.facts}
    assert (facts["width"].left, facts["width"].right) == ("1,536", "3,584")
    assert facts["head"].differs
    assert not facts["blocks"].differs
    kinds = {row.what: row for row in found.kinds}
    assert kinds["self_attn.k_proj.bias"].right == "512 · 28 blocks"
    assert kinds["lm_head.weight"].left == ""
    assert found.shared_plan  # the head alone differs, and it is in no block


def test_a_plan_for_the_large_model_fits_the_nano_twin(qwen: Anatomy) -> None:
    assert compare_models(qwen, open_model("nano")).shared_plan


def test_a_model_does_not_differ_from_itself(qwen: Anatomy) -> None:
    found = compare_models(qwen, qwen)
    assert not any(row.differs for row in (*found.facts, *found.kinds))


def test_another_family_shares_no_kind(qwen: Anatomy) -> None:
    found = compare_models(qwen, open_model(GPT2Config(n_layer=2, n_embd=64, n_head=4)))
    assert not any(row.left and row.right for row in found.kinds)
    assert not found.shared_plan
