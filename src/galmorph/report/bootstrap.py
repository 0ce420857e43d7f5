"""How far a difference of two conditions would move with other galaxies: a bootstrap over galaxies.

The unit that is drawn anew is the galaxy. Several runs may have tested one, and both conditions; all these answers
stay together, because they err together. The networks are held fixed: what other training would change is not in it.
"""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy import sparse, stats

from galmorph.report.predictions import Predictions
from galmorph.scores.statistics import LEVEL

RESAMPLES = 2000
_BATCH = 200

Metric = Literal["accuracy", "tss"]
Floats = NDArray[np.float64]


class _Tally:
    """Who was tested in which run, and who was right, so that weights of galaxies give weighted scores."""

    def __init__(self, answers: Predictions, galaxies: NDArray[np.int64]) -> None:
        self._runs, self._classes = answers.runs, len(answers.classes)
        cell = answers.run * self._classes + answers.truth
        places = (cell, np.searchsorted(galaxies, answers.galaxy))
        shape = (self._runs * self._classes, len(galaxies))
        self._members = sparse.csr_array((np.ones(len(cell)), places), shape=shape)
        self._hits = sparse.csr_array(((answers.predicted == answers.truth).astype(np.float64), places), shape=shape)

    def scores(self, weights: Floats, metric: Metric) -> Floats:
        """Return the mean over the runs of a score, (b,), for weights (galaxies, b).

        A run none of whose galaxies of a class have weight has no TSS, and is left out of that mean.
        """
        members, hits = (
            np.asarray(table @ weights).reshape(self._runs, self._classes, -1) for table in (self._members, self._hits)
        )
        if metric == "accuracy":
            members, hits = members.sum(axis=1, keepdims=True), hits.sum(axis=1, keepdims=True)
        share = np.divide(hits, members, out=np.full(hits.shape, np.nan), where=members > 0).mean(axis=1)
        if metric == "tss":
            share = (share - 1.0 / self._classes) / (1.0 - 1.0 / self._classes)
        known = np.isfinite(share)
        total = np.where(known, share, 0.0).sum(axis=0)
        count = known.sum(axis=0)
        return np.divide(total, count, out=np.full(total.shape, np.nan), where=count > 0)


def difference_interval(
    first: Predictions,
    second: Predictions,
    metric: Metric,
    chance: np.random.Generator,
    resamples: int = RESAMPLES,
    level: float = LEVEL,
) -> tuple[float, float]:
    """Return the percentile interval of second - first over galaxies drawn anew.

    Galaxies are drawn with replacement within each class, because the sets fix the mix of classes; the scores are
    means over the runs (Efron & Tibshirani 1993, An Introduction to the Bootstrap, chapters 8 and 13; galaxies as
    clusters: Davison & Hinkley 1997, Bootstrap Methods and their Application, section 3.8).

    Parameters
    ----------
    first, second
        The answers of two conditions, on the same galaxies or on others.
    metric
        accuracy or tss.
    chance
        Decides which galaxies are drawn.

    Returns
    -------
    low, high
        NaN where a class has fewer than two galaxies.
    """
    galaxies, places = np.unique(np.concatenate([first.galaxy, second.galaxy]), return_index=True)
    labels = np.concatenate([first.labels, second.labels])[places]
    strata = [np.flatnonzero(labels == label) for label in np.unique(labels)]
    if min(len(stratum) for stratum in strata) < 2:
        return np.nan, np.nan
    tallies = [_Tally(side, galaxies) for side in (first, second)]

    def statistic(*drawn: NDArray[np.int64], axis: int = -1) -> Floats:
        chosen = np.concatenate(drawn, axis=axis).astype(np.int64)
        rows = chosen.reshape(-1, len(galaxies))
        shifted = rows + len(galaxies) * np.arange(len(rows))[:, None]
        weights = np.bincount(shifted.ravel(), minlength=rows.size).reshape(rows.shape).T.astype(np.float64)
        one, two = (tally.scores(weights, metric) for tally in tallies)
        return (two - one).reshape(chosen.shape[:-1])

    interval = stats.bootstrap(
        strata,
        statistic,
        n_resamples=resamples,
        batch=_BATCH,
        vectorized=True,
        confidence_level=level,
        method="percentile",
        rng=chance,
    ).confidence_interval
    return float(interval.low), float(interval.high)
