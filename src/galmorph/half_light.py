"""How large galaxies look: the radius that holds half of the light of a stamp."""

from __future__ import annotations

import functools

import numpy as np
from numpy.typing import ArrayLike, NDArray
from photutils.aperture import CircularAperture

from galmorph.errors import GalmorphError

BLOCK = 1000  # stamps that are measured at once


@functools.cache
def _masks(size: int, steps: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return radii (steps,), pixels, and the share of each pixel within each of them (size * size, steps)."""
    centre = size // 2  # of the pixel that holds the galaxy, as `galmorph.cutouts` cuts
    radii = np.linspace(0.0, centre - 1.5, steps + 1)[1:]
    inside = [
        CircularAperture((centre, centre), radius).to_mask(method="exact").to_image((size, size)) for radius in radii
    ]
    return radii, np.stack([mask.ravel() for mask in inside], axis=1)


def half_light_radii(images: ArrayLike, steps: int = 60) -> NDArray[np.float64]:
    """Measure the half-light radius of each stamp, about its centre, from its curve of growth.

    The whole light is that within the largest circle in the stamp: of a galaxy with a neighbour beside it, or larger
    than its stamp, this is an estimate. It is as the survey sees the galaxy, the blur of its PSF included.

    Parameters
    ----------
    images
        (n, size, size), DN after sky subtraction, (y, x); a memory map will do.
    steps
        Circles of the curve of growth, between which it is taken as straight.

    Returns
    -------
    (n,) float64, pixels; NaN where the light within the largest circle is not positive.

    Raises
    ------
    GalmorphError
        If the stamps are smaller than 8 pixels.
    """
    stack = np.asarray(images) if not isinstance(images, np.ndarray) else images
    size = stack.shape[-1]
    if size < 8:
        raise GalmorphError(f"stamps of {size} pixels: too small to measure a radius; raise cutouts.stamp_size")
    radii, masks = _masks(size, steps)
    measured = np.full(len(stack), np.nan)
    for start in range(0, len(stack), BLOCK):
        growth = np.asarray(stack[start : start + BLOCK], np.float64).reshape(-1, size * size) @ masks
        for row, curve in enumerate(growth, start=start):
            if curve[-1] > 0:
                share = np.concatenate([[0.0], curve / curve[-1]])
                # The first circle that holds half; noise lets a curve fall again beyond it.
                after = int(np.argmax(share >= 0.5))
                edge = np.concatenate([[0.0], radii])
                measured[row] = np.interp(0.5, share[after - 1 : after + 1], edge[after - 1 : after + 1])
    return measured
