"""The inspection report, held as a golden file, and its code executed."""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from functools import cache
from pathlib import Path

import pytest
from transformers import MixtralConfig, PreTrainedConfig, Qwen3NextConfig

from qwen_ui.model import DEFAULT_MODEL, Anatomy, open_model
from qwen_ui.model.skeleton import build_skeleton
from qwen_ui.report.report import Report, inspection_report

GOLDEN = Path(__file__).parent / "golden" / "qwen2.5-1.5b-instruct.md"


def test_the_report_of_the_default_model_is_the_golden_file() -> None:
    """Write it anew with UPDATE_GOLDEN=1 and read the difference before you commit it."""
    markdown = made("qwen").markdown
    if os.environ.get("UPDATE_GOLDEN"):
        GOLDEN.parent.mkdir(exist_ok=True)
        GOLDEN.write_text(markdown, encoding="utf-8")
    assert markdown == GOLDEN.read_text(encoding="utf-8")


def test_the_golden_file_holds_the_figures_that_are_known() -> None:
    text = GOLDEN.read_text(encoding="utf-8")
    for figure in (
        "1,543,714,304 parameters in 338 tensors",
        "`model.layers.{0-27}.self_attn` | Qwen2Attention | 154,198,016",
        "`model.layers.{0-27}.mlp` | Qwen2MLP | 1,156,055,040",
        "Trains 22,028,288 parameters (1.43 %) in 28 tensors",
        "Trains 8,192 parameters",
        "`model.layers.0.self_attn.o_proj.bias`",
        "counting tied tensors twice would give 1,777,088,000",
    ):
        assert figure in text


def test_rows_of_tensors_sum_to_the_total() -> None:
    table = made("qwen").markdown.split("## B.")[0]
    rows = re.findall(r"^\| `[^`]+` \| [^|]+ \| ([\d,]+) \| [^|]+ \| (\w+) \|$", table, re.M)
    assert sum(int(count.replace(",", "")) for count, _ in rows) == 1_543_714_304


@pytest.mark.parametrize("model", ["qwen", "mixtral", "hybrid"])
def test_the_code_to_paste_runs_and_trains_what_it_says(model: str) -> None:
    blocks = re.findall(r"```python\n(.*?)```", made(model).markdown, re.S)
    assert len(blocks) >= 3
    scope: dict[str, object] = {"model": build_skeleton(opened(model).configuration)}
    for block in blocks:
        exec(block, scope)  # each recipe asserts its own count


@cache
def made(model: str) -> Report:
    """The report of a model, made once: its checks are steps through the whole model."""
    return inspection_report(opened(model))


def opened(model: str) -> Anatomy:
    sources: dict[str, Callable[[], str | PreTrainedConfig]] = {
        "qwen": lambda: DEFAULT_MODEL,
        "mixtral": other_family,
        "hybrid": hybrid,
    }
    return open_model(sources[model]())


def other_family() -> MixtralConfig:
    return MixtralConfig(
        hidden_size=64,
        intermediate_size=96,
        num_hidden_layers=5,
        num_attention_heads=4,
        num_key_value_heads=1,
        num_local_experts=4,
        vocab_size=100,
    )


def hybrid() -> Qwen3NextConfig:
    return Qwen3NextConfig(
        hidden_size=64, num_hidden_layers=8, num_attention_heads=4, num_key_value_heads=2,
        head_dim=16, linear_num_value_heads=8, linear_num_key_heads=4, linear_key_head_dim=8,
        linear_value_head_dim=12, vocab_size=100, num_experts=4, num_experts_per_tok=2,
        moe_intermediate_size=32, shared_expert_intermediate_size=40,
    )  # fmt: skip


def test_blocks_of_a_hybrid_stack_are_named_each_by_its_own_kinds() -> None:
    found = made("hybrid").markdown
    assert "The exact names in block 4; blocks 5-6 likewise:" in found
    assert "- `model.layers.4.linear_attn.in_proj_qkvz.weight`" in found
    assert "The exact names in block 7:" in found
    assert "- `model.layers.7.self_attn.q_proj.weight`" in found
    assert "(blocks 0 and 3 stand for all)" in found
    assert "`mlp.experts.gate_up_proj` holds 4 experts" in found


def test_a_mixture_of_experts_is_reported_as_one() -> None:
    found = made("mixtral")
    assert [check.name for check in found.checks if not check.passed] == []
    assert "multi-query attention" in found.markdown
    assert "**Experts.**" in found.markdown
    assert "**Routers.**" in found.markdown
