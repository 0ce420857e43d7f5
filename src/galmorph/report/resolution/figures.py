"""The figures of the chapter: galaxies at every level, scores of every pair, loss and recall against the FWHM."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator
from numpy.typing import NDArray

from galmorph.report.figures import style
from galmorph.report.figures.results import colour_bar, draw_confusion
from galmorph.report.figures.stamps import show_stamp
from galmorph.report.language import class_name, mark, plural, say
from galmorph.report.resolution.results import Floats, Level, ResolutionResults, mean_std
from galmorph.report.table import METRICS, MISSING, number

_MARKERS, _REMEDY_MARKERS = "osD^vPX<>", "*1234+xpd"
_TICKS = (0.1, 0.15, 0.2, 0.3, 0.5, 0.7, 1, 1.5, 2, 3, 5, 7, 10)  # ratios, about evenly spaced on a logarithmic axis
_SHIFT = 0.008  # between the points of neighbouring trained levels, in the width of the axis
_CELL = 0.8  # inches
_LEAST_RANGE = 0.05  # of a colour scale: two scores that are nearly equal must not look like black and white


@style.house()
def stamps_at_every_level(
    images: Mapping[str, NDArray[np.float32]], classes: Sequence[str], frames: Sequence[str], levels: Sequence[Level]
) -> Figure:
    """Draw the same galaxies at every level: a row for each galaxy, a column for each level.

    Parameters
    ----------
    images
        Level to (n, size, size) float32, DN, (y, x): row i is the same galaxy at every level.
    classes
        The n classes.
    frames
        The n files that the stamps come from.
    levels
        In order; one without images (a mixture) has no column.
    """
    seen = [level for level in levels if level.name in images]
    side = min(1.4, style.FULL / max(len(seen), 1))
    figure = style.new_figure(side * len(seen) + 0.3, side * len(classes) + 0.5, gap=0.01)
    grid = figure.subplots(len(classes), len(seen), squeeze=False)
    for row, (name, cells) in enumerate(zip(classes, grid, strict=True)):
        for level, axes in zip(seen, cells, strict=True):
            stamp = images[level.name][row]
            show_stamp(axes, stamp, frames[row])
            axes.set_axis_off()
            if row == 0:
                axes.set_title(level.stacked_label, fontsize=9, pad=3)
        at = {"transform": cells[0].transAxes, "ha": "right", "va": "center"}
        cells[0].text(-0.08, 0.5, class_name(name), rotation=90, fontsize=9, **at)
    return figure


@style.house()
def heat_map(results: ResolutionResults, metric: str) -> Figure:
    """Draw a score of every pair of levels: rows trained at, columns tested at, mean ± 1 std over the runs.

    Cells where both are the same level are framed. The colours run from the lowest to the highest mean.
    """
    rows, columns = results.trained, results.tested
    cells = np.array([[mean_std(results.score(metric, trained, tested)) for tested in columns] for trained in rows])
    means = cells[..., 0]
    low, high = _range(means)
    figure = style.new_figure(_CELL * len(columns) + 2.0, 0.62 * len(rows) + 1.1)
    axes = figure.add_subplot()
    image = axes.imshow(np.ma.masked_invalid(means), cmap="Blues", vmin=low, vmax=high, aspect=0.62 / _CELL)
    axes.set_facecolor(style.PALE)
    for row, trained in enumerate(rows):
        for column, tested in enumerate(columns):
            mean, std = cells[row, column]
            colour = "white" if (mean - low) / (high - low) > 0.55 else style.INK
            text = MISSING if np.isnan(mean) else f"{number(mean)}\n± {number(std)}"
            axes.text(column, row, text, ha="center", va="center", color=colour, fontsize=9.5)
            if trained.name == tested.name:
                corner = (column - 0.46, row - 0.46)
                axes.add_patch(Rectangle(corner, 0.92, 0.92, fill=False, edgecolor="#E09000", linewidth=1.4))
    axes.set_xticks(range(len(columns)), [level.stacked_label for level in columns])
    axes.set_yticks(range(len(rows)), [level.stacked_label for level in rows])
    axes.set_xlabel(say("tested at (PSF FWHM)"))
    axes.set_ylabel(say("trained at (PSF FWHM)"))
    style.separate_cells(axes, len(rows), len(columns))
    bar = figure.colorbar(image, ax=axes, pad=0.03, shrink=0.9)
    bar.set_label(say(METRICS[metric]))
    bar.outline.set_linewidth(0.5)
    return figure


@style.house()
def loss_against_ratio(results: ResolutionResults) -> Figure:
    """Draw the loss of accuracy against FWHM tested / FWHM trained, a line per trained level.

    Mean ± half of the 95 % interval. The loss is against networks trained where they are tested, run by run: zero where
    both are the same level.
    """
    levels = results.of_role("level")
    figure = style.new_figure(4.6, 3.7)
    axes = figure.add_subplot()
    axes.axhline(0, color=style.MUTED, linewidth=0.8, linestyle=":", zorder=1)
    axes.set_ylabel(say("loss of accuracy"))
    axes.axvline(1, color=style.MUTED, linewidth=0.8, linestyle=":", zorder=1)
    widths = np.array([level.psf_fwhm for level in levels])
    ratios = widths / widths[:, None]
    for trained, places in zip(levels, ratios, strict=True):
        losses = [results.estimated_loss("accuracy", trained, tested) for tested in levels]
        _line(axes, results, trained, places, np.array([(loss.mean, loss.half_width()) for loss in losses]))
    axes.set_xscale("log")
    axes.set_xlim(min(0.65, ratios.min() / 1.15), max(1.55, ratios.max() * 1.15))
    low, high = axes.get_xlim()
    axes.xaxis.set_major_locator(FixedLocator([tick for tick in _TICKS if low <= tick <= high]))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.set_xlabel(say("PSF FWHM tested at / PSF FWHM trained at"))
    _legend(figure, axes, 2)
    return figure


@style.house()
def loss_against_size(results: ResolutionResults) -> Figure:
    """Draw the loss of recall against FWHM / half-light radius, a panel per class and a line per tested level.

    Mean ± half of the 95 % interval.
    """
    figure = style.new_figure(style.FULL, 3.6)
    panels = figure.subplots(1, len(results.classes), sharey=True, squeeze=False)[0]
    for panel, name in zip(panels, results.classes, strict=True):
        panel.axhline(0, color=style.MUTED, linewidth=0.8, linestyle=":", zorder=1)
        for tested in results.of_role("level"):
            points = results.by_size[(results.by_size["tested"] == tested.name) & (results.by_size["class"] == name)]
            if len(points):
                losses = points[["loss_mean", "loss_half"]].to_numpy(float)
                _line(panel, results, tested, points["ratio"].to_numpy(float), losses)
        panel.set_title(plural(name))
        panel.set_xlabel(say("PSF FWHM tested at / half-light radius"))
    panels[0].set_ylabel(say("loss of recall"))
    _legend(figure, panels[0], 3, mark("tested at (PSF FWHM)"))
    return figure


@style.house()
def recall_against_fwhm(results: ResolutionResults) -> Figure:
    """Draw the recall of each class against the FWHM tested at: a panel per class, a line per trained level.

    Mean ± 1 std. The points are those of levels that are both trained and tested; those of different trained levels
    are shifted a little, so that their bars can be told apart.
    """
    levels = results.of_role("level")
    trained_levels = results.of_role("level", "remedy")
    figure = style.new_figure(style.FULL, 3.6)
    panels = figure.subplots(1, len(results.classes), sharey=True, squeeze=False)[0]
    widths = np.array([tested.psf_fwhm for tested in levels])
    step = _SHIFT * max(float(np.ptp(widths)), 0.1)
    for panel, name in zip(panels, results.classes, strict=True):
        for place, trained in enumerate(trained_levels):
            recalls = [mean_std(results.score(f"recall_{name}", trained, tested)) for tested in levels]
            _line(panel, results, trained, widths + step * (place - (len(trained_levels) - 1) / 2), np.array(recalls))
        panel.margins(x=0.08)
        panel.set_title(plural(name))
        panel.set_xlabel(say("PSF FWHM tested at (arcsec)"))
    panels[0].set_ylabel(say("recall"))
    _legend(figure, panels[0], 3)
    return figure


@style.house()
def corner_confusions(results: ResolutionResults) -> Figure:
    """Draw the confusion matrices of the first and the last level: rows trained at, columns tested at."""
    levels = results.corners
    count = len(levels)
    figure = style.new_figure(3.0 * count + 0.8, 3.2 * count)
    grid = figure.subplots(count, count, squeeze=False)
    images = []
    for trained, row in zip(levels, grid, strict=True):
        for tested, axes in zip(levels, row, strict=True):
            images.append(draw_confusion(axes, results.confusion[trained.name, tested.name], results.classes))
            title = say("trained at {trained},\ntested at {tested}", trained=trained.label, tested=tested.label)
            axes.set_title(title, fontsize=9.5)
    colour_bar(figure, images[0], list(grid.ravel()), shrink=0.5 if count > 1 else 0.85)
    return figure


def _line(axes: Axes, results: ResolutionResults, level: Level, places: Floats, points: Floats) -> None:
    """Draw the line of a level or remedy from left to right: colours from dark to light in the order of the levels.

    Parameters
    ----------
    places
        (n,) where on the x axis.
    points
        (n, 2): means, and half the lengths of their bars, which are drawn where there are several runs.
    """
    order = np.argsort(places, kind="stable")
    order = order[np.isfinite(points[order, 0])]
    means, halves = points[order].T
    remedy = level.role == "remedy"
    levels = results.of_role("level", "remedy")
    own = results.of_role("level")
    markers, place = (_REMEDY_MARKERS if remedy else _MARKERS), levels.index(level)
    axes.errorbar(
        places[order],
        means,
        yerr=halves if np.isfinite(halves).all() else None,
        color=style.INK if remedy else matplotlib.colormaps["viridis"](0.82 * place / max(len(own) - 1, 1)),
        linestyle="--" if remedy else "-",
        marker=markers[place % len(markers)],
        markersize=7 if remedy else 4.5,
        linewidth=1.1,
        elinewidth=0.9,
        capsize=2,
        label=level.label,
        zorder=4 if remedy else 3,
    )


def _legend(figure: Figure, axes: Axes, columns: int, title: str = mark("trained at (PSF FWHM)")) -> None:
    """Say above the figure which line is which level."""
    handles, labels = axes.get_legend_handles_labels()
    legend = figure.legend(handles, labels, loc="outside upper center", ncols=min(columns, len(labels)))
    legend.set_title(say(title))
    legend.get_title().set_fontsize(9)


def _range(means: NDArray[np.float64]) -> tuple[float, float]:
    """Return the lowest and the highest mean, further apart where they are all but the same."""
    known = means[np.isfinite(means)]
    low, high = (float(known.min()), float(known.max())) if len(known) else (0.0, 1.0)
    missing = max(_LEAST_RANGE - (high - low), 0.0)
    return low - missing / 2, high + missing / 2
