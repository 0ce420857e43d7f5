"""What the chapter calls a level, and a score of its tables.

Scores of every run of a pair of levels, and how they are compared: run by run.

Each function returns (runs,) float64, except `recall`. A loss is paired: the score of a run of one kind of network
less that of the run of the same number of the other.
"""

from __future__ import annotations

import math
import textwrap
from collections.abc import Callable, Mapping
from types import MappingProxyType

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from galmorph.report.accuracy import spread
from galmorph.report.language import mark, say
from galmorph.report.names import plural
from galmorph.report.resolution.results import LEVEL, SURVEY, Level, ResolutionResults
from galmorph.scores import metrics

# Characters in a line of a level's label in a figure.
_LINE = 11

SCORES: Mapping[str, str] = MappingProxyType(
    {
        "accuracy": mark("Accuracy ± std"),
        "tss": mark("TSS ± std"),
        "recall": mark("Recall of {galaxies} ± std"),
    }
)
CHANGES: Mapping[str, str] = MappingProxyType(
    {
        "accuracy": mark("Change of accuracy"),
        "tss": mark("Change of TSS"),
        "recall": mark("Change of recall of {galaxies}"),
    }
)


def spoken(level: Level) -> str:
    """Return a level's name for a reader."""
    return level.name.replace("_", " ")


def fwhm(level: Level) -> str:
    """Return a level's FWHM in arcsec, as in 1.32″; empty where it has none."""
    return f"{level.psf_fwhm:.2f}″" if math.isfinite(level.psf_fwhm) else ""


def in_line(level: Level) -> str:
    """Return a level's name and FWHM in one line."""
    return f"{spoken(level)} ({fwhm(level)})" if fwhm(level) else spoken(level)


def stacked(level: Level) -> str:
    """Return a level's name, broken where it is long, above its FWHM."""
    lines = textwrap.wrap(spoken(level), _LINE, break_long_words=False)
    return "\n".join([*lines, fwhm(level)] if fwhm(level) else lines)


def heading(metric: str, of: Mapping[str, str]) -> str:
    """Return the heading of a column of a metric: one of `SCORES`, or of `CHANGES`."""
    if metric.startswith("recall_"):
        return say(of["recall"], galaxies=plural(metric.removeprefix("recall_")))
    return say(of[metric])


Floats = NDArray[np.float64]

METRICS: dict[str, Callable[[NDArray[np.int64]], Floats]] = {"accuracy": metrics.accuracy, "tss": metrics.tss}


def score(results: ResolutionResults, metric: str, trained: Level, tested: Level) -> Floats:
    """Return accuracy, tss, baseline or "recall_CLASS" of each run."""
    matrices = results.confusion[trained.name, tested.name]
    if metric == "baseline":
        return metrics.baseline(matrices)
    if metric.startswith("recall_"):
        return metrics.recall(matrices)[:, results.classes.index(metric.removeprefix("recall_"))]
    return METRICS[metric](matrices)


def share(results: ResolutionResults, trained: Level, tested: Level, true: str, predicted: str) -> Floats:
    """Return the fraction of one true class that is called another, in each run; NaN where the class is absent."""
    row, column = results.classes.index(true), results.classes.index(predicted)
    matrices = results.confusion[trained.name, tested.name].astype(np.float64)
    members = matrices[:, row].sum(axis=-1)
    return np.divide(matrices[:, row, column], members, out=np.full(len(members), np.nan), where=members > 0)


def loss(results: ResolutionResults, metric: str, trained: Level, tested: Level) -> Floats:
    """Return by how much networks trained where they are tested score higher, run by run.

    NaN for a tested level at which no network is trained.
    """
    if tested.role not in (LEVEL, SURVEY):
        return np.full(results.runs, np.nan)
    return score(results, metric, tested, tested) - score(results, metric, trained, tested)


def mean_std(values: Floats) -> tuple[float, float]:
    """Return mean and standard deviation (ddof = 1) over the runs; NaN where a value is missing or there is none."""
    mean, std, _ = spread(pd.Series(values))
    return mean, std


def ratio(trained: Level, tested: Level) -> float:
    """Return the FWHM tested at over the FWHM trained at; NaN where one of them is missing."""
    known = math.isfinite(trained.psf_fwhm) and math.isfinite(tested.psf_fwhm) and trained.psf_fwhm > 0
    return tested.psf_fwhm / trained.psf_fwhm if known else math.nan
