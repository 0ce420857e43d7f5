"""How far a mean over runs, or the difference of two, may be off where the runs share galaxies.

docs/statistics.md says when each of these may be used.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import sparse, stats

from galmorph.scores import metrics
from galmorph.scores.predictions import Predictions

LEVEL = 0.95
RESAMPLES = 2000
_BATCH = 200

Metric = Literal["accuracy", "tss"]
Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Estimate:
    """A mean over runs, or a difference of two.

    Attributes
    ----------
    mean
        The estimate.
    variance
        Of its error; NaN where it cannot be known, infinite where the runs say nothing of other galaxies.
    freedom
        Degrees of freedom of that variance.
    """

    mean: float
    variance: float
    freedom: float

    def half_width(self, level: float = LEVEL) -> float:
        """Return half of the confidence interval, by Student's t."""
        if not math.isfinite(self.variance):
            return self.variance
        return float(stats.t.ppf(0.5 + level / 2.0, self.freedom) * math.sqrt(self.variance))

    def p_value(self) -> float:
        """Return the two-sided p value of a true mean of 0; NaN where the variance is not known or not finite."""
        if not math.isfinite(self.variance):
            return math.nan
        if self.variance == 0:
            return float(self.mean == 0)
        return float(2.0 * stats.t.sf(abs(self.mean) / math.sqrt(self.variance), self.freedom))


def mean_overlap(test_parts: Sequence[NDArray[np.int64]]) -> float:
    """Return the mean share of a run's test galaxies that are in another run's test part as well.

    Parameters
    ----------
    test_parts
        The rows of each run's test part. With one run the overlap is 0.
    """
    runs = len(test_parts)
    if runs < 2:
        return 0.0
    sizes = np.array([len(part) for part in test_parts])
    galaxies, places = np.unique(np.concatenate(test_parts), return_inverse=True)
    member = np.zeros((runs, len(galaxies)))
    member[np.repeat(np.arange(runs), sizes), places] = 1.0
    # An empty part has none in common with another.
    shares = member @ member.T / np.maximum(sizes, 1)[:, None]
    return float((shares.sum() - np.trace(shares)) / (runs * (runs - 1)))


def score_overlap(metric: Metric, first: Predictions, second: Predictions | None = None) -> float:
    """Return the mean overlap of the test parts, each class weighted by its share of the variance of a score.

    A score adds up what the galaxies of each class contribute: 1 for one that is predicted right, or the difference of
    two predictions for it. With s^2 the variance of that within a class of n galaxies, the class has n s^2 of the
    variance of an accuracy, and s^2 / n of that of a TSS. Where classes overlap differently, as in balanced draws from
    a sample with fewer ellipticals, this is not `mean_overlap`.

    Parameters
    ----------
    metric
        accuracy or tss.
    first
        The predictions that are scored.
    second
        Those for the same galaxies with which they are compared run by run, if they are.
    """
    order = np.lexsort((first.galaxy, first.run))
    run, galaxy, truth = first.run[order], first.galaxy[order], first.truth[order]
    gained = (first.predicted == first.truth)[order].astype(np.float64)
    if second is not None:
        gained -= (second.predicted == second.truth)[np.lexsort((second.galaxy, second.run))]
    overlaps, variances = [], []
    for number in np.unique(truth):
        of_class = truth == number
        overlaps.append(mean_overlap([galaxy[of_class & (run == one)] for one in range(first.runs)]))
        variances.append(gained[of_class].var() * of_class.sum() ** (1.0 if metric == "accuracy" else -1.0))
    if not any(variances):
        return mean_overlap(first.parts)
    return float(np.average(overlaps, weights=variances))


def binomial_std(confusion: NDArray[np.int64], metric: Metric) -> float:
    """Return the standard deviation over runs that the number of test galaxies alone gives a score.

    sqrt(p (1 - p) / n) for an accuracy p on n galaxies; the TSS adds up the recalls, divided by K - 1, of K classes.
    Test parts that fix the number of each class scatter a little less in accuracy.

    Parameters
    ----------
    confusion
        (runs, K, K), rows true, columns predicted.
    metric
        accuracy or tss.

    Examples
    --------
    >>> round(binomial_std(np.array([[[100, 45], [49, 106]]]), "accuracy"), 3)
    0.027
    """
    if metric == "accuracy":
        return binomial_share_std(metrics.accuracy(confusion), confusion.sum(axis=(1, 2)))
    by_class = zip(metrics.recall(confusion).T, confusion.sum(axis=2).T, strict=True)
    return math.hypot(*(binomial_share_std(*one) for one in by_class)) / (confusion.shape[-1] - 1)


def binomial_share_std(shares: ArrayLike, counts: ArrayLike) -> float:
    """Return the binomial standard deviation of a share of so many galaxies, over the runs that have any.

    Parameters
    ----------
    shares, counts
        (runs,) the share in each run, and what it is a share of; their mean is taken for the true share.
    """
    of = np.asarray(counts, dtype=np.float64)
    known = of > 0
    if not known.any():
        return math.nan
    share = float(np.asarray(shares, dtype=np.float64)[known].mean())
    return math.sqrt(share * (1.0 - share) * float((1.0 / of[known]).mean()))


