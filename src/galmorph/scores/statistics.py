"""Over runs: how far a mean, or the difference of two means, may be off, where the runs share galaxies.

docs/statistics.md says when each of these may be used.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import stats

LEVEL = 0.95


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
    shares = member @ member.T / sizes[:, None]
    return float((shares.sum() - runs) / (runs * (runs - 1)))


def corrected_mean(values: ArrayLike, overlap: float) -> Estimate:
    """Return the mean over runs that share test galaxies, with the variance that is due to it.

    The runs are not independent: with correlation rho between any two of them their sample variance estimates
    (1 - rho) times the variance of one, and var(mean) = var(d) (1 / k + rho / (1 - rho)) for k runs. rho is taken to
    be the mean overlap of two test parts; where every run splits one whole sample anew this is the correction of
    Nadeau & Bengio (2003, Machine Learning 52, 239). k - 1 degrees of freedom.

    Parameters
    ----------
    values
        (k,) one for each run: scores, or differences of two scores on the same galaxies.
    overlap
        rho, from `mean_overlap`.
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


def corrected_interval(differences: ArrayLike, overlap: float, level: float = LEVEL) -> tuple[float, float]:
    """Return the mean of paired differences and the half-width of its confidence interval, from `corrected_mean`.

    Parameters
    ----------
    differences
        (k,) one for each run.
    overlap
        rho, from `mean_overlap`.

    Returns
    -------
    mean, half-width
        The half-width is NaN for one run, and infinite where all test parts are the same.
    """
    estimate = corrected_mean(differences, overlap)
    return estimate.mean, estimate.half_width(level)


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
    """
    values = np.asarray(p_values, dtype=np.float64)
    known = np.flatnonzero(~np.isnan(values))
    order = known[np.argsort(values[known], kind="stable")]
    adjusted = np.full(values.shape, np.nan)
    adjusted[order] = np.minimum(1.0, np.maximum.accumulate(values[order] * np.arange(len(order), 0, -1)))
    return adjusted
