"""Every plotly figure. The only importer of plotly.

plotly reads no CSS variables, so colours are given for the light and the dark page; they are those
of `assets/style.css` (Okabe-Ito, https://jfly.uni-koeln.de/color/).
"""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, Any

import plotly.graph_objects as go

from qwen_ui.ui.numbers import short_count

if TYPE_CHECKING:
    from qwen_ui.model import Anatomy
    from qwen_ui.model.weight_grid import WeightGrid

ROLE_COLOURS: dict[bool, dict[str, str]] = {
    False: {
        "attention": "#0072b2",
        "mlp": "#009e73",
        "norm": "#b8860b",
        "embedding": "#cc79a7",
        "head": "#8c5383",
        "router": "#d55e00",
        "expert": "#56b4e9",
        "other": "#7a7f87",
    },
    True: {
        "attention": "#4aa8e0",
        "mlp": "#2bc196",
        "norm": "#f0c84a",
        "embedding": "#e19cc2",
        "head": "#c08ab8",
        "router": "#f08a3c",
        "expert": "#7cc7f2",
        "other": "#a5abb4",
    },
}
INK = {False: "#16202b", True: "#e8edf3"}
MUTED = {False: "#566475", True: "#9aa9ba"}
LINE = {False: "#dde3ea", True: "#2b3847"}
SURFACE = {False: "#f7f9fb", True: "#10171f"}
FONT = "system-ui, -apple-system, Segoe UI, Roboto, sans-serif"


def base_layout(*, dark: bool, height: int) -> dict[str, Any]:
    """What all figures share: the page's ground, ink and font."""
    return {
        "height": height,
        "margin": {"l": 8, "r": 8, "t": 8, "b": 8},
        "paper_bgcolor": "rgba(0,0,0,0)",
        "plot_bgcolor": "rgba(0,0,0,0)",
        "font": {"family": FONT, "size": 13, "color": INK[dark]},
        "showlegend": False,
        "hoverlabel": {"font": {"family": FONT, "size": 13}},
    }


def parameter_treemap(anatomy: Anatomy, *, dark: bool) -> go.Figure:
    """Kinds by area, grouped by role; a tensor that is listed twice is counted once."""
    colours = ROLE_COLOURS[dark]
    roles: dict[str, int] = defaultdict(int)
    for kind in anatomy.kinds:
        roles[str(kind.role)] += kind.parameters
    ids, labels, parents, values, paint = (
        [""],
        [anatomy.source],
        [""],
        [anatomy.total_parameters],
        [],
    )
    ids[0] = "model"
    paint.append("rgba(0,0,0,0)")
    for role, count in roles.items():
        ids.append(role)
        labels.append(role)
        parents.append("model")
        values.append(count)
        paint.append(colours[role])
    for kind in anatomy.kinds:
        ids.append(f"{kind.role}/{kind.kind}/{len(kind.blocks)}")
        labels.append(kind.kind if kind.blocks else kind.kind.removeprefix("model."))
        parents.append(str(kind.role))
        values.append(kind.parameters)
        paint.append(colours[str(kind.role)])
    figure = go.Figure(
        go.Treemap(
            ids=ids,
            labels=labels,
            parents=parents,
            values=values,
            branchvalues="total",
            marker={"colors": paint, "line": {"color": SURFACE[dark], "width": 2}, "pad": _PAD},
            text=[short_count(value) for value in values],
            texttemplate="%{label}<br>%{text}",
            hovertemplate="%{label}<br>%{value:,} parameters, %{percentRoot:.3%}<extra></extra>",
            pathbar={"visible": False},
            tiling={"pad": 1},
        )
    )
    figure.update_layout(uniformtext={"minsize": 11, "mode": "hide"})
    return figure.update_layout(**base_layout(dark=dark, height=340))


_PAD = {"t": 22, "l": 2, "r": 2, "b": 2}


def block_bars(anatomy: Anatomy, *, dark: bool) -> go.Figure:
    """Parameters of every block as a bar stacked by role."""
    colours = ROLE_COLOURS[dark]
    counts: dict[str, list[int]] = {}
    for parameter in anatomy.parameters:
        if parameter.block is not None:
            row = counts.setdefault(str(parameter.role), [0] * anatomy.block_count)
            row[parameter.block] += parameter.numel
    figure = go.Figure()
    for role, row in sorted(counts.items(), key=lambda item: -sum(item[1])):
        figure.add_bar(
            x=list(range(anatomy.block_count)),
            y=row,
            name=role,
            marker={"color": colours[role], "line": {"width": 0}},
            hovertemplate=f"block %{{x}}, {role}<br>%{{y:,}} parameters<extra></extra>",
        )
    layout = base_layout(dark=dark, height=340)
    layout |= {
        "barmode": "stack",
        "bargap": 0.25,
        "showlegend": True,
        "legend": {
            "orientation": "h",
            "y": 1.02,
            "yanchor": "bottom",
            "x": 0,
            "font": {"size": 12},
        },
        "margin": {"l": 52, "r": 8, "t": 34, "b": 42},
        "xaxis": {"title": _small("block"), "showgrid": False, "color": MUTED[dark]},
        "yaxis": {
            "gridcolor": LINE[dark],
            "zerolinecolor": LINE[dark],
            "color": MUTED[dark],
            "tickformat": "~s",
        },
    }
    return figure.update_layout(**layout)


def weight_heatmap(grid: WeightGrid, *, dark: bool) -> go.Figure:
    """A measure of the weights, kinds down and blocks across.

    The scale leaves out the outermost fiftieth at either end, so that one extreme tensor does not
    wash out the rest; its exact value is there on hover.
    """
    values = sorted(v for row in grid.values for v in row if v == v)
    low, high = (values[len(values) // 50], values[-1 - len(values) // 50]) if values else (0, 1)
    ground, full = (SURFACE[True], "#7cc7f2") if dark else ("#e9eff6", "#0b4f8a")
    figure = go.Figure(
        go.Heatmap(
            x=list(grid.blocks),
            y=list(grid.kinds),
            # NaN, where a block has no such kind, is a gap.
            z=[[v if v == v else None for v in row] for row in grid.values],
            zmin=low,
            zmax=high if high > low else low + 1,
            colorscale=[[0, ground], [1, full]],
            xgap=1,
            ygap=1,
            colorbar={"thickness": 10, "outlinewidth": 0, "tickformat": ".3~g"},
            hovertemplate="block %{x}, %{y}<br>" + grid.measure + " %{z:.6g}<extra></extra>",
        )
    )
    layout = base_layout(dark=dark, height=max(220, 90 + 24 * len(grid.kinds)))
    layout |= {
        "margin": {"l": 8, "r": 8, "t": 8, "b": 44},
        "xaxis": {"title": _small("block"), "showgrid": False, "zeroline": False},
        "yaxis": {"autorange": "reversed", "automargin": True, "showgrid": False},
    }
    return figure.update_layout(**layout)


def _small(text: str) -> dict[str, Any]:
    return {"text": text, "font": {"size": 13}}
