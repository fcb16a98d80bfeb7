"""One block as SVG, drawn from the anatomy: the residual stream, what leaves it and comes back.

The picture holds no script; every text is escaped. `data-inside` names the module or tensor that a
shape stands for, so that the page can light the selected one.
"""

from __future__ import annotations

from html import escape

from qwen_ui.model.anatomy import Anatomy
from qwen_ui.model.config_values import config_int, language_config
from qwen_ui.model.dataflow import Dataflow, Part, trace_block
from qwen_ui.model.folding import find_folds
from qwen_ui.ui.inspect.block_boxes import Boxes, text_at

WIDTH = 400
STREAM = 26  # x of the residual stream
LEFT = 64  # x where the parts begin
_WIRE = 14  # length of a wire between parts


def block_svg(anatomy: Anatomy, index: int) -> str:
    """The picture of a block, or of the first one that is built like it.

    Raises:
        ModelError: the model cannot be built again to trace the block.
    """
    name = anatomy.blocks[index].name
    alike = next((f for f in find_folds(anatomy) if name in f.members), None)
    first = index if alike is None else alike.indexes[0]
    dataflow = trace_block(anatomy, first)
    return _Drawing(anatomy, anatomy.blocks[first].name, dataflow).svg()


class _Drawing:
    """Draws from top to bottom; `y` is where the next shape goes."""

    def __init__(self, anatomy: Anatomy, block: str, dataflow: Dataflow) -> None:
        self.anatomy, self.block, self.dataflow = anatomy, block, dataflow
        self.boxes = Boxes(anatomy, block)
        self.shapes: list[str] = []
        self.y = 30.0
        self.stream_from = 20.0

    def svg(self) -> str:
        width = config_int(language_config(self.anatomy.config), "hidden_size")
        stream = f"residual stream, {width:,} wide" if width else "residual stream"
        self.shapes.append(text_at(STREAM - 12, 14, stream, "qi-note"))
        for branch in self.dataflow.branches:
            self._branch(branch)
        bottom = self.y + 10
        if self.dataflow.traced:
            self._stream_to(bottom, end=True)
        else:
            note = "No step can be run without weights: parts in the order of definition."
            self.shapes.append(text_at(STREAM - 12, bottom + 2, note, "qi-note"))
        label = escape(f"{self.block}: {self._spoken()}")
        return (
            f'<svg viewBox="0 0 {WIDTH} {bottom + 12:.0f}" role="img" aria-label="{label}" '
            f'data-block="{escape(self.block)}">'
            f"<defs>{_marker('qi-arrow', 7)}{_marker('qi-flow', 4)}</defs>"
            f"{''.join(self.shapes)}</svg>"
        )

    def _spoken(self) -> str:
        return "; ".join(" then ".join(part.name for part in b) for b in self.dataflow.branches)

    def _stream_to(self, y: float, *, end: bool = False) -> None:
        arrow = ' marker-end="url(#qi-flow)"' if end else ""
        self.shapes.insert(
            0, f'<path class="qi-stream" d="M{STREAM} {self.stream_from}V{y}"{arrow}/>'
        )
        self.stream_from = y

    def _branch(self, branch: tuple[Part, ...]) -> None:
        middle = (LEFT + WIDTH) / 2
        in_stream = any(part.in_stream for part in branch)
        if self.dataflow.traced:
            if in_stream:
                self._stream_to(self.y)
            self.shapes.append(f'<circle class="qi-fork" cx="{STREAM}" cy="{self.y}" r="3"/>')
            self._wire(f"M{STREAM} {self.y}H{middle}V{self.y + _WIRE}")
        self.y += _WIRE + 2
        for position, part in enumerate(branch):
            follows = position > 0 and branch[position - 1].name in part.reads
            if follows and self.dataflow.traced:
                self._wire(f"M{middle} {self.y}V{self.y + _WIRE}")
            if position:
                self.y += _WIRE + 2
            note = "" if follows or not part.reads else f"reads {part.reads[0]}"
            name = f"{self.block}.{part.name}"
            drawn, height = self.boxes.part(name, note, (LEFT, self.y, WIDTH - LEFT - 1))
            self.shapes += drawn
            self.y += height
        if self.dataflow.traced:
            self._join(middle, in_stream)

    def _join(self, middle: float, in_stream: bool) -> None:
        """Back to the stream: what the branch put out is added, or is the stream from here on."""
        at = self.y + 18
        end = STREAM + (4 if in_stream else 10)
        self._wire(f"M{middle} {self.y}V{at}H{end}")
        if in_stream:
            self.stream_from = at
        else:
            self.shapes.append(
                f'<circle class="qi-sum" cx="{STREAM}" cy="{at}" r="8"/>'
                f'<path class="qi-plus" d="M{STREAM - 4} {at}h8M{STREAM} {at - 4}v8"/>'
            )
        self.y = at + 20

    def _wire(self, path: str) -> None:
        self.shapes.append(f'<path class="qi-wire" d="{path}" marker-end="url(#qi-arrow)"/>')


def _marker(name: str, size: int) -> str:
    return (
        f'<marker id="{name}" class="{name}" viewBox="0 0 8 8" refX="6" refY="4" '
        f'markerWidth="{size}" markerHeight="{size}" orient="auto-start-reverse">'
        '<path d="M0 0L8 4L0 8z"/></marker>'
    )
