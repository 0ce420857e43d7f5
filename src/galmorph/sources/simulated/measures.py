"""What a person could see of a galaxy in a frame, as numbers: the only things that its votes depend on."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from galmorph.sdss.names import PIXEL_SCALE
from galmorph.sources.simulated.drawing import Stamp
from galmorph.sources.simulated.exposure import OVERSAMPLING, SAMPLE, Exposure

Floats = NDArray[np.float32]

UNNOTICED_CONTRAST = 0.06  # structure fainter than this share of the light beneath it escapes the eye


def visibility(image: Floats, reference: Floats, exposure: Exposure) -> float:
    """Return the signal-to-noise ratio of what distinguishes a galaxy from its smooth self.

    Parameters
    ----------
    image, reference
        (n, n) float32, DN, (y, x), noiseless: with and without arms, bar and clumps, or a tidal tail.
    exposure
        The frame's circumstances.
    """
    variance = _variance(reference, exposure) + (UNNOTICED_CONTRAST * reference) ** 2
    return float(np.sqrt(np.sum((image - reference) ** 2 / variance, dtype=np.float64)))


def signal_to_noise(reference: Floats, exposure: Exposure) -> float:
    """Return the signal-to-noise ratio of the whole galaxy."""
    return float(np.sqrt(np.sum(reference**2 / _variance(reference, exposure), dtype=np.float64)))


def _variance(reference: Floats, exposure: Exposure) -> Floats:
    return np.asarray((exposure.sky + reference) / exposure.gain + exposure.dark_variance, dtype=np.float32)


def isophote(image: Floats, level: float) -> tuple[float, float]:
    """Return axis ratio and semi-major axis (arcsec) of the ellipse with the second moments of an isophote.

    Parameters
    ----------
    image
        (n, n) float32, DN, (y, x), noiseless.
    level
        The isophote, DN. Where fewer than three pixels reach it the galaxy is a point: ratio 1, axis 0.
    """
    y, x = np.nonzero(image > level)
    if x.size < 3:
        return 1.0, 0.0
    # A pixel has an extent of its own, without which a line of pixels would have no width.
    moments = np.cov(np.stack([x, y]).astype(np.float64), bias=True) + np.eye(2) / 12
    small, large = np.linalg.eigvalsh(moments)
    return float(np.sqrt(small / large)), float(2 * np.sqrt(large) * PIXEL_SCALE)


def concentration(stamp: Stamp) -> float:
    """Return 5 log10(r80 / r20), from the growth curve in circles about the galaxy's centre.

    An exponential disk has 2.7 and a de Vaucouleurs profile 5.2, both before the PSF (Conselice 2003, ApJS 147, 1,
    whose definition this is).
    """
    size = stamp.samples.shape[0]
    axis = SAMPLE * (np.arange(size, dtype=np.float64) - size // 2)
    x, y = axis - stamp.offset[0], axis - stamp.offset[1]
    step = 0.05  # arcsec
    ring = (np.sqrt(x[None, :] ** 2 + y[:, None] ** 2) / step).astype(np.int64)
    flux = np.cumsum(np.bincount(ring.ravel(), weights=stamp.samples.ravel()))
    growth = flux / flux[-1]
    # The flux within the outer radius of a ring; np.interp needs a curve that does not fall.
    outer = step * np.arange(1, growth.size + 1)
    r20, r80 = np.interp([0.2, 0.8], np.maximum.accumulate(growth), outer)
    return float(5 * np.log10(r80 / r20))


def _logistic(x: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray(1 / (1 + np.exp(-x)))


def merger_appearance(
    magnitude_difference: NDArray[np.float64], distance: NDArray[np.float64], is_star: NDArray[np.bool_], axis: float
) -> float:
    """Return how much the neighbours make a galaxy look like a merger, 0 to 1.

    Parameters
    ----------
    magnitude_difference, distance, is_star
        Of each neighbour: its magnitude less the galaxy's, its distance in arcsec, and whether it is a star.
    axis
        Semi-major axis of the galaxy's isophote, arcsec.
    """
    if distance.size == 0:
        return 0.0
    a = max(axis, 1.5)
    kin = np.where(is_star, 0.4, 1.0)
    seen = _logistic((1.9 - magnitude_difference) / 0.4) * _logistic((2.2 * a - distance) / (0.4 * a))
    return float(np.max(kin * seen))


def measure(stamp: Stamp, exposure: Exposure) -> dict[str, float]:
    """Return the measures of one galaxy by column name, all but merger_appearance."""
    ratio, axis = isophote(stamp.image, 1.5 * exposure.sky_noise)
    tidal = np.zeros_like(stamp.reference) if stamp.tidal is None else stamp.tidal[::OVERSAMPLING, ::OVERSAMPLING]
    return {
        "arm_visibility": visibility(stamp.image - tidal, stamp.reference, exposure),
        "tail_visibility": visibility(stamp.reference + tidal, stamp.reference, exposure),
        "signal_to_noise": signal_to_noise(stamp.reference, exposure),
        "isophote_axis_ratio": ratio,
        "isophote_axis": axis,
        "concentration": concentration(stamp),
    }
