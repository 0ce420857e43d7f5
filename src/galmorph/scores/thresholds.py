"""How well networks of two classes rank galaxies, and a threshold that needs no label of the galaxies it is for."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.metrics import roc_auc_score

Floats = NDArray[np.float64]
_LEAST = float(np.finfo(np.float32).smallest_subnormal)


def log_odds(probabilities: ArrayLike) -> Floats:
    """Return ln p - ln q of two classes.

    It ranks galaxies where the probability itself no longer does: in single precision that of the commoner class is 1
    for many, while that of the other still differs.

    Parameters
    ----------
    probabilities
        (n, 2) float32: p and q.

    Examples
    --------
    >>> log_odds(np.array([[1, 1e-9], [1, 1e-12]], np.float32)).round(1)
    array([20.7, 27.6])
    """
    first, second = np.log(np.maximum(np.asarray(probabilities, dtype=np.float64), _LEAST)).T
    odds: Floats = first - second
    return odds


def ranking_area(positive: NDArray[np.bool_], score: Floats) -> float:
    """Return the area under the ROC curve, which no threshold changes; NaN where all galaxies are of one class.

    Parameters
    ----------
    positive
        (n,) whether a galaxy is of the positive class.
    score
        (n,) the higher, the surer.
    """
    return float(roc_auc_score(positive, score)) if len(np.unique(positive)) == 2 else math.nan


def prior_matched(score: Floats, fraction: float) -> NDArray[np.bool_]:
    """Say of each galaxy whether it is called positive, so that the called are a given fraction; no label is used.

    The fraction f is that of the class among the galaxies that the network learnt from, and of n galaxies the f n with
    the highest scores are called: the proportion-based assignment (PCut) of Yang (2001, Proc. 24th ACM SIGIR, 137).
    Galaxies of one score are called together, or not, whichever number is closer.

    Parameters
    ----------
    score
        (n,) the higher, the surer.
    fraction
        Of the positive class, 0 to 1.

    Examples
    --------
    >>> prior_matched(np.array([9.0, 7.0, 8.0, 6.0]), 0.5)
    array([ True, False,  True, False])
    """
    wanted = int(fraction * len(score) + 0.5)
    if wanted == 0:
        return np.zeros(len(score), bool)
    threshold = np.sort(score)[len(score) - wanted]
    more, fewer = score >= threshold, score > threshold
    return more if more.sum() - wanted <= wanted - fewer.sum() else fewer
