"""Over runs: how far a mean difference may be off, where the runs share galaxies."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import stats


def mean_overlap(test_parts: Sequence[NDArray[np.int64]]) -> float:
    """Return the mean share of a run's test galaxies that are in another run's test part as well.

    Parameters
    ----------
    test_parts
        The rows of each run's test part. With one run the overlap is 0.
    """
    sets = [set(part.tolist()) for part in test_parts]
    shares = [len(a & b) / len(a) for i, a in enumerate(sets) for j, b in enumerate(sets) if i != j]
    return float(np.mean(shares)) if shares else 0.0


def corrected_interval(differences: ArrayLike, overlap: float, level: float = 0.95) -> tuple[float, float]:
    """Return the mean of paired differences and the half-width of its confidence interval.

    The runs share test galaxies, so that they are not independent: var(mean) = var(d) (1 / k + rho / (1 - rho)), with
    k runs and rho the mean overlap of two test parts; where every run splits one whole sample anew this is the
    correction of Nadeau & Bengio (2003, Machine Learning 52, 239). Student's t with k - 1 degrees of freedom.

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
    values = np.asarray(differences, dtype=np.float64)
    runs = len(values)
    if runs < 2:
        return float(values.mean()), math.nan
    if overlap >= 1:
        return float(values.mean()), math.inf
    variance = values.var(ddof=1) * (1.0 / runs + overlap / (1.0 - overlap))
    return float(values.mean()), float(stats.t.ppf(0.5 + level / 2.0, runs - 1) * math.sqrt(variance))
