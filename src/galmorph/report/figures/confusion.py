"""Confusion matrices: mean and standard deviation over the runs, coloured by the fraction of the true class."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.image import AxesImage
from numpy.typing import NDArray

from galmorph.report.figures import style
from galmorph.report.language import say
from galmorph.report.names import class_name


@style.house()
def confusion_matrix(matrices: NDArray[np.int64], classes: Sequence[str], title: str) -> Figure:
    """Draw the mean confusion matrix of several runs.

    Parameters
    ----------
    matrices
        (runs, K, K) int64, galaxies; rows true, columns predicted.
    classes
        The K names, in the matrices' order.
    title
        Above the matrix.
    """
    figure = style.new_figure(style.HALF, 3.3 if len(classes) > 2 else 3.0)
    axes = figure.add_subplot()
    image = draw(axes, matrices, classes)
    colour_bar(figure, image, axes, shrink=0.85)
    axes.set_title(title)
    return figure


def draw(axes: Axes, matrices: NDArray[np.int64], classes: Sequence[str]) -> AxesImage:
    """Draw the mean confusion matrix in given axes, and return the image for its colour bar."""
    mean = matrices.mean(axis=0)
    total = mean.sum(axis=1, keepdims=True)
    fraction = np.divide(mean, total, out=np.zeros_like(mean), where=total > 0)
    std = matrices.std(axis=0, ddof=1) if len(matrices) > 1 else None
    image = axes.imshow(fraction, cmap="Blues", vmin=0, vmax=1)
    for (row, column), value in np.ndenumerate(mean):
        colour = "white" if fraction[row, column] > 0.55 else style.INK
        counted = f"{value:.0f}" if std is None else f"{value:.1f} ± {std[row, column]:.1f}"
        axes.text(column, row - 0.1, counted, ha="center", va="center", color=colour, fontsize=10)
        share = say("{percent:.0f} %", percent=100 * fraction[row, column]) if total[row, 0] > 0 else say("no galaxy")
        axes.text(column, row + 0.2, share, ha="center", va="center", color=colour, fontsize=8)
    labels = [class_name(name) for name in classes]
    axes.set_xticks(range(len(classes)), labels)
    axes.set_yticks(range(len(classes)), labels, rotation=90, va="center")
    axes.tick_params(length=0)
    axes.set_xlabel(say("predicted class"))
    axes.set_ylabel(say("true class"))
    axes.set_xticks(np.arange(len(classes) - 1) + 0.5, minor=True)
    axes.set_yticks(np.arange(len(classes) - 1) + 0.5, minor=True)
    axes.grid(which="minor", color="white", linewidth=1.2)
    axes.tick_params(which="minor", length=0)
    return image


def colour_bar(figure: Figure, image: AxesImage, axes: Axes | Sequence[Axes], shrink: float) -> None:
    """Draw the colour bar of one matrix, or of several that share it."""
    bar = figure.colorbar(image, ax=axes, shrink=shrink, pad=0.03)
    bar.set_label(say("fraction of the true class"))
    bar.outline.set_linewidth(0.5)
