"""Maps of the scores over the levels, confusion matrices at the corners, and the galaxies as each level shows them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from numpy.typing import NDArray

from galmorph.report.figures import style
from galmorph.report.figures.confusion import colour_bar, draw
from galmorph.report.figures.cutout import border, stretch
from galmorph.report.language import say
from galmorph.report.names import class_name
from galmorph.report.resolution.labels import in_line, stacked
from galmorph.report.resolution.results import Level, ResolutionResults, ends, levels_tested, levels_trained
from galmorph.report.resolution.scores import mean_std, score
from galmorph.report.table import METRICS, MISSING, number

Metric = Literal["accuracy", "tss"]
_CELL = 0.8
# The least range of a colour scale: two scores that are all but the same shall not look like black and white.
_LEAST_RANGE = 0.05


@style.house()
def heat_map(results: ResolutionResults, metric: Metric) -> Figure:
    """Draw a score of every pair of levels: rows trained at, columns tested at, mean ± 1 std over the runs.

    Cells where both are the same level are framed. The colours run from the lowest to the highest mean.
    """
    rows, columns = levels_trained(results), levels_tested(results)
    cells = [[mean_std(score(results, metric, trained, tested)) for tested in columns] for trained in rows]
    means = np.array([[mean for mean, _ in row] for row in cells])
    low, high = _range(means)
    figure = style.new_figure(_CELL * len(columns) + 2.0, 0.62 * len(rows) + 1.1)
    axes = figure.add_subplot()
    image = axes.imshow(np.ma.masked_invalid(means), cmap="Blues", vmin=low, vmax=high, aspect=0.62 / _CELL)
    axes.set_facecolor(style.PALE)
    for row, trained in enumerate(rows):
        for column, tested in enumerate(columns):
            mean, std = cells[row][column]
            colour = "white" if (mean - low) / (high - low) > 0.55 else style.INK
            axes.text(column, row, _cell(mean, std), ha="center", va="center", color=colour, fontsize=9.5)
            if trained.name == tested.name:
                corner = (column - 0.46, row - 0.46)
                axes.add_patch(Rectangle(corner, 0.92, 0.92, fill=False, edgecolor="#E09000", linewidth=1.4))
    axes.set_xticks(range(len(columns)), [stacked(level) for level in columns])
    axes.set_yticks(range(len(rows)), [stacked(level) for level in rows])
    axes.set_xlabel(say("tested at (PSF FWHM)"))
    axes.set_ylabel(say("trained at (PSF FWHM)"))
    axes.set_xticks(np.arange(len(columns) - 1) + 0.5, minor=True)
    axes.set_yticks(np.arange(len(rows) - 1) + 0.5, minor=True)
    axes.grid(which="minor", color="white", linewidth=1.2)
    axes.tick_params(which="both", length=0)
    bar = figure.colorbar(image, ax=axes, pad=0.03, shrink=0.9)
    bar.set_label(say(METRICS[metric]))
    bar.outline.set_linewidth(0.5)
    return figure


def _range(means: NDArray[np.float64]) -> tuple[float, float]:
    """Return the lowest and the highest mean, further apart where they are all but the same."""
    known = means[np.isfinite(means)]
    if not len(known):
        return 0.0, 1.0
    low, high = float(known.min()), float(known.max())
    missing = max(_LEAST_RANGE - (high - low), 0.0)
    return low - missing / 2, high + missing / 2


def _cell(mean: float, std: float) -> str:
    """Return a mean above its spread; a dash for what is missing."""
    return MISSING if np.isnan(mean) else f"{number(mean)}\n± {number(std)}"


@style.house()
def corner_confusions(results: ResolutionResults) -> Figure:
    """Draw the confusion matrices of the first and the last level: rows trained at, columns tested at."""
    levels = ends(results)
    count = len(levels)
    figure = style.new_figure(3.0 * count + 0.8, 3.2 * count)
    grid = figure.subplots(count, count, squeeze=False)
    images = []
    for trained, row in zip(levels, grid, strict=True):
        for tested, axes in zip(levels, row, strict=True):
            images.append(draw(axes, results.confusion[trained.name, tested.name], results.classes))
            title = say("trained at {trained},\ntested at {tested}", trained=in_line(trained), tested=in_line(tested))
            axes.set_title(title, fontsize=9.5)
    colour_bar(figure, images[0], list(grid.ravel()), shrink=0.5 if count > 1 else 0.85)
    return figure


@style.house()
def stamps_at_every_level(
    images: Mapping[str, NDArray[np.float32]], classes: Sequence[str], levels: Sequence[Level]
) -> Figure:
    """Draw the same galaxies at every level: a row for each galaxy, a column for each level.

    Parameters
    ----------
    images
        Level to (n, size, size) float32, DN, (y, x): row i is the same galaxy at every level.
    classes
        The n classes.
    levels
        In order; one without images (a mixture) has no column.
    """
    seen = [level for level in levels if level.name in images]
    side = min(1.4, style.FULL / max(len(seen), 1))
    figure = style.new_figure(side * len(seen) + 0.3, side * len(classes) + 0.5, gap=0.01)
    grid = figure.subplots(len(classes), len(seen), squeeze=False)
    for row, (name, cells) in enumerate(zip(classes, grid, strict=True)):
        for level, axes in zip(seen, cells, strict=True):
            _stamp(axes, images[level.name][row])
            if row == 0:
                axes.set_title(stacked(level), fontsize=9, pad=3)
        at = {"transform": cells[0].transAxes, "ha": "right", "va": "center"}
        cells[0].text(-0.08, 0.5, class_name(name), rotation=90, fontsize=9, **at)
    return figure


def _stamp(axes: Axes, stamp: NDArray[np.float32]) -> None:
    axes.imshow(stretch(stamp, border(stamp)), cmap="gray", origin="lower", vmin=0, vmax=1)
    axes.set_axis_off()
