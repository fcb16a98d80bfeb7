"""Every server function answers random parameters in the one shape, never by a fault of ours."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.ui.page.test_contract import CASES, MISTAKES, found_functions, kind_of

SCALARS = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=6)
    | st.sampled_from([10**400, 2**64, "\ud800", "\0", "nano", "[" * 2000, "../..", "9" * 5000])
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=4), inner),
    max_leaves=4,
)


@pytest.mark.parametrize(("component", "name"), CASES)
@settings(max_examples=12, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_any_request(component: str, name: str, data: st.DataObject) -> None:
    function = found_functions()[component][name]
    # None of these mistakes names a run or a plan that could be started.
    mistake, _ = MISTAKES[component][name]
    chosen = {key: data.draw(st.just(value) | VALUES) for key, value in mistake.items()}
    asked: Any = data.draw(st.just(chosen) | st.just(chosen) | VALUES)
    assert kind_of(function(asked)) != "InternalError", asked
