"""Charts as SVG: well formed, escaped, and every point where its value says."""

from __future__ import annotations

import itertools
from xml.etree import ElementTree

import pytest

from qwen_ui.markup import Series, chart

SVG = "{http://www.w3.org/2000/svg}"


def drawn(*series: Series, log_x: bool = False) -> ElementTree.Element:
    return ElementTree.fromstring(chart("a < b", series, x_title="x", y_title="y", log_x=log_x))


def number(node: ElementTree.Element, name: str) -> float:
    return float(node.get(name, ""))


def points(root: ElementTree.Element) -> list[tuple[float, float]]:
    return [(number(c, "cx"), number(c, "cy")) for c in root.iter(f"{SVG}circle")]


def test_higher_values_stand_higher_and_names_are_escaped() -> None:
    root = drawn(Series("<b>one</b>", [0, 1, 2], [5.0, 4.0, 4.5], "#000000"))
    (x0, y0), (x1, y1), (x2, y2) = points(root)
    assert x0 < x1 < x2
    assert y0 < y2 < y1
    assert x1 - x0 == pytest.approx(x2 - x1, abs=0.2)
    texts = [node.text for node in root.iter(f"{SVG}text")]
    assert "<b>one</b>" in texts
    assert "a < b" in texts


def test_on_a_log_axis_decades_are_equally_wide() -> None:
    root = drawn(Series("s", [1e3, 1e4, 1e6], [1, 1, 1], "#000000"), log_x=True)
    (x0, _), (x1, _), (x2, _) = points(root)
    assert x2 - x1 == pytest.approx(2 * (x1 - x0), abs=0.3)
    assert {"1 K", "10 K", "1 M"} <= {node.text for node in root.iter(f"{SVG}text")}


def test_error_bars_reach_as_far_as_the_error() -> None:
    root = drawn(Series("s", [0, 1], [1.0, 3.0], "#123456", errors=[0, 1.0]))
    (_, y0), (_, y1) = points(root)
    (bar,) = [
        node.get("d", "")
        for node in root.iter(f"{SVG}path")
        if node.get("stroke") == "#123456" and "V" in node.get("d", "")
    ]
    top, bottom = float(bar.split("V")[1]), float(bar.split()[1].split("V")[0])
    assert abs(top - bottom) == pytest.approx(abs(y1 - y0), abs=0.3)


def test_error_bars_along_x_reach_as_far_as_the_error() -> None:
    root = drawn(Series("s", [0, 1], [1.0, 3.0], "#123456", x_errors=[0, 1.0]))
    (x0, _), (x1, y1) = points(root)
    (bar,) = [
        node.get("d", "")
        for node in root.iter(f"{SVG}path")
        if node.get("stroke") == "#123456" and "H" in node.get("d", "")
    ]
    begin, end = float(bar[1:].split()[0]), float(bar.split("H")[1])
    assert float(bar.split()[1].split("H")[0]) == y1
    assert end - begin == pytest.approx(2 * (x1 - x0), abs=0.3)


def test_labels_of_like_ends_do_not_meet() -> None:
    root = drawn(*(Series(f"plan {i}", [0, 1], [5.0, 4.0 + i / 1000], "#000000") for i in range(4)))
    heights = [
        number(node, "y")
        for node in root.iter(f"{SVG}text")
        if (node.text or "").startswith("plan")
    ]
    heights.sort()
    assert all(b - a >= 13 for a, b in itertools.pairwise(heights))


def test_nothing_to_draw_is_no_chart() -> None:
    assert chart("empty", [Series("s", [], [], "#000000")], x_title="x", y_title="y") == ""
    assert chart("one", [Series("s", [1], [2.0], "#000000")], x_title="x", y_title="y")
