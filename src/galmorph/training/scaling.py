"""Scale stamps in DN for the network.

The constant comes from a run's training part alone, and is kept with its weights.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from galmorph.errors import GalmorphError

Images = NDArray[np.float32]


def softening(images: Images, method: str) -> float:
    """Return the constant s of a training part.

    Parameters
    ----------
    images
        (n, size, size) float32, DN.
    method
        asinh: s is the robust standard deviation of the pixels (1.4826 times the median absolute deviation), close
        to the sky noise, so that the faint parts stay linear and the bright ones logarithmic (Lupton, Gunn & Szalay
        1999). linear: s is their standard deviation. extremes: no constant is needed, and s is 1.

    Raises
    ------
    GalmorphError
        If the images have no spread to scale by.
    """
    if method == "extremes":
        return 1.0
    if method == "asinh":
        median = np.median(images)
        s = 1.4826 * float(np.median(np.abs(images - median)))
    else:
        s = float(images.std(dtype=np.float64))
    if not np.isfinite(s) or s <= 0:
        raise GalmorphError(
            f"training.scaling: {method} finds no spread in the pixels of the training part (s = {s}): are the stamps "
            "empty or not finite? See data/cutouts/images.npy, or choose another scaling"
        )
    return s


def scaled(images: Images, method: str, s: float) -> Images:
    """Scale images for the network.

    Parameters
    ----------
    images
        (n, size, size) float32, DN.
    method
        asinh: asinh(x / s). linear: x / s. extremes: each stamp to 0..1 by its own smallest and largest pixel, which
        destroys its flux.
    s
        From `softening` of the training part.

    Returns
    -------
    (n, size, size, 1) float32.

    Raises
    ------
    GalmorphError
        If a pixel is not finite: max-pooling may hide that from later checks.

    Examples
    --------
    >>> stamp = np.array([[[0, 6], [60, 600]]], np.float32)
    >>> scaled(stamp, "asinh", 6.0)[0, :, :, 0].round(2)
    array([[0.  , 0.88],
           [3.  , 5.3 ]], dtype=float32)
    """
    if not (finite := np.isfinite(images).all(axis=(1, 2))).all():
        raise GalmorphError(
            f"{np.count_nonzero(~finite)} of {len(images)} stamps hold pixels that are infinite or no number; dvc "
            "checkout restores data/cutouts/images.npy, dvc repro makes it anew"
        )
    if method == "extremes":
        low = images.min(axis=(1, 2), keepdims=True)
        span = images.max(axis=(1, 2), keepdims=True) - low
        result = (images - low) / np.where(span > 0, span, 1)
    elif method == "asinh":
        result = np.arcsinh(images / np.float32(s))
    else:
        result = images / np.float32(s)
    return np.ascontiguousarray(result[..., None], dtype=np.float32)
