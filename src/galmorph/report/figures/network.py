"""The network, drawn layer by layer from what was built."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Polygon

from galmorph.report.figures import style
from galmorph.report.language import by, mark, say

Kind = Literal["input", "convolution", "pooling", "flatten", "dropout", "dense", "output"]
# The word on a layer's block, and its colour.
_KINDS: dict[Kind, tuple[str, str]] = {
    "input": (mark("input"), "#BBBBBB"),
    "convolution": (mark("convolution"), "#6699CC"),
    "pooling": (mark("pooling"), "#DDCC77"),
    "flatten": (mark("flatten"), "#CCCCCC"),
    "dropout": (mark("dropout"), "#EEEEEE"),
    "dense": (mark("dense"), "#88BB99"),
    "output": (mark("output"), "#CC6677"),
}
_DETAILS = {"scaled pixels": mark("scaled pixels")}


@dataclass(frozen=True)
class LayerDrawing:
    """One layer as the figure shows it.

    Attributes
    ----------
    kind
        What it does.
    output_shape
        (height, width, channels) of a feature map, or (units,).
    detail
        A word on it: the kernel's size, the activation; may be empty.
    """

    kind: Kind
    output_shape: tuple[int, ...]
    detail: str = ""


@style.house()
def network_diagram(layers: Sequence[LayerDrawing]) -> Figure:
    """Draw each layer's output as a block: its height grows with the side of the map, its depth with the channels.

    Vectors are drawn as tall bars. Heights and depths are by square root and logarithm: sizes are read from the
    labels, not measured.
    """
    figure = style.new_figure(max(style.FULL, 0.72 * len(layers) + 0.4), 3.3)
    axes = figure.add_subplot()
    widest = max((layer.output_shape[0] for layer in layers if len(layer.output_shape) == 3), default=1)
    left = 0.0
    for layer in layers:
        height, width, slant = _extent(layer.output_shape, widest)
        kind, colour = _KINDS[layer.kind]
        step = max(0.95, width + slant + 0.25)
        _block(axes, left + (step - width - slant) / 2, height, width, slant, colour)
        centre = left + step / 2
        shape = by(str(side) for side in layer.output_shape)
        axes.text(centre, -1.38, say(kind), ha="center", va="top", fontsize=8.5)
        axes.text(centre, -1.62, shape, ha="center", va="top", fontsize=8, color=style.INK)
        if layer.detail:
            detail = say(_DETAILS[layer.detail]) if layer.detail in _DETAILS else layer.detail.replace(", ", ",\n")
            axes.text(centre, -1.84, detail, ha="center", va="top", fontsize=7.5, color=style.MUTED)
        left += step
    axes.set_xlim(-0.05, left + 0.05)
    axes.set_ylim(-2.4, 1.55)
    axes.set_aspect("equal")
    axes.set_axis_off()
    return figure


def _extent(shape: tuple[int, ...], widest: int) -> tuple[float, float, float]:
    """Return height, width and slant of a block, in drawing units."""
    if len(shape) == 3:
        side = math.sqrt(shape[0] / widest)
        return 2.1 * side, 0.07 + 0.055 * math.log2(max(shape[2], 1)), 0.42 * side
    return min(2.4, 0.2 + 0.19 * math.log2(max(shape[0], 1))), 0.16, 0.07


def _block(axes: Axes, x: float, height: float, width: float, slant: float, colour: str) -> None:
    """Draw a box seen from the front left, centred on y = 0."""
    bottom, top = -height / 2 - slant / 4, height / 2 - slant / 4
    lift = slant / 2
    front = [(x, bottom), (x + width, bottom), (x + width, top), (x, top)]
    upper = [(x, top), (x + width, top), (x + width + slant, top + lift), (x + slant, top + lift)]
    side = [
        (x + width, bottom),
        (x + width + slant, bottom + lift),
        (x + width + slant, top + lift),
        (x + width, top),
    ]
    for points, shade in ((side, 0.9), (upper, 0.55), (front, 0.75)):
        axes.add_patch(Polygon(points, closed=True, facecolor=colour, alpha=shade, edgecolor=style.INK, linewidth=0.7))
