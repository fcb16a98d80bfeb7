"""Texts of other tools become plans; what cannot be imported is refused."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from qwen_ui.errors import PlanError
from qwen_ui.freeze import FreezePlan, export_text, import_plan, preset, resolve
from qwen_ui.model import Anatomy
from tests.helpers.small_models import small_model
from tests.helpers.strategies import name_sets


@pytest.mark.parametrize("format", ["plan", "names", "axolotl"])
@settings(max_examples=30)
@given(data=st.data())
def test_what_was_exported_can_be_imported_again(format: str, data: st.DataObject) -> None:
    _, anatomy = small_model("qwen2")
    names = data.draw(name_sets(anatomy))
    if not names:
        return
    rules = [{"names": sorted(names)}]
    selection = resolve(FreezePlan.from_dict({"schema": 1, "rules": rules}), anatomy)
    again = import_plan(export_text(selection, format), anatomy)
    assert resolve(again, anatomy).names == names


def test_an_axolotl_file_of_someone_else_is_understood(qwen: Anatomy) -> None:
    text = """
base_model: Qwen/Qwen2.5-1.5B-Instruct
unfrozen_parameters:
  - ^lm_head.weight$
  - model.layers.2[4-7].self_attn
learning_rate: 0.0001
"""
    names = resolve(import_plan(text, qwen), qwen).names
    attention = resolve(preset("attention"), qwen).names
    assert names == attention | {"model.embed_tokens.weight"}


@pytest.mark.parametrize(
    "text",
    [
        "",
        "# nothing\n",
        "no.such.name",
        "[1, 2]",
        '["model.norm.weight"',
        "- ^model.embed_tokens.weight$[:32000]",
        "- (",
        '{"rules": []}',
        "x" * (17 << 20),
    ],
)
def test_what_cannot_be_imported_is_refused(qwen: Anatomy, text: str) -> None:
    with pytest.raises(PlanError):
        import_plan(text, qwen)
