"""A contact sheet: example stamps of each class.

A contact sheet of galaxies that most runs get wrong.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from numpy.typing import NDArray

from galmorph.report.figures import style
from galmorph.report.figures.cutout import border, stretch
from galmorph.report.language import SOURCE, current
from galmorph.report.names import class_name
from galmorph.settings.fields import CLASS_NAMES


def example_rows(galaxies: pd.DataFrame, per_class: int) -> dict[str, NDArray[np.int64]]:
    """Return the rows shown of each class that has any: evenly spaced through the sample, chosen by nothing else."""
    rows: dict[str, NDArray[np.int64]] = {}
    for name in CLASS_NAMES:
        of_class = np.flatnonzero((galaxies["class"] == name).to_numpy())
        if len(of_class):
            places = np.linspace(0, len(of_class) - 1, min(per_class, len(of_class)))
            rows[name] = of_class[np.round(places).astype(np.int64)].astype(np.int64)
    return rows


@style.house()
def contact_sheet(images: NDArray[np.float32], galaxies: pd.DataFrame, per_class: int) -> Figure:
    """Draw example stamps, one row of pictures per class.

    Parameters
    ----------
    images
        (n, size, size) float32, DN, (y, x); a memory map will do, only the rows shown are read.
    galaxies
        n rows: `class`, and `redshift`, printed in the corner where it is finite.
    per_class
        Stamps per class; fewer where the class has fewer.
    """
    rows = example_rows(galaxies, per_class)
    columns = min(per_class, 8)
    lines = [
        (name, chosen[at : at + columns]) for name, chosen in rows.items() for at in range(0, len(chosen), columns)
    ]
    side = style.FULL / columns if columns > 4 else 1.4
    figure = style.new_figure(side * columns + 0.3, side * len(lines), gap=0.01)
    redshift = galaxies["redshift"].to_numpy(dtype=float, na_value=np.nan)
    grid = figure.subplots(len(lines), columns, squeeze=False)
    for (name, chosen), cells in zip(lines, grid, strict=True):
        for axes in cells:
            axes.set_axis_off()
        for row, axes in zip(chosen, cells, strict=False):
            axes.imshow(stretch(images[row], border(images[row])), cmap="gray", origin="lower", vmin=0, vmax=1)
            if np.isfinite(redshift[row]):
                axes.text(0.04, 0.04, f"z = {redshift[row]:.3f}", transform=axes.transAxes, color="white", fontsize=7.5)
        at = {"transform": cells[0].transAxes, "ha": "right", "va": "center"}
        cells[0].text(-0.08, 0.5, class_name(name), rotation=90, fontsize=10, **at)
    return figure


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
