"""One block as SVG, drawn from the anatomy: the residual stream, what leaves it and comes back.

The picture holds no script; every text is escaped. `data-inside` names the module that a shape
stands for, so that the page can light the selected one.
"""

from __future__ import annotations

from html import escape

from qwen_ui.model.anatomy import Anatomy, Module, language_config
from qwen_ui.model.wiring import Part, Wiring, trace_block
from qwen_ui.ui.inspect_tree import subtree_roles

WIDTH = 400
STREAM = 26  # x of the residual stream
LEFT = 64  # x where the parts begin
COLUMNS = 3
CELL, GAP = 40, 8
MAX_CELLS = 9
_WAIT = 22  # room between parts


def block_svg(anatomy: Anatomy, index: int) -> str:
    """The picture of a block.

    Raises:
        ModelError: the model cannot be built again to trace the block.
    """
    block = anatomy.blocks[index]
    return _Drawing(anatomy, block.name, trace_block(anatomy, index)).svg()


class _Drawing:
    """Draws from top to bottom; `y` is where the next shape goes."""

    def __init__(self, anatomy: Anatomy, block: str, wiring: Wiring) -> None:
        self.anatomy, self.block, self.wiring = anatomy, block, wiring
        self.roles = subtree_roles(anatomy)
        self.shapes: list[str] = []
        self.y = 30.0

    def svg(self) -> str:
        width = language_config(self.anatomy.config).get("hidden_size")
        stream = f"residual stream, {width:,} wide" if isinstance(width, int) else "residual stream"
        self._text(STREAM - 12, 14, stream, "qi-note")
        for branch in self.wiring.branches:
            self._branch(branch)
        bottom = self.y + 6
        line = (
            f'<path class="qi-stream" d="M{STREAM} 20V{bottom}" marker-end="url(#qi-arrow)"/>'
            if self.wiring.traced
            else ""
        )
        label = escape(f"{self.block}: {self._spoken()}")
        return (
            f'<svg viewBox="0 0 {WIDTH} {bottom + 12:.0f}" role="img" aria-label="{label}" '
            f'data-block="{escape(self.block)}">'
            '<defs><marker id="qi-arrow" viewBox="0 0 8 8" refX="6" refY="4" markerWidth="7" '
            'markerHeight="7" orient="auto-start-reverse"><path d="M0 0L8 4L0 8z"/></marker></defs>'
            f"{line}{''.join(self.shapes)}</svg>"
        )

    def _spoken(self) -> str:
        return "; ".join(" then ".join(part.name for part in b) for b in self.wiring.branches)

    def _branch(self, branch: tuple[Part, ...]) -> None:
        traced = self.wiring.traced
        middle = (LEFT + WIDTH) / 2
        if traced:
            self.shapes.append(
                f'<circle class="qi-fork" cx="{STREAM}" cy="{self.y}" r="3"/>'
                f'<path class="qi-wire" d="M{STREAM} {self.y}H{middle}V{self.y + _WAIT - 8}" '
                'marker-end="url(#qi-arrow)"/>'
            )
        self.y += _WAIT - 6
        for position, part in enumerate(branch):
            follows = position and branch[position - 1].name in part.reads
            if follows and traced:
                self.shapes.append(
                    f'<path class="qi-wire" d="M{middle} {self.y}V{self.y + _WAIT - 8}" '
                    'marker-end="url(#qi-arrow)"/>'
                )
            if position:
                self.y += _WAIT - 6
            self._part(part, "" if follows or not part.reads else part.reads[0])
        if traced:
            self._join(middle)

    def _join(self, middle: float) -> None:
        """Back to the stream: what the branch put out is added."""
        at = self.y + 18
        self.shapes.append(
            f'<path class="qi-wire" d="M{middle} {self.y}V{at}H{STREAM + 10}" '
            'marker-end="url(#qi-arrow)"/>'
            f'<circle class="qi-sum" cx="{STREAM}" cy="{at}" r="8"/>'
            f'<path class="qi-plus" d="M{STREAM - 4} {at}h8M{STREAM} {at - 4}v8"/>'
        )
        self.y = at + 20

    def _part(self, part: Part, reads: str) -> None:
        """A part's box; `reads` names the part it is wired to where that is not the one above."""
        name = f"{self.block}.{part.name}"
        module = self.anatomy.modules_by_name[name]
        cells = self._cells(module)
        rows = -(-len(cells) // COLUMNS)
        height = 32 + rows * (CELL + GAP)
        title = f"{part.name} · {module.class_name}"
        if not cells and module.own:
            title += f" · {self._shape(module)}"
        if reads:
            title += f" · reads {reads}"
        self.shapes.append(
            f'<g data-inside="{escape(part.name)}" class="qi-part">'
            f"<title>{escape(name)}: {module.parameters:,} parameters</title>"
            f'<rect x="{LEFT}" y="{self.y}" width="{WIDTH - LEFT - 1}" height="{height}" rx="6" '
            f'style="{self._paint(name)}"/>'
        )
        self._text(LEFT + 10, self.y + 20, _fitted(title, 50), "qi-title")
        self.shapes.append("</g>")
        wide = (WIDTH - LEFT - 1 - GAP * (COLUMNS + 1)) / COLUMNS
        for position, (cell, label, below) in enumerate(cells):
            x = LEFT + GAP + (position % COLUMNS) * (wide + GAP)
            y = self.y + 30 + (position // COLUMNS) * (CELL + GAP)
            self._cell(cell, label, below, (x, y, wide))
        self.y += height

    def _cell(self, name: str, label: str, below: str, place: tuple[float, float, float]) -> None:
        x, y, wide = place
        inside = name.removeprefix(f"{self.block}.")
        self.shapes.append(
            f'<g data-inside="{escape(inside)}" class="qi-cell"><title>{escape(name)}</title>'
            f'<rect x="{x:.1f}" y="{y}" width="{wide:.1f}" height="{CELL}" rx="4" '
            f'style="{self._paint(name)}"/>'
        )
        self._text(x + wide / 2, y + 17, _fitted(label, 16), "qi-cell-name")
        self._text(x + wide / 2, y + 32, _fitted(below, 20), "qi-cell-shape")
        self.shapes.append("</g>")

    def _cells(self, module: Module) -> list[tuple[str, str, str]]:
        """(name, label, shape) of the modules inside that hold tensors themselves."""
        prefix = f"{module.name}."
        holders = [m for m in self.anatomy.modules if m.name.startswith(prefix) and m.own]
        if module.own and holders:
            holders.insert(0, module)
        cells = [
            (m.name, m.name.removeprefix(prefix) if m is not module else "own", self._shape(m))
            for m in holders[:MAX_CELLS]
        ]
        if len(holders) > MAX_CELLS:
            more = len(holders) - MAX_CELLS + 1
            cells[-1] = (module.name, f"{more} more", "")
        return cells

    def _shape(self, module: Module) -> str:
        """The shape of the largest tensor; `+ b` where a bias stands beside it."""
        tensors = [self.anatomy.by_name[name] for name in module.own]
        largest = max(tensors, key=lambda tensor: tensor.numel)
        bias = " + b" if any(n.endswith(".bias") for n in module.own) and len(tensors) > 1 else ""
        return " × ".join(f"{size:,}" for size in largest.shape) + bias

    def _paint(self, name: str) -> str:
        role = self.roles.get(name) or "other"
        return f"stroke: var(--q-role-{escape(role)})"

    def _text(self, x: float, y: float, text: str, style: str) -> None:
        self.shapes.append(f'<text x="{x:.1f}" y="{y}" class="{style}">{escape(text)}</text>')


def _fitted(text: str, most: int) -> str:
    return text if len(text) <= most else f"{text[: most - 1]}…"
