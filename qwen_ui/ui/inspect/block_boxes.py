"""The boxes of a block's picture: a part, the modules inside it, and the tensors that they hold."""

from __future__ import annotations

from collections.abc import Collection

from qwen_ui.formats import shape_text
from qwen_ui.model import Anatomy, Module, children_by_parent, is_bias
from qwen_ui.ui.inspect.shapes import Box, Path, Shape, Text
from qwen_ui.ui.inspect.tree import subtree_roles

COLUMNS = 3
CELL, GAP, TITLE, STEP = 40, 8, 30, 16
MAX_CELLS = 9
BIAS = " + b"
_EM = 0.6  # width of a letter in the fonts at hand, as a share of their size
_Place = tuple[float, float, float]  # x, y, width
_CellText = tuple[str, str, str]  # name, label, shape


class Boxes:
    """Draws boxes of one block; a box returns its shapes and its height."""

    def __init__(self, anatomy: Anatomy, block: str) -> None:
        self.anatomy, self.block = anatomy, block
        self.roles = subtree_roles(anatomy)
        self.children = children_by_parent(anatomy.modules)
        self.first: set[str] = set()

    def part(
        self, name: str, note: str, place: _Place, first: Collection[str]
    ) -> tuple[list[Shape], float]:
        """A module right below the block.

        Args:
            name: its full name.
            note: stands where its shape would.
            first: the modules inside that read what it reads (`Part.first`).
        """
        self.first = {f"{name}.{path}" for path in first}
        return self._box(self.anatomy.modules_by_name[name], note, place)

    def _box(self, module: Module, note: str, place: _Place) -> tuple[list[Shape], float]:
        x, y, width = place
        inner, inside = self._inside(module, (x + GAP, y + TITLE, width - 2 * GAP))
        height = TITLE + inner + GAP if inside else TITLE + 2
        right = note or ("" if inside or not module.own else self._shape(module))
        box = Box(
            *(x, y, width, height),
            style="qi-part",
            inside=self._path(module.name),
            says=f"{module.name}: {module.class_name}, {module.parameters:,} parameters",
            role=self._role(module.name),
            corner=6,
            texts=self._title(module, right, place),
        )
        return [box, *inside], height

    def _title(self, module: Module, right: str, place: _Place) -> tuple[Text, ...]:
        """Name, class where there is room for it, and what stands at the right."""
        x, y, width = place
        name = self._path(module.name).rpartition(".")[2]
        name = self._path(module.name) if name.isdecimal() else name
        room = int((width - 20) / (12 * _EM)) - len(right)
        # The name is bold, and a gap is left before what stands at the right.
        fits = 1.1 * len(name) + len(module.class_name) + 4 <= room
        title = Text(x + 10, y + 20, module.class_name if fits else "", name=_cut(name, room))
        return (title, Text(x + width - 10, y + 20, right, "qi-right")) if right else (title,)

    def _inside(self, module: Module, place: _Place) -> tuple[float, list[Shape]]:
        """Cells of what holds tensors directly, then boxes of what holds modules that do."""
        x, y, width = place
        shapes: list[Shape] = []
        height: float = 0
        for cells in self._steps(self._cells(module)):
            if height:
                wire = f"M{x + width / 2} {y + height}V{y + height + STEP - 1}"
                shapes.append(Path(wire, "qi-wire", "qi-arrow"))
                height += STEP
            columns = min(COLUMNS, len(cells))
            wide = (width - GAP * (columns - 1)) / columns
            for position, (path, label, below) in enumerate(cells):
                at = x + (position % columns) * (wide + GAP)
                down = y + height + (position // columns) * (CELL + GAP)
                shapes.append(self._cell(path, label, below, (at, down, wide)))
            height += -(-len(cells) // columns) * (CELL + GAP) - GAP
        for child in self.children[module.name]:
            if not self._is_box(child):
                continue
            height += GAP if height else 0
            drawn, taken = self._box(child, "", (x, y + height, width))
            shapes += drawn
            height += taken
        return height, shapes

    def _steps(self, cells: list[_CellText]) -> list[list[_CellText]]:
        """The cells that read what the part reads, then those that work on what these made."""
        first = [cell for cell in cells if cell[0] in self.first]
        if not first:
            return [cells] if cells else []
        others = [cell for cell in cells if cell not in first]
        return [first, others] if others else [first]

    def _cells(self, module: Module) -> list[_CellText]:
        """(name, label, shape) of own tensors beside modules, and of plain modules."""
        holders = [child for child in self.children[module.name] if child.parameters]
        own = [self.anatomy.by_name[name] for name in module.own]
        # A plain module (a linear map, a norm) is told by its title alone.
        fused = any(len(p.shape) > 2 for p in own) and len(own) > 1
        cells = [
            (p.name, p.name.rpartition(".")[2], shape_text(p.shape))
            for p in (own if holders or fused else [])
        ]
        cells += [
            (child.name, child.name.rpartition(".")[2], self._below(child))
            for child in holders
            if not self._is_box(child)
        ]
        if len(cells) > MAX_CELLS:
            more = len(cells) - MAX_CELLS + 1
            cells[MAX_CELLS - 1 :] = [(module.name, f"{more} more", "")]
        return cells

    def _is_box(self, module: Module) -> bool:
        """Whether a module is drawn with what is inside it; a list of alike modules is a cell."""
        below = self.children[module.name]
        if not module.parameters or (below and below[0].name.rpartition(".")[2].isdecimal()):
            return False
        fused = len(module.own) > 1 and any(
            len(self.anatomy.by_name[name].shape) > 2 for name in module.own
        )
        return fused or any(child.parameters for child in below)

    def _below(self, module: Module) -> str:
        """What stands below a cell's label: a shape, or what a list holds."""
        if module.own:
            return self._shape(module)
        members = self.children[module.name]
        return f"{len(members)} × {members[0].class_name}" if members else ""

    def _cell(self, name: str, label: str, below: str, place: _Place) -> Box:
        x, y, wide = place
        middle = x + wide / 2
        name_text = _cut(label, int(wide / (12 * _EM)))
        most = int(wide / (10 * _EM))
        sizes_text = below if len(below) <= most else _cut(below.removesuffix(BIAS), most)
        return Box(
            *(x, y, wide, CELL),
            style="qi-cell",
            inside=self._path(name),
            says=f"{name}: {below}",
            role=self._role(name),
            corner=4,
            texts=(
                Text(middle, y + 17, name_text, "qi-cell-name"),
                Text(middle, y + 32, sizes_text, "qi-cell-shape"),
            ),
        )

    def _shape(self, module: Module) -> str:
        """The shape of the largest tensor; `+ b` where a bias stands beside it."""
        tensors = [self.anatomy.by_name[name] for name in module.own]
        largest = max(tensors, key=lambda tensor: tensor.numel)
        bias = any(is_bias(n) for n in module.own) and len(tensors) > 1
        return shape_text(largest.shape) + (BIAS if bias else "")

    def _path(self, name: str) -> str:
        return name.removeprefix(f"{self.block}.")

    def _role(self, name: str) -> str:
        tensor = self.anatomy.by_name.get(name)
        return str(tensor.role) if tensor else self.roles.get(name) or "other"


def _cut(text: str, most: int) -> str:
    return text if len(text) <= most else f"{text[: max(most - 1, 1)]}…"
