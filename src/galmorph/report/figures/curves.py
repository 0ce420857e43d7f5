"""Loss and accuracy against epoch: mean over the runs, with a band of one standard deviation."""

from __future__ import annotations

from typing import Literal

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from galmorph.report.figures import style
from galmorph.report.language import mark, say

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
    _draw(axes, curves, f"train_{quantity}", training, style.TRAINING_COLOUR, "--")
    _draw(axes, curves, f"test_{quantity}", test, style.TEST_COLOUR, "-")
    axes.axvline(selected_epoch, color=style.INK, linewidth=0.8, linestyle=(0, (1, 2)), zorder=1)
    axes.plot(
        [selected_epoch],
        [curves[f"test_{quantity}", "mean"].loc[selected_epoch]],
        linestyle="none",
        marker="o",
        markersize=5,
        markerfacecolor="white",
        markeredgecolor=style.INK,
        label=say("selected epoch, {epoch}", epoch=selected_epoch),
        zorder=5,
    )
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


def _draw(axes: Axes, curves: pd.DataFrame, column: str, label: str, colour: str, line: str) -> None:
    epochs, mean, std = curves.index.to_numpy(), curves[column, "mean"].to_numpy(), curves[column, "std"].to_numpy()
    single = len(epochs) == 1
    axes.plot(epochs, mean, line, color=colour, label=label, zorder=3, marker="s" if single else None, markersize=3)
    if not pd.isna(std).any():
        axes.fill_between(epochs, mean - std, mean + std, color=colour, alpha=0.22, linewidth=0, zorder=2)
