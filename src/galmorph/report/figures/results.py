"""Results of training: learning curves, confusion matrices, ROC curves and reliability diagrams."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.image import AxesImage
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray

from galmorph.report.figures import style
from galmorph.report.language import class_name, mark, say
from galmorph.report.probabilities import BINS, FALSE_POSITIVE_RATES, POSITIVE, positives, reliability, roc_curves
from galmorph.scores.predictions import Predictions

Quantity = Literal["loss", "accuracy"]
_LABELS = {"loss": mark("loss"), "accuracy": mark("accuracy")}


def mean_curves(history: pd.DataFrame) -> pd.DataFrame:
    """Return mean and standard deviation over the runs at each epoch.

    Parameters
    ----------
    history
        `PhaseResults.history`.

    Returns
    -------
    pandas.DataFrame
        Index epoch; columns of two levels, quantity (train_loss, ...) and mean, std (ddof = 1; NaN for one run).
    """
    return history.drop(columns="run").groupby("epoch").agg(["mean", "std"])


@style.house()
def learning_curve(
    history: pd.DataFrame, quantity: Quantity, *, selected_epoch: int, baseline: float | None, title: str
) -> Figure:
    """Draw one quantity of the training and the test part.

    Parameters
    ----------
    history
        `PhaseResults.history`: every epoch of every run.
    quantity
        "loss" or "accuracy".
    selected_epoch
        Marked by a line, and on the test curve.
    baseline
        A dotted line at the accuracy of always answering the commonest class; None: no line.
    title
        Above the axes.
    """
    curves = mean_curves(history)
    figure = style.new_figure(style.HALF, 3.5)
    axes = figure.add_subplot()
    several = history["run"].nunique() > 1
    training = say("training, mean ± 1 σ") if several else say("training, one run")
    test = say("test, mean ± 1 σ") if several else say("test, one run")
    _mean_and_band(axes, curves, f"train_{quantity}", training, style.TRAINING_COLOUR, "--")
    _mean_and_band(axes, curves, f"test_{quantity}", test, style.TEST_COLOUR, "-")
    axes.axvline(selected_epoch, color=style.INK, linewidth=0.8, linestyle=(0, (1, 2)), zorder=1)
    height = curves[f"test_{quantity}", "mean"].loc[selected_epoch]
    label = say("selected epoch, {epoch}", epoch=selected_epoch)
    axes.plot(selected_epoch, height, "o", ms=5, mfc="white", mec=style.INK, label=label, zorder=5)
    if baseline is not None:
        label = say("baseline, {accuracy:.3f}", accuracy=baseline)
        axes.axhline(baseline, color=style.MUTED, linewidth=1.0, linestyle=":", label=label)
    axes.set_xlabel(say("epoch (completed passes)"))
    axes.set_ylabel(say(_LABELS[quantity]))
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    first, last = curves.index.min(), curves.index.max()
    axes.set_xlim(0, last + max(1, 0.03 * (last - first)))
    if quantity == "loss":
        axes.set_ylim(bottom=0)
    axes.set_title(title)
    axes.legend(loc="upper center", bbox_to_anchor=(0.5, -0.17), ncols=2, handlelength=2.2, columnspacing=1.4)
    return figure


def _mean_and_band(axes: Axes, curves: pd.DataFrame, column: str, label: str, colour: str, line: str) -> None:
    epochs, mean, std = curves.index.to_numpy(), curves[column, "mean"].to_numpy(), curves[column, "std"].to_numpy()
    single = len(epochs) == 1
    axes.plot(epochs, mean, line, color=colour, label=label, zorder=3, marker="s" if single else None, markersize=3)
    if not pd.isna(std).any():
        axes.fill_between(epochs, mean - std, mean + std, color=colour, alpha=0.22, linewidth=0, zorder=2)


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
    image = draw_confusion(axes, matrices, classes)
    colour_bar(figure, image, axes, shrink=0.85)
    axes.set_title(title)
    return figure


def draw_confusion(axes: Axes, matrices: NDArray[np.int64], classes: Sequence[str]) -> AxesImage:
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
    axes.set_xlabel(say("predicted class"))
    axes.set_ylabel(say("true class"))
    style.separate_cells(axes, len(classes), len(classes))
    return image


def colour_bar(figure: Figure, image: AxesImage, axes: Axes | Sequence[Axes], shrink: float) -> None:
    """Draw the colour bar of one matrix, or of several that share it."""
    bar = figure.colorbar(image, ax=axes, shrink=shrink, pad=0.03)
    bar.set_label(say("fraction of the true class"))
    bar.outline.set_linewidth(0.5)


@style.house()
def roc_and_reliability(given: Predictions, auc: tuple[float, float], error: float, title: str) -> Figure:
    """Draw both.

    Parameters
    ----------
    given
        The answers of confirmed runs of two classes.
    auc
        Mean and standard deviation of the area under the curve.
    error
        Expected calibration error of all runs together.
    title
        Above the axes.
    """
    figure = style.new_figure(style.FULL, 4.0)
    left, right = figure.subplots(1, 2)
    _roc(left, given, auc)
    _reliability(right, given, error)
    for axes in (left, right):
        axes.plot([0, 1], [0, 1], color=style.MUTED, linewidth=0.9, linestyle=":", zorder=1)
        axes.set(xlim=(0, 1), ylim=(0, 1.005), aspect="equal")
        axes.legend(loc="upper center", bbox_to_anchor=(0.5, -0.15), ncols=2, handlelength=2.0, columnspacing=1.2)
    figure.suptitle(title, fontsize=10.5)
    return figure


def _roc(axes: Axes, given: Predictions, auc: tuple[float, float]) -> None:
    curves = roc_curves(given)
    mean = curves.mean(axis=0)
    several = given.runs > 1
    if several:
        label = say("mean ± 1 σ, area {area:.3f} ± {spread:.3f}", area=auc[0], spread=auc[1])
    else:
        label = say("one run, area {area:.3f}", area=auc[0])
    axes.plot(FALSE_POSITIVE_RATES, mean, color=style.TEST_COLOUR, label=label, zorder=3)
    if several:
        std = curves.std(axis=0, ddof=1)
        low, high = np.clip(mean - std, 0, 1), np.clip(mean + std, 0, 1)
        axes.fill_between(FALSE_POSITIVE_RATES, low, high, color=style.TEST_COLOUR, alpha=0.22, linewidth=0, zorder=2)
    axes.set_xlabel(say("ellipticals called spiral (false positive rate)"))
    axes.set_ylabel(say("spirals called spiral (true positive rate)"))


def _reliability(axes: Axes, given: Predictions, error: float) -> None:
    true, probability = positives(given)
    together = reliability(true, probability)
    runs = np.stack(
        [
            reliability(true[given.run == run], probability[given.run == run])["frequency"].to_numpy()
            for run in range(given.runs)
        ]
    )
    share = together["galaxies"] / together["galaxies"].sum()
    label = say("share of the answers")
    axes.bar(together["low"], share, width=1.0 / BINS, align="edge", color=style.PALE, label=label)
    filled = together[together["galaxies"] > 0]
    label = say("calibration error {error:.3f}", error=error)
    axes.plot(filled["probability"], filled["frequency"], "o-", color=style.TEST_COLOUR, markersize=4, label=label)
    # A spread needs two runs that have the bin.
    shown = filled[np.isfinite(runs).sum(axis=0)[filled.index] > 1]
    if len(shown):
        std = np.nanstd(runs[:, shown.index], axis=0, ddof=1)
        low = np.clip(shown["frequency"] - std, 0, 1)
        high = np.clip(shown["frequency"] + std, 0, 1)
        axes.vlines(shown["probability"], low, high, color=style.TEST_COLOUR, linewidth=0.9, alpha=0.6, zorder=2)
    axes.set_xlabel(say("probability given for {name}", name=class_name(POSITIVE)))
    axes.set_ylabel(say("share that is spiral"))
