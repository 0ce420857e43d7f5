"""A contact sheet of galaxies that most runs get wrong."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from galmorph.report.figures import style
from galmorph.report.figures.cutout import border, stretch
from galmorph.report.language import SOURCE, current

COLUMNS = 6


@style.house()
def hardest_sheet(images: NDArray[np.float32], legends: Sequence[str]) -> Figure:
    """Draw stamps with some lines under each.

    Parameters
    ----------
    images
        (n, size, size) float32, DN, (y, x).
    legends
        n texts.
    """
    lines = -(-len(images) // COLUMNS)
    tallest = max(legend.count("\n") + 1 for legend in legends)
    side = style.FULL / COLUMNS
    # The digits of the sans serif of other languages are wider, and an object id has 18.
    size = 7 if current() == SOURCE else 5.8
    figure = style.new_figure(style.FULL, lines * (side + 0.125 * tallest), gap=0.015)
    cells = figure.subplots(lines, COLUMNS, squeeze=False).ravel()
    for axes in cells:
        axes.set_axis_off()
    for axes, image, legend in zip(cells, images, legends, strict=False):
        axes.imshow(stretch(image, border(image)), cmap="gray", origin="lower", vmin=0, vmax=1)
        axes.text(0.5, -0.04, legend, transform=axes.transAxes, ha="center", va="top", fontsize=size, linespacing=1.15)
    return figure
