"""ROC curve and reliability diagram of the networks of one condition, side by side."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from galmorph.report.figures import style
from galmorph.report.language import say
from galmorph.report.names import class_name
from galmorph.report.predictions import Predictions
from galmorph.report.probabilities import BINS, FALSE_POSITIVE_RATES, POSITIVE, positives, reliability, roc_curves


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
