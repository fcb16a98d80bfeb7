"""One block as SVG, drawn from the anatomy: the residual stream, what leaves it and comes back.

The picture holds no script. `data-inside` names the module or tensor that a shape stands for, so
that the page can light the selected one.
"""

from __future__ import annotations

from qwen_ui.model import (
    Anatomy,
    Dataflow,
    Part,
    config_int,
    find_folds,
    language_config,
    trace_block,
)
from qwen_ui.ui.inspect.block_boxes import Boxes
from qwen_ui.ui.inspect.shapes import Circle, Path, Shape, Text
from qwen_ui.ui.page import render

WIDTH = 420
STREAM = 26  # x of the residual stream
LEFT = 56  # x where the parts begin
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
        self.shapes: list[Shape] = []
        self.y = 30.0
        self.stream_from = 20.0

    def svg(self) -> str:
        width = config_int(language_config(self.anatomy.config), "hidden_size")
        stream = f"residual stream, {width:,} wide" if width else "residual stream"
        self.shapes.append(Text(STREAM - 12, 14, stream, "qi-note"))
        for branch in self.dataflow.branches:
            self._branch(branch)
        bottom = self.y + 10
        if self.dataflow.traced:
            self._stream_to(bottom, end=True)
        else:
            note = "No step can be run without weights: parts in the order of definition."
            self.shapes.append(Text(STREAM - 12, bottom + 2, note, "qi-note"))
        return render(
            "inspect/block.svg",
            width=WIDTH,
            height=f"{bottom + 12:.0f}",
            label=f"{self.block}: {self._spoken()}",
            block=self.block,
            shapes=self.shapes,
        )

    def _spoken(self) -> str:
        return "; ".join(" then ".join(part.name for part in b) for b in self.dataflow.branches)

    def _stream_to(self, y: float, *, end: bool = False) -> None:
        path = f"M{STREAM} {self.stream_from}V{y}"
        self.shapes.insert(0, Path(path, "qi-stream", "qi-flow" if end else ""))
        self.stream_from = y

    def _branch(self, branch: tuple[Part, ...]) -> None:
        middle = (LEFT + WIDTH) / 2
        in_stream = any(part.in_stream for part in branch)
        if self.dataflow.traced:
            if in_stream:
                self._stream_to(self.y)
            self.shapes.append(Circle(STREAM, self.y, 3, "qi-fork"))
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
            place = (LEFT, self.y, WIDTH - LEFT - 1)
            drawn, height = self.boxes.part(name, note, place, part.first)
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
            plus = f"M{STREAM - 4} {at}h8M{STREAM} {at - 4}v8"
            self.shapes += [Circle(STREAM, at, 8, "qi-sum"), Path(plus, "qi-plus")]
        self.y = at + 20

    def _wire(self, path: str) -> None:
        self.shapes.append(Path(path, "qi-wire", "qi-arrow"))
