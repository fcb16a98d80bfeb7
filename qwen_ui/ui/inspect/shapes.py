"""The shapes of a block's picture as data, in pixels; the template `block.svg` draws them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar


@dataclass(frozen=True, slots=True)
class Text:
    """A line of text; with a `name`, that name and then `text`, each in its own style."""

    type: ClassVar[str] = "text"
    x: float
    y: float
    text: str
    style: str = ""
    name: str = ""


@dataclass(frozen=True, slots=True)
class Path:
    """A wire; `arrow` names the marker at its end, "" for none."""

    type: ClassVar[str] = "path"
    path: str
    style: str
    arrow: str = ""


@dataclass(frozen=True, slots=True)
class Circle:
    """A fork or a sum on the residual stream."""

    type: ClassVar[str] = "circle"
    x: float
    y: float
    radius: float
    style: str


@dataclass(frozen=True, slots=True)
class Box:
    """A module or tensor.

    Attributes:
        inside: its path inside the block, for the page to light the selected one.
        says: what it says on hover.
        role: gives its colour.
        corner: radius of its corners.
    """

    type: ClassVar[str] = "box"
    x: float
    y: float
    width: float
    height: float
    style: str
    inside: str
    says: str
    role: str
    corner: int
    texts: tuple[Text, ...] = ()


Shape = Text | Path | Circle | Box
