"""The sample of the resolution study: the galaxies that can be shown at every level, and how large they look."""

from __future__ import annotations

import functools
from collections import Counter
from collections.abc import Sequence

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from photutils.aperture import CircularAperture

from galmorph.errors import GalmorphError
from galmorph.settings.resolution import ResolutionSettings

NO_WIDE = "no wide stamp"
NO_PSF = "no usable PSF width"
NO_SCALE = "no pixel scale"
NO_NOISE = "no usable noise"
WIDE_PSF = "PSF wider than resolution.sample.max_psf_fwhm"
NOISY = "noise above resolution.sample.max_noise"
USABLE_PSF = (0.3, 10.0)  # arcsec, FWHM; what is outside is no measurement
BLOCK = 1000  # stamps that are measured at once


def why_left_out(galaxies: pd.DataFrame, settings: ResolutionSettings) -> pd.Series[str]:
    """Say of each galaxy why it is left out, or "" where it is not.

    Parameters
    ----------
    galaxies
        galaxies.parquet: psf_fwhm, pixel_scale, noise and has_wide are read.
    """
    psf, scale, noise = (galaxies[name].to_numpy(dtype=float) for name in ("psf_fwhm", "pixel_scale", "noise"))
    with np.errstate(invalid="ignore"):
        rules = [
            (~galaxies["has_wide"].to_numpy(dtype=bool), NO_WIDE),
            (~((psf > USABLE_PSF[0]) & (psf < USABLE_PSF[1])), NO_PSF),
            (~(scale > 0), NO_SCALE),
            (~(np.isfinite(noise) & (noise >= 0)), NO_NOISE),
            (psf > settings.sample.max_psf_fwhm, WIDE_PSF),
            (noise > settings.sample.max_noise, NOISY),
        ]
    reasons = np.select([rule for rule, _ in rules], [reason for _, reason in rules], default="")
    return pd.Series(reasons, index=galaxies.index, dtype="str")


def resolution_sample(galaxies: pd.DataFrame, settings: ResolutionSettings) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Part the galaxies into those of the resolution study and those left out.

    Parameters
    ----------
    galaxies
        galaxies.parquet, all columns; row i describes image i.

    Returns
    -------
    sample
        The columns of galaxies.parquet, and `wide`: which image of wide.npy is the galaxy's.
    left_out
        objid, psf_fwhm, noise, reason.

    Raises
    ------
    GalmorphError
        If more than sample.max_left_out_fraction of the galaxies, or all, are left out.
    """
    reasons = why_left_out(galaxies, settings)
    numbered = galaxies.assign(wide=galaxies["has_wide"].cumsum() - 1)
    sample = numbered[reasons == ""].reset_index(drop=True)
    left_out = galaxies.loc[reasons != "", ["objid", "psf_fwhm", "noise"]].assign(reason=reasons[reasons != ""])
    limit = settings.sample.max_left_out_fraction
    if len(left_out) > limit * len(galaxies) or sample.empty:
        counted = ", ".join(f"{count} {reason}" for reason, count in Counter(left_out["reason"]).most_common())
        first = left_out.iloc[0]
        raise GalmorphError(
            f"resolution: {len(left_out)} of {len(galaxies)} galaxies left out ({counted}), more than "
            f"resolution.sample.max_left_out_fraction {limit:g} allows. First: {first['objid']}, psf_fwhm "
            f"{first['psf_fwhm']:.3g} arcsec, noise {first['noise']:.3g} a pixel. Raise the limit that is named, and "
            "the levels with it, or max_left_out_fraction; for no resolution study at all leave levels, ablations and "
            "remedies empty: {}"
        )
    return sample, left_out.reset_index(drop=True)


def half_light_radii(images: ArrayLike) -> NDArray[np.float64]:
    """Measure the half-light radius of each stamp, (n,) pixels: `light_radii` of half of the light."""
    return light_radii(images, (0.5,))[:, 0]


def light_radii(images: ArrayLike, shares: Sequence[float], steps: int = 60) -> NDArray[np.float64]:
    """Measure the radii that hold given shares of the light of each stamp, about its centre, from its curve of growth.

    The whole light is that within the largest circle in the stamp: of a galaxy with a neighbour beside it, or larger
    than its stamp, this is an estimate. It is as the survey sees the galaxy, the blur of its PSF included.

    Parameters
    ----------
    images
        (n, size, size), DN after sky subtraction, (y, x); a memory map will do.
    shares
        Between 0 and 1; 0.5 gives the half-light radius.
    steps
        Circles of the curve of growth, between which it is taken as straight.

    Returns
    -------
    (n, len(shares)) float64, pixels; NaN where the light within the largest circle is not positive.

    Raises
    ------
    GalmorphError
        If the stamps are smaller than 8 pixels.
    """
    stack = np.asanyarray(images)
    size = stack.shape[-1]
    if size < 8:
        raise GalmorphError(f"stamps of {size} pixels: too small to measure a radius; raise cutouts.stamp_size")
    radii, masks = _masks(size, steps)
    edge = np.concatenate([[0.0], radii])
    measured = np.full((len(stack), len(shares)), np.nan)
    for start in range(0, len(stack), BLOCK):
        growth = np.asarray(stack[start : start + BLOCK], np.float64).reshape(-1, size * size) @ masks
        for row, curve in enumerate(growth, start=start):
            if curve[-1] > 0:
                held = np.concatenate([[0.0], curve / curve[-1]])
                for column, share in enumerate(shares):
                    # The first circle that holds it; noise lets a curve fall again beyond it.
                    after = int(np.argmax(held >= share))
                    measured[row, column] = np.interp(share, held[after - 1 : after + 1], edge[after - 1 : after + 1])
    return measured


@functools.cache
def _masks(size: int, steps: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return radii (steps,), pixels, and the share of each pixel within each of them (size * size, steps)."""
    centre = size // 2  # of the pixel that holds the galaxy, see `galmorph.stamps.pixels.cut`
    radii = np.linspace(0.0, centre - 1.5, steps + 1)[1:]
    inside = [
        CircularAperture((centre, centre), radius).to_mask(method="exact").to_image((size, size)) for radius in radii
    ]
    return radii, np.stack([mask.ravel() for mask in inside], axis=1)
