"""Pixels of one size -> pixels of another, by the share of each old pixel that lies in each new one."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def shares(old: NDArray[np.float64], new: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return which share of each old pixel lies in each new one, along one axis.

    With S = shares(...), S @ image @ S.T rebins an image and conserves its flux, as far as the new pixels cover the
    old ones.

    Parameters
    ----------
    old
        (n + 1,) edges of the old pixels, ascending.
    new
        (m + 1,) edges of the new ones, on the same axis.

    Returns
    -------
    (m, n) float64.
    """
    inside = np.minimum(new[1:, None], old[None, 1:]) - np.maximum(new[:-1, None], old[None, :-1])
    fractions: NDArray[np.float64] = np.clip(inside, 0.0, None) / np.diff(old)
    return fractions


def centred_edges(count: int, scale: float) -> NDArray[np.float64]:
    """Return the (count + 1,) edges of pixels of a size, on both sides of 0."""
    return np.asarray((np.arange(count + 1) - count / 2) * scale, dtype=np.float64)


def noise_autocovariance(matrix: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the autocovariance along one axis of white noise of variance 1 that was rebinned.

    Where new pixels share old ones they share noise. How much varies from pixel to pixel; this is the mean.

    Parameters
    ----------
    matrix
        (m, n) from `shares`.

    Returns
    -------
    (m,) float64: the mean product of pixels so far apart; the variance first.
    """
    products = matrix @ matrix.T
    return np.array([np.diagonal(products, lag).mean() for lag in range(len(products))])
