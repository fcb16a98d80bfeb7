"""Which model trains for one whose weights are not on this machine."""

from __future__ import annotations

import pytest

from qwen_ui.errors import ModelError
from qwen_ui.freeze import FreezePlan, preset, resolve
from qwen_ui.model import open_model
from qwen_ui.ui.page.session import Session
from qwen_ui.ui.page.stand_in import stand_in_for, trained_model
from qwen_ui.ui.train.form import intent


@pytest.fixture
def session() -> Session:
    return Session()


def test_a_model_with_weights_trains_itself(session: Session) -> None:
    assert trained_model(session, "nano", preset("attention")) == "nano"


def test_the_twin_stands_in_where_the_plan_means_the_same_names(session: Session) -> None:
    plan = preset("attention")
    assert trained_model(session, "qwen2.5-1.5b-instruct", plan) == "nano"
    large, small = (open_model(name) for name in ("qwen2.5-1.5b-instruct", "nano"))
    assert resolve(plan, large).names == resolve(plan, small).names


@pytest.mark.parametrize(
    ("source", "blocks"), [("qwen2.5-72b-instruct", 80), ("qwen2.5-0.5b-instruct", 24)]
)
def test_a_model_with_other_blocks_has_no_stand_in(
    session: Session, source: str, blocks: int
) -> None:
    """The 72B's blocks 28-31 are not in the twin; the 0.5B's last four are other ones there."""
    assert stand_in_for(open_model(source)) is None
    with pytest.raises(ModelError, match=f"it has 28 blocks, not {blocks}.*hf download"):
        trained_model(session, source, preset("attention"))
    found = intent(session, source, preset("attention", "20-23"), 60, 8)
    assert found.rate is None
    assert "cannot stand in for it" in found.text


def test_a_plan_with_names_that_the_twin_lacks_has_no_stand_in(session: Session) -> None:
    """The 7B has as many blocks of the same kinds, but a head of its own."""
    source = "qwen2.5-7b-instruct"
    assert trained_model(session, source, preset("attention")) == "nano"
    rule = {"schema": 1, "name": "head", "rules": [{"regex": "^lm_head"}]}
    with pytest.raises(ModelError, match="parameters that it does not have"):
        trained_model(session, source, FreezePlan.from_dict(rule))
