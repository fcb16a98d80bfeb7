"""Figures that Python makes, as the page's script is given them."""

from __future__ import annotations

import json

import plotly.graph_objects as go

from qwen_ui.ui.page import figure_value, plotly_script


def test_a_figure_is_json_without_plotly_s_own_look() -> None:
    figure = go.Figure(go.Bar(x=[1, 2], y=[3, 4])).update_layout(height=200)
    found = json.loads(figure_value(figure))
    assert found["data"][0]["y"] == [3, 4]
    assert found["layout"]["height"] == 200
    assert list(found["layout"]["template"]["data"]) == ["scatter"]


def test_the_library_is_a_module_with_its_license_and_no_more_than_we_draw() -> None:
    text = plotly_script().read_text(encoding="utf-8")
    assert "MIT License" in text[:200]
    assert text.rstrip().endswith("export default Plotly;")
    assert "</script" not in text
    assert len(text) < 1_300_000
