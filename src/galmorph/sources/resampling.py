"""Make a stamp of a cutout of any size."""

from __future__ import annotations

import functools

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from galmorph.settings.study import CutoutSettings
from galmorph.settings.survey import StampsSettings
from galmorph.sources.pictures import UnusableStampError
from galmorph.stamps.cutouts import NON_FINITE_PIXELS
from galmorph.stamps.pixels import clipped_median, cut, shares
from galmorph.stamps.stampset import Stamp

TOO_SMALL = "stamp too small"
NOT_SQUARE = "stamp not square"
_BORDER = 16  # the sky is measured on a border of this fraction of the side


def make_stamp(
    picture: NDArray[np.float32],
    row: int,
    name: str,
    psf_fwhm: float,
    pixel_scale: float,
    settings: StampsSettings,
    cutouts: CutoutSettings,
) -> Stamp:
    """Resample or crop a cutout to a stamp, and subtract its sky.

    The sky and the noise are the clipped median and standard deviation of a border, 1/16 of the side wide, of the
    cutout (field: centre) or the resampled cutout (field: whole): in both cases at the pixel scale of the stamp.

    Raises
    ------
    UnusableStampError
        If the cutout is too small, not square, or not finite.
    """
    ny, nx = picture.shape
    size = cutouts.stamp_size
    wide = None
    if settings.field == "whole":
        if nx != ny:
            raise UnusableStampError(f"{NOT_SQUARE}: {nx} x {ny} pixels, of which stamps.field centre takes the middle")
        resampled = area(picture, size) if settings.resampling == "area" else spline(picture, size)
        image, measured = resampled, resampled
        pixel_scale *= nx / size
    else:
        middle = cut(picture, nx // 2, ny // 2, size)
        if middle is None:
            raise UnusableStampError(f"{TOO_SMALL}: {nx} x {ny} pixels, cutouts.stamp_size is {size}")
        image, measured = middle, picture
        wide = cut(picture, nx // 2, ny // 2, cutouts.wide_size)
    if not np.isfinite(measured).all():
        raise UnusableStampError(NON_FINITE_PIXELS)
    sky, noise = clipped_median(_border(measured))
    with np.errstate(over="ignore"):
        image = image - np.float32(sky)
        wide = None if wide is None else wide - np.float32(sky)
    if not (np.isfinite(noise) and np.isfinite(image).all() and (wide is None or np.isfinite(wide).all())):
        raise UnusableStampError(f"{NON_FINITE_PIXELS}: too large for 32 bits without their sky")
    return Stamp(
        row=row,
        image=image,
        wide=wide,
        frame=name,
        x=(nx - 1) / 2,
        y=(ny - 1) / 2,
        psf_fwhm=psf_fwhm,
        pixel_scale=pixel_scale,
        sky=sky,
        noise=noise,
    )


def _border(image: NDArray[np.float32]) -> NDArray[np.float32]:
    width = max(2, min(image.shape) // _BORDER)
    inside = np.zeros(image.shape, dtype=bool)
    inside[width:-width, width:-width] = True
    return image[~inside]


@functools.cache
def _overlaps(count: int, size: int) -> NDArray[np.float64]:
    """Return (size, count) weights, the share of each of `count` old pixels in each of `size` new ones."""
    return shares(np.arange(count + 1.0), np.arange(size + 1) * count / size) * size / count


def area(picture: NDArray[np.float32], size: int) -> NDArray[np.float32]:
    """Average over the area of each new pixel, with old pixels at its edge weighted by their overlap.

    Parameters
    ----------
    picture
        (n, n) float32.

    Returns
    -------
    (size, size) float32.
    """
    weights = _overlaps(picture.shape[0], size)
    return (weights @ picture.astype(np.float64) @ weights.T).astype(np.float32)


def spline(picture: NDArray[np.float32], size: int) -> NDArray[np.float32]:
    """Interpolate by cubic splines; pixels are squares, so the edges of the picture keep their place.

    Parameters
    ----------
    picture
        (n, n) float32.

    Returns
    -------
    (size, size) float32.
    """
    factor = size / picture.shape[0]
    zoomed = ndimage.zoom(picture.astype(np.float64), factor, order=3, mode="nearest", grid_mode=True)
    resampled: NDArray[np.float32] = zoomed.astype(np.float32)
    return resampled
