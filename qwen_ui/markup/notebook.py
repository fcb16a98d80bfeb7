"""How a value shows itself in a notebook (IPython's `_repr_html_`): a heading, tables, pictures.

Plain HTML and SVG with one small style sheet, which a notebook that drops styles can do without.
Nothing is fetched, and nothing runs in the browser.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, fields

from qwen_ui.formats import short_bytes, short_count, short_flops
from qwen_ui.markup.templates import render

MOST_ROWS = 60
# A picture of more cells than this says less than its counts do.
MOST_CELLS = 20_000
CELL, GAP, LEFT, TOP = 12, 2, 190, 18
TICK_EVERY = 4


@dataclass(frozen=True, slots=True)
class Table:
    """Rows of text under their heads.

    Attributes:
        right: columns that hold numbers.
        shares: the length of a bar behind the last cell of each row, 0 to 1; empty for none.
        left_out: how many rows are not shown.
    """

    heads: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    right: frozenset[int] = frozenset()
    shares: tuple[float, ...] = ()
    left_out: int = 0


@dataclass(frozen=True, slots=True)
class Grid:
    """Kinds of parameters by blocks; a cell trains, is frozen, or does not exist.

    Attributes:
        rows: name of each row.
        columns: how many blocks there are.
        frozen, trained: (row, column) of the cells.
    """

    rows: tuple[str, ...]
    columns: int
    frozen: frozenset[tuple[int, int]]
    trained: frozenset[tuple[int, int]]

    @property
    def is_shown(self) -> bool:
        return 0 < len(self.rows) * self.columns <= MOST_CELLS

    @property
    def width(self) -> int:
        return LEFT + self.columns * CELL + GAP

    @property
    def height(self) -> int:
        return TOP + len(self.rows) * CELL + GAP

    @property
    def labels(self) -> list[tuple[int, str]]:
        """(y, name) of each row; a long name keeps its end, which tells it from others."""
        return [
            (TOP + row * CELL + CELL - GAP - 1, name if len(name) <= 30 else f"…{name[-29:]}")
            for row, name in enumerate(self.rows)
        ]

    @property
    def ticks(self) -> list[tuple[int, int]]:
        """(x, index) of the blocks that are numbered."""
        return [(LEFT + i * CELL + CELL // 2, i) for i in range(0, self.columns, TICK_EVERY)]

    def path(self, cells: Iterable[tuple[int, int]]) -> str:
        """All these cells as one path."""
        side = CELL - GAP
        return "".join(
            f"M{LEFT + column * CELL} {TOP + row * CELL}h{side}v{side}h-{side}z"
            for row, column in sorted(cells)
        )


def table(
    heads: Sequence[str],
    rows: Iterable[Sequence[object]],
    *,
    right: Collection[int] = (),
    shares: Sequence[float] = (),
) -> Table:
    """A table of at most `MOST_ROWS` rows, which says how many more there are."""
    every = [tuple(map(str, row)) for row in rows]
    return Table(
        tuple(heads),
        tuple(every[:MOST_ROWS]),
        frozenset(right),
        tuple(shares[:MOST_ROWS]),
        max(len(every) - MOST_ROWS, 0),
    )


def figures_table(record: object) -> Table:
    """The figures of a dataclass, a row each, in the units that their names tell."""
    rows = []
    for field in fields(record):  # type: ignore[arg-type]  # of any dataclass
        value = getattr(record, field.name)
        if isinstance(value, bool):
            shown, exact = ("yes" if value else "no"), ""
        elif field.name.startswith("flops"):
            shown, exact = short_flops(value), f"{value:,}"
        elif "_bytes" in field.name:
            shown, exact = short_bytes(value), f"{value:,}"
        else:
            shown, exact = short_count(value), f"{value:,}"
        rows.append((field.name.replace("_", " ").capitalize(), shown, exact))
    return table(("", "", "exactly"), rows, right=(1, 2))


def view(
    title: str,
    *,
    sentences: Iterable[str] = (),
    notes: Iterable[str] = (),
    tables: Iterable[Table] = (),
    grid: Grid | None = None,
    charts: Iterable[str] = (),
) -> str:
    """The HTML of one value.

    Args:
        sentences: what it is, in words.
        notes: what to know before it is used.
        charts: SVG, as `chart` gives it.
    """
    return str(
        render(
            "markup/notebook.html",
            title=title,
            sentences=list(sentences),
            notes=list(notes),
            tables=list(tables),
            grid=grid if grid is not None and grid.is_shown else None,
            charts=[chart for chart in charts if chart],
        )
    )
