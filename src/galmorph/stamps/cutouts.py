"""A frame and positions -> stamps."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np
import pandas as pd
from astropy.coordinates import SkyCoord
from astropy.stats import sigma_clip
from astropy.wcs.utils import proj_plane_pixel_area
from numpy.typing import NDArray

from galmorph.sdss.frames import Frame
from galmorph.settings.study import CutoutSettings
from galmorph.stamps.stamp import Reject, Stamp

# Why a galaxy is rejected; a detail may follow after a colon.
TOO_NEAR_THE_EDGE = "too near the edge"
OFF_THE_FRAME = "off the frame"
FRAME_MISSING = "frame missing"
FRAME_UNREADABLE = "frame unreadable"
NON_FINITE_PIXELS = "non-finite pixels"
TOO_LITTLE_SKY = "too little sky"

# At the least a tenth of the pixels between the two squares: with the usual squares 1,920 of them, whose median is
# uncertain by 0.03 of the noise of a pixel.
_LEAST_SKY = 0.1


def nearest_pixel(coordinate: float) -> int:
    """Return the pixel that a 0-based coordinate lies in: whole coordinates are pixel centres, halves go up."""
    return math.floor(coordinate + 0.5)


def cut(image: NDArray[np.float32], x: float, y: float, size: int) -> NDArray[np.float32] | None:
    """Cut a square out of a frame.

    Parameters
    ----------
    image
        (ny, nx) float32, (y, x).
    x, y
        0-based position; the pixel that it lies in comes to index size // 2 on both axes.
    size
        Side of the square, pixels.

    Returns
    -------
    (size, size) float32 or None
        A copy, so that the frame can be forgotten; None where the square hangs over an edge.
    """
    left, bottom = nearest_pixel(x) - size // 2, nearest_pixel(y) - size // 2
    if left < 0 or bottom < 0 or left + size > image.shape[1] or bottom + size > image.shape[0]:
        return None
    return image[bottom : bottom + size, left : left + size].copy()


def clipped_median(values: NDArray[np.float32]) -> tuple[float, float]:
    """Return the median and the standard deviation of values, after clipping at 3 standard deviations.

    The clipping repeats until nothing more falls out, because a galaxy among the values pulls the first standard
    deviations up.
    """
    # With an axis named astropy takes its fast path, which marks what it clips with NaN.
    clipped = sigma_clip(values.astype(np.float64).ravel(), sigma=3.0, maxiters=None, axis=0, masked=False)
    kept = clipped[np.isfinite(clipped)]
    return float(np.median(kept)), float(np.std(kept))


def local_sky(image: NDArray[np.float32], x: float, y: float, inner: int, outer: int) -> tuple[float, float] | None:
    """Measure the sky around a position.

    Parameters
    ----------
    image
        (ny, nx) float32, (y, x), DN.
    x, y
        0-based position.
    inner, outer
        Sides in pixels of two squares around it; what lies between them, on the frame and finite, is measured.

    Returns
    -------
    (sky, noise) or None
        Clipped median and standard deviation, DN. None where fewer than a tenth of the pixels are left. (The pixels
        of DR7 are whole DN, and so is this median: it may be off by up to half a DN, a tenth of the noise.)
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


def frame_cutouts(
    frame: Frame, galaxies: pd.DataFrame, settings: CutoutSettings, psf_fwhm: float = math.nan
) -> Iterator[Stamp | Reject]:
    """Cut galaxies out of a frame, one after the other. Nothing is opened here.

    Parameters
    ----------
    frame
        As `galmorph.frames.read_frame` returns it.
    galaxies
        Columns ra, dec (degrees, ICRS); the index is the row in the sample.
    settings
        Sizes, and where the sky is measured.
    psf_fwhm
        Of this frame, arcsec.

    Yields
    ------
    Stamp or Reject
        One for each galaxy, in their order.
    """
    ny, nx = frame.image.shape
    pixel_scale = math.sqrt(proj_plane_pixel_area(frame.wcs)) * 3600.0
    # Through SkyCoord, because one frame in ten has declination as its first axis.
    xs, ys = frame.wcs.world_to_pixel(SkyCoord(galaxies["ra"].to_numpy(), galaxies["dec"].to_numpy(), unit="deg"))
    for row, x, y in zip(galaxies.index.tolist(), xs.tolist(), ys.tolist(), strict=True):
        # Asked so that NaN, which is what a position on the far side of the sky becomes, is off the frame too.
        if not (-0.5 <= x < nx - 0.5 and -0.5 <= y < ny - 0.5):
            yield Reject(row, frame.name, OFF_THE_FRAME)
            continue
        image = cut(frame.image, x, y, settings.stamp_size)
        if image is None:
            yield Reject(row, frame.name, TOO_NEAR_THE_EDGE)
            continue
        if not np.isfinite(image).all():
            yield Reject(row, frame.name, NON_FINITE_PIXELS)
            continue
        measured = local_sky(frame.image, x, y, settings.sky_inner, settings.sky_outer)
        if measured is None:
            yield Reject(row, frame.name, TOO_LITTLE_SKY)
            continue
        sky, noise = measured
        wide = cut(frame.image, x, y, settings.wide_size)
        with np.errstate(over="ignore"):
            image = image - np.float32(sky)
            wide = None if wide is None else wide - np.float32(sky)
        if not np.isfinite(image).all():
            yield Reject(row, frame.name, NON_FINITE_PIXELS)
            continue
        yield Stamp(
            row=row,
            image=image,
            wide=wide if wide is not None and np.isfinite(wide).all() else None,
            frame=frame.name,
            x=x,
            y=y,
            psf_fwhm=psf_fwhm,
            pixel_scale=pixel_scale,
            sky=sky,
            noise=noise,
        )
