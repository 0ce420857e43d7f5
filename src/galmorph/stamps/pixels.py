"""Operations on the pixels of a frame or a stamp: cut a square, measure the sky, rebin."""

from __future__ import annotations

import math

import numpy as np
from astropy.stats import sigma_clip
from numpy.typing import NDArray

# The sky needs at least a tenth of the pixels between the two squares: with the usual squares 1,920 of them, whose
# median is uncertain by 0.03 of the noise of a pixel.
_LEAST_SKY = 0.1


def nearest_pixel(coordinate: float) -> int:
    """Return the pixel that contains a 0-based coordinate.

    Whole coordinates are pixel centres, and halves round up.

    Examples
    --------
    >>> [nearest_pixel(x) for x in (7.0, 7.49, 7.5)]
    [7, 7, 8]
    """
    return math.floor(coordinate + 0.5)


def cut(image: NDArray[np.float32], x: float, y: float, size: int) -> NDArray[np.float32] | None:
    """Cut a square out of a frame.

    Parameters
    ----------
    image
        (ny, nx) float32, (y, x).
    x, y
        0-based position; the pixel that contains it has index size // 2 on both axes of the result.
    size
        Side of the square, pixels.

    Returns
    -------
    (size, size) float32 or None
        A copy, so that the frame can be freed; None if the square extends over an edge.

    Examples
    --------
    >>> frame = np.arange(48, dtype=np.float32).reshape(6, 8)
    >>> cut(frame, x=3, y=2, size=2)
    array([[10., 11.],
           [18., 19.]], dtype=float32)
    >>> cut(frame, x=0, y=2, size=2) is None
    True
    """
    left, bottom = nearest_pixel(x) - size // 2, nearest_pixel(y) - size // 2
    if left < 0 or bottom < 0 or left + size > image.shape[1] or bottom + size > image.shape[0]:
        return None
    return image[bottom : bottom + size, left : left + size].copy()


def interpolated_median(values: NDArray[np.floating]) -> float:
    """Return the median of values that may be rounded, for example to whole DN.

    The mid-distribution function, the fraction below a value plus half of the fraction equal to it, is interpolated at
    one half (Ma, Genton & Parzen 2011, Annals of the Institute of Statistical Mathematics 63, 227). The usual median
    of whole numbers is a whole number, up to half a unit from that of the values before they were rounded. Where all
    values differ, the two are the same.

    Parameters
    ----------
    values
        (n,), finite; n at least 1.

    Examples
    --------
    >>> interpolated_median(np.array([1.0, 2.0, 7.0]))
    2.0
    >>> round(interpolated_median(np.array([1.0, 1.0, 2.0, 2.0, 2.0, 2.0])), 3)
    1.667
    """
    distinct, counts = np.unique(values, return_counts=True)
    middle = (np.cumsum(counts) - counts / 2) / values.size
    return float(np.interp(0.5, middle, distinct))


def clipped_median(values: NDArray[np.float32]) -> tuple[float, float]:
    """Return the interpolated median and the standard deviation of values after clipping at 3 standard deviations.

    Clipping repeats until it converges, because a galaxy among the values inflates the first standard deviations.
    """
    # With an axis given astropy takes its fast path, which replaces clipped values by NaN.
    clipped = sigma_clip(values.astype(np.float64).ravel(), sigma=3.0, maxiters=None, axis=0, masked=False)
    kept = clipped[np.isfinite(clipped)]
    return interpolated_median(kept), float(np.std(kept))


def local_sky(image: NDArray[np.float32], x: float, y: float, inner: int, outer: int) -> tuple[float, float] | None:
    """Measure the sky around a position.

    Parameters
    ----------
    image
        (ny, nx) float32, (y, x), DN.
    x, y
        0-based position.
    inner, outer
        Sides of two squares around it, pixels. The finite pixels of the frame between the two are measured.

    Returns
    -------
    (sky, noise) or None
        Clipped median and standard deviation, DN; None if fewer than a tenth of the pixels can be measured. The
        median is interpolated, because the pixels of DR7 are whole DN.
    """
    centre_x, centre_y = nearest_pixel(x), nearest_pixel(y)
    left, bottom = max(centre_x - outer // 2, 0), max(centre_y - outer // 2, 0)
    right, top = max(centre_x + outer // 2, 0), max(centre_y + outer // 2, 0)
    area = image[bottom:top, left:right]
    rows = np.arange(area.shape[0])[:, None] + bottom - centre_y
    columns = np.arange(area.shape[1])[None, :] + left - centre_x
    half = inner // 2
    hole = (rows >= -half) & (rows < half) & (columns >= -half) & (columns < half)
    values = area[~hole & np.isfinite(area)]
    if values.size < _LEAST_SKY * (outer**2 - inner**2):
        return None
    return clipped_median(values)


def shares(old: NDArray[np.float64], new: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the share of each old pixel that lies in each new one, along one axis.

    With S = shares(...), S @ image @ S.T rebins an image. Flux is conserved where the new pixels cover the old ones.

    Parameters
    ----------
    old
        (n + 1,) edges of the old pixels, ascending.
    new
        (m + 1,) edges of the new pixels, on the same axis.

    Returns
    -------
    (m, n) float64

    Examples
    --------
    >>> shares(centred_edges(3, 1.0), centred_edges(2, 1.5))
    array([[1. , 0.5, 0. ],
           [0. , 0.5, 1. ]])
    """
    inside = np.minimum(new[1:, None], old[None, 1:]) - np.maximum(new[:-1, None], old[None, :-1])
    fractions: NDArray[np.float64] = np.clip(inside, 0.0, None) / np.diff(old)
    return fractions


def centred_edges(count: int, scale: float) -> NDArray[np.float64]:
    """Return the (count + 1,) edges of `count` pixels of width `scale`, centred on 0."""
    return np.asarray((np.arange(count + 1) - count / 2) * scale, dtype=np.float64)


def noise_autocovariance(matrix: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the autocovariance along one axis of rebinned white noise of variance 1.

    New pixels that share an old one share its noise. The covariance varies from pixel to pixel; this is the mean.

    Parameters
    ----------
    matrix
        (m, n) from `shares`.

    Returns
    -------
    (m,) float64
        Mean product of two pixels at each distance, the variance first.
    """
    products = matrix @ matrix.T
    return np.array([np.diagonal(products, lag).mean() for lag in range(len(products))])