def corrected_mean(values: ArrayLike, overlap: float) -> Estimate:
    """Return the mean over runs that share test galaxies, with the variance that is due to it.

    The runs are not independent: with correlation rho between any two of them their sample variance estimates
    (1 - rho) times the variance of one, and var(mean) = var(d) (1 / k + rho / (1 - rho)) for k runs. rho is taken to
    be the overlap of two test parts; where every run splits one whole sample anew this is the correction of
    Nadeau & Bengio (2003, Machine Learning 52, 239). k - 1 degrees of freedom.

    Parameters
    ----------
    values
        (k,) one for each run: scores, or differences of two scores on the same galaxies.
    overlap
        rho, from `score_overlap`.
    """
    scores = np.asarray(values, dtype=np.float64)
    runs, mean = len(scores), float(scores.mean())
    if runs < 2:
        return Estimate(mean, math.nan, math.nan)
    if overlap >= 1:
        return Estimate(mean, math.inf, runs - 1)
    return Estimate(mean, float(scores.var(ddof=1) * (1.0 / runs + overlap / (1.0 - overlap))), runs - 1)


def unpaired_difference(first: Estimate, second: Estimate) -> Estimate:
    """Return second - first of two means over different test galaxies.

    The variances add; the degrees of freedom are those of Welch (1947, Biometrika 34, 28) and Satterthwaite (1946,
    Biometrics Bulletin 2, 110), (v1 + v2)^2 / (v1^2 / f1 + v2^2 / f2), with the corrected variances in the place of
    s^2 / k. Galaxies that the two means have in common are not taken into account: where they make the two err
    together, as galaxies that are hard for both do, the interval is too wide, never too narrow.
    """
    mean, variance = second.mean - first.mean, first.variance + second.variance
    if not math.isfinite(variance) or variance == 0:
        return Estimate(mean, variance, min(first.freedom, second.freedom))
    parts = first.variance**2 / first.freedom + second.variance**2 / second.freedom
    return Estimate(mean, variance, variance**2 / parts)


def naive_half_width(*groups: ArrayLike) -> float:
    """Return two standard errors, as the thesis prints them: runs taken for independent, though they share galaxies.

    Parameters
    ----------
    groups
        (k,) each: one group of paired differences, or the scores of the two sides of an unpaired difference.
    """
    samples = [np.asarray(group, dtype=np.float64) for group in groups]
    if any(len(sample) < 2 for sample in samples):
        return math.nan
    return 2.0 * math.sqrt(sum(float(sample.var(ddof=1)) / len(sample) for sample in samples))


def holm(p_values: ArrayLike) -> NDArray[np.float64]:
    """Return the p values of a family of tests, adjusted for their number (Holm 1979, Scand. J. Statist. 6, 65).

    The j-th smallest of m is multiplied by m - j + 1; none is less than one before it, nor more than 1. Valid however
    the tests depend on one another. What is NaN stays so, and is not counted among the m.

    Examples
    --------
    >>> holm([0.01, 0.04, 0.02]).tolist()
    [0.03, 0.04, 0.04]
    """
    values = np.asarray(p_values, dtype=np.float64)
    known = np.flatnonzero(~np.isnan(values))
    order = known[np.argsort(values[known], kind="stable")]
    adjusted = np.full(values.shape, np.nan)
    adjusted[order] = np.minimum(1.0, np.maximum.accumulate(values[order] * np.arange(len(order), 0, -1)))
    return adjusted


def difference_interval(
    first: Predictions,
    second: Predictions,
    metric: Metric,
    rng: np.random.Generator,
    resamples: int = RESAMPLES,
    level: float = LEVEL,
) -> tuple[float, float]:
    """Return the interval of second - first from a bootstrap over galaxies.

    Galaxies are drawn with replacement within each class, because the sets fix the mix of classes. All predictions
    for a galaxy, from several runs and from both conditions, stay together, because they err together. The scores are
    means over the runs; the networks are held fixed, so that what other training would change is not in the interval.
    Percentiles: Efron & Tibshirani (1993, An Introduction to the Bootstrap, chapters 8 and 13); galaxies as clusters:
    Davison & Hinkley (1997, Bootstrap Methods and their Application, section 3.8).

    Parameters
    ----------
    first, second
        The predictions of two conditions, for the same galaxies or others.
    metric
        accuracy or tss.
    rng
        Draws the galaxies.

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
        rng=rng,
    ).confidence_interval
    return float(interval.low), float(interval.high)


class _Tally:
    """Who was tested in which run, and who was right, so that weights of galaxies give weighted scores."""

    def __init__(self, given: Predictions, galaxies: NDArray[np.int64]) -> None:
        self._runs, self._classes = given.runs, len(given.classes)
        cell = given.run * self._classes + given.truth
        places = (cell, np.searchsorted(galaxies, given.galaxy))
        shape = (self._runs * self._classes, len(galaxies))
        self._members = sparse.csr_array((np.ones(len(cell)), places), shape=shape)
        self._hits = sparse.csr_array(((given.predicted == given.truth).astype(np.float64), places), shape=shape)

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
