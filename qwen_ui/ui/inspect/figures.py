"""Every plotly figure. The only importer of plotly.

plotly reads no CSS variables, so colours are given for the light and the dark page; they are those
of `ui/page/static/colours.css` (Okabe-Ito, https://jfly.uni-koeln.de/color/).
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import plotly.graph_objects as go

from qwen_ui.formats import percent, shape_text, short_count
from qwen_ui.model import group_kinds, is_bias
from qwen_ui.ui.inspect.contrast import ink_on

if TYPE_CHECKING:
    from qwen_ui.model import Anatomy
    from qwen_ui.model.weights import WeightGrid

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
        "modebar": {"bgcolor": "rgba(0,0,0,0)", "color": MUTED[dark]},
        "showlegend": False,
        "hoverlabel": {"font": {"family": FONT, "size": 13}},
    }


def parameter_treemap(anatomy: Anatomy, *, dark: bool) -> go.Figure:
    """Kinds by area, grouped by role; a tensor that is listed twice is counted once."""
    colours = ROLE_COLOURS[dark]
    groups = group_kinds(anatomy)
    roles: dict[str, int] = defaultdict(int)
    for group in groups:
        roles[str(group.role)] += group.parameters
    # (id, label, parent, parameters, colour, what hovering says)
    cells: list[tuple[str, str, str, int, str, str]] = [
        ("model", anatomy.source, "", anatomy.total_parameters, "rgba(0,0,0,0)", anatomy.source)
    ]
    cells += [(role, role, "model", count, colours[role], role) for role, count in roles.items()]
    for group in groups:
        role = str(group.role)
        where = f"{group.label}<br>{group.tensors} × {shape_text(group.shape)}"
        name = f"{role}/{group.label}/{bool(group.blocks)}"
        cells.append((name, _leaf(group.label), role, group.parameters, colours[role], where))
    ids, labels, parents, values, paint, hover = (
        list(column) for column in zip(*cells, strict=True)
    )
    figure = go.Figure(
        go.Treemap(
            ids=ids,
            labels=labels,
            parents=parents,
            values=values,
            customdata=[
                f"{name}<br>{value:,} parameters, {percent(value / anatomy.total_parameters)}"
                for name, value in zip(hover, values, strict=True)
            ],
            branchvalues="total",
            marker={"colors": paint, "line": {"color": SURFACE[dark], "width": 2}, "pad": _PAD},
            text=[short_count(value) for value in values],
            texttemplate="%{label}<br>%{text}",
            hovertemplate="%{customdata}<extra></extra>",
            pathbar={"visible": False},
            tiling={"pad": 1},
        )
    )
    inks = [INK[dark], *map(ink_on, paint[1:])]  # the model itself has the page's ground
    figure.update_traces(textfont={"color": inks})
    figure.update_layout(uniformtext={"minsize": 11, "mode": "hide"})
    return figure.update_layout(**base_layout(dark=dark, height=340))


def _leaf(label: str) -> str:
    """The shortest name that says what it is: `q_proj`, `q_proj.bias`, `gate_up_proj`."""
    path = label.removesuffix(".weight").split(".")
    return ".".join(path[-2:]) if is_bias(label) else path[-1]


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
            **_count_ticks(max((block.parameters for block in anatomy.blocks), default=0)),
        },
    }
    return figure.update_layout(**layout)


def _count_ticks(most: int) -> dict[str, Any]:
    """Four or five round counts up to `most`, written as the page writes them (not `12G`)."""
    rough = max(most, 1) / 4
    unit = 10 ** math.floor(math.log10(rough))
    step = next(unit * k for k in (1, 2, 2.5, 5, 10) if unit * k >= rough)
    ticks = [step * i for i in range(int(most / step) + 1)]
    text = [
        f"{tick / 1e3:g} K" if tick and 1e4 <= most < 1e6 else short_count(round(tick))
        for tick in ticks
    ]
    return {"tickvals": ticks, "ticktext": text}


def weight_heatmap(grid: WeightGrid, *, dark: bool, by_kind: bool = False) -> go.Figure:
    """A measure of the weights, kinds down and blocks across.

    The scale leaves out the outermost fiftieth at either end, so that one extreme tensor does not
    wash out the rest; its exact value is there on hover. With `by_kind`, a colour is a tensor's
    place between the least and the most of its own kind.
    """
    shown = [_stretched(row) for row in grid.values] if by_kind else grid.values
    values = sorted(v for row in shown for v in row if v == v)
    low, high = (values[len(values) // 50], values[-1 - len(values) // 50]) if values else (0, 1)
    ground, full = ("#1d2a37", "#7cc7f2") if dark else ("#e9eff6", "#0b4f8a")
    figure = go.Figure(
        go.Heatmap(
            x=list(grid.blocks),
            y=list(grid.kinds),
            # NaN, where a block has no such kind, is a gap.
            z=[[v if v == v else None for v in row] for row in shown],
            customdata=[list(row) for row in grid.values],
            zmin=low,
            zmax=high if high > low else low + 1,
            colorscale=[[0, ground], [1, full]],
            xgap=1,
            ygap=1,
            colorbar={
                "orientation": "h",
                "thickness": 10,
                "len": 1,
                "outlinewidth": 0,
                "tickformat": ".3~g",
                "tickangle": 0,
                "nticks": 4,
                "x": 0,
                "xanchor": "left",
                "y": 0,
                "yref": "container",
                "yanchor": "bottom",
            }
            | ({"tickvals": [0, 1], "ticktext": ["least", "most"]} if by_kind else {}),
            hovertemplate="block %{x}, %{y}<br>"
            + grid.measure
            + " %{customdata:.6g}<extra></extra>",
        )
    )
    layout = base_layout(dark=dark, height=max(260, 130 + 24 * len(grid.kinds)))
    layout |= {
        "margin": {"l": 8, "r": 8, "t": 8, "b": 84},
        "xaxis": {"title": _small("block"), "showgrid": False, "zeroline": False},
        "yaxis": {
            "autorange": "reversed",
            "automargin": True,
            "showgrid": False,
            # The last part says which it is; hovering says all.
            "tickvals": list(grid.kinds),
            "ticktext": _short_names(grid.kinds),
            "tickfont": {"size": 12},
        },
    }
    return figure.update_layout(**layout)


def _short_names(kinds: Sequence[str]) -> list[str]:
    """The leaf of each, or the whole of all where two would be the same."""
    short = [_leaf(kind) for kind in kinds]
    return short if len(set(short)) == len(short) else list(kinds)


def _stretched(row: Sequence[float]) -> list[float]:
    """0 for the least of a row, 1 for the most; NaN stays."""
    known = [value for value in row if value == value]
    low, span = min(known, default=0.0), max(known, default=0.0) - min(known, default=0.0)
    return [(value - low) / span if span else value * 0 for value in row]


def _small(text: str) -> dict[str, Any]:
    return {"text": text, "font": {"size": 13}}
