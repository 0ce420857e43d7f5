"""Scores of one set of predictions, all from its confusion matrix.

A confusion matrix here is (..., K, K) int64, rows true, columns predicted; leading axes (runs, epochs) are kept.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]


def confusion_matrix(truth: ArrayLike, predicted: ArrayLike, n_classes: int) -> NDArray[np.int64]:
    """Count every pair of true and predicted class.

    Parameters
    ----------
    truth
        (n,) class numbers from 0.
    predicted
        (..., n) class numbers; leading axes, epochs for instance, are kept.
    n_classes
        K.

    Returns
    -------
    (..., K, K) int64, rows true, columns predicted.

    Examples
    --------
    >>> confusion_matrix([0, 0, 0, 1], [0, 0, 1, 1], 2).tolist()
    [[2, 1], [0, 1]]
    """
    true = np.asarray(truth, dtype=np.int64)
    guess = np.asarray(predicted, dtype=np.int64)
    leading = guess.shape[:-1]
    cells = n_classes * n_classes
    flat = (true * n_classes + guess).reshape(-1, true.size)
    flat = flat + cells * np.arange(flat.shape[0])[:, None]
    counts = np.bincount(flat.ravel(), minlength=cells * flat.shape[0])
    return counts.reshape(*leading, n_classes, n_classes)


def accuracy(confusion: ArrayLike) -> Floats:
    """Share of correct predictions (equation 4.1 of the thesis, for any number of classes)."""
    matrix = np.asarray(confusion, dtype=np.float64)
    return np.trace(matrix, axis1=-2, axis2=-1) / matrix.sum(axis=(-2, -1))


def baseline(confusion: ArrayLike) -> Floats:
    """Accuracy of always predicting the commonest class of the same set."""
    matrix = np.asarray(confusion, dtype=np.float64)
    return matrix.sum(axis=-1).max(axis=-1) / matrix.sum(axis=(-2, -1))


def recall(confusion: ArrayLike) -> Floats:
    """Share of each true class that is predicted right, (..., K); NaN for a class that the set lacks."""
    matrix = np.asarray(confusion, dtype=np.float64)
    return _share(np.diagonal(matrix, axis1=-2, axis2=-1), matrix.sum(axis=-1))


def precision(confusion: ArrayLike) -> Floats:
    """Share of the predictions of each class that are right, (..., K); NaN for a class that is never predicted."""
    matrix = np.asarray(confusion, dtype=np.float64)
    return _share(np.diagonal(matrix, axis1=-2, axis2=-1), matrix.sum(axis=-2))


def f1(confusion: ArrayLike) -> Floats:
    """Harmonic mean of precision and recall of each class, 2 TP / (2 TP + FP + FN), (..., K).

    0 for a class of the set that is never predicted; NaN for one that is neither in the set nor predicted.
    """
    matrix = np.asarray(confusion, dtype=np.float64)
    return _share(2.0 * np.diagonal(matrix, axis1=-2, axis2=-1), matrix.sum(axis=-1) + matrix.sum(axis=-2))


def tss(confusion: ArrayLike) -> Floats:
    """True Skill Statistic: mean recall, rescaled so that guessing gives 0 and perfection 1.

    For two classes this is TP / (TP + FN) - FP / (TN + FP), equation 4.2 of the thesis. For K classes it is the
    adjusted balanced accuracy, (mean recall - 1/K) / (1 - 1/K), the one of the usual extensions that does not depend
    on the class fractions. NaN where the set lacks a class.

    Examples
    --------
    >>> round(float(tss([[90, 10], [5, 15]])), 6)
    0.65
    """
    shares = recall(confusion)
    guessing = 1.0 / shares.shape[-1]
    return (shares.mean(axis=-1) - guessing) / (1.0 - guessing)


def peirce(confusion: ArrayLike) -> Floats:
    """Peirce skill score of K classes: (sum p_ii - sum r_i c_i) / (1 - sum r_i^2).

    r and c are the margins of truth and prediction (Wilks 2019, section 9.2.6). Equal to `tss` for two classes;
    depends on the class fractions beyond that.
    """
    matrix = np.asarray(confusion, dtype=np.float64)
    share = matrix / matrix.sum(axis=(-2, -1), keepdims=True)
    true, predicted = share.sum(axis=-1), share.sum(axis=-2)
    hits = np.trace(share, axis1=-2, axis2=-1)
    return (hits - (true * predicted).sum(axis=-1)) / (1.0 - (true**2).sum(axis=-1))


def macro_tss(confusion: ArrayLike) -> Floats:
    """Mean over the classes of the two-class TSS of that class against the rest."""
    matrix = np.asarray(confusion, dtype=np.float64)
    members, predicted = matrix.sum(axis=-1), matrix.sum(axis=-2)
    hits = np.diagonal(matrix, axis1=-2, axis2=-1)
    others = matrix.sum(axis=(-2, -1))[..., None] - members
    with np.errstate(invalid="ignore", divide="ignore"):
        return (hits / members - (predicted - hits) / others).mean(axis=-1)


def _share(part: Floats, whole: Floats) -> Floats:
    """Return part / whole, NaN where the whole is 0."""
    return np.divide(part, whole, out=np.full(whole.shape, np.nan), where=whole > 0)
