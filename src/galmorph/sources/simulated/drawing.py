"""One galaxy, noiseless and through the PSF: as it is, and as it would be without its structure.

Disks are drawn point by point on a grid of two samples a pixel, with the structure that they carry; bulges and
elliptical galaxies are Sersic profiles taken analytically in Fourier space; there the sum is convolved with PSF and
pixel, once, and the pixels are every second sample of what comes back.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final

import galsim
import numpy as np
import scipy.fft
from numpy.typing import NDArray

from galmorph.sources.simulated import structure
from galmorph.sources.simulated.exposure import OVERSAMPLING, SAMPLE, Exposure, half_plane
from galmorph.sources.simulated.population import DISK_EXTENT

# Sides of the drawing grid: products of small primes, and multiples of 4, so that its middle is a pixel's centre.
SIDES: Final = (96, 128, 192, 256, 384, 512, 768, 1024, 1536, 2048)
BULGE_EXTENT, ELLIPTICAL_EXTENT = 6.0, 8.0  # half-light radii at which the profiles end; 8 as in the SDSS's own model
DISK_REACH: Final = 5.4  # scale lengths beyond which the truncated disk is nothing
PSF_REACH: Final = 4.0  # arcsec

Floats = NDArray[np.float32]


@dataclass(frozen=True)
class Stamp:
    """A drawn galaxy.

    Attributes
    ----------
    samples
        (2 n, 2 n) float32, DN per pixel, (y, x): what a pixel would hold if its centre lay at each sample.
    smooth
        The same without arms, bar, clumps and tidal tail.
    tidal
        The same for the tidal tail alone; None without one.
    offset
        x, y of the galaxy's centre from the middle sample (n, n), arcsec.
    """

    samples: Floats
    smooth: Floats
    tidal: Floats | None
    offset: tuple[float, float]

    @property
    def image(self) -> Floats:
        """(n, n) float32, DN, (y, x), on the pixels; the middle is pixel (n // 2, n // 2)."""
        return self.samples[::OVERSAMPLING, ::OVERSAMPLING]

    @property
    def reference(self) -> Floats:
        """(n, n) float32, DN, (y, x): `smooth` on the pixels."""
        return self.smooth[::OVERSAMPLING, ::OVERSAMPLING]


def side(galaxy: Any) -> int:
    """Return the samples per side that hold a galaxy, a row of `population.draw`."""
    extent = ELLIPTICAL_EXTENT if galaxy.kind == "E" else BULGE_EXTENT
    bulge = extent * galaxy.bulge_radius / np.sqrt(galaxy.bulge_axis_ratio)
    tail = (structure.TAIL_REACH + 3 * structure.TAIL_WIDTH) * galaxy.half_light_radius if galaxy.tail_fraction else 0
    needed = 2 * (max(bulge, DISK_REACH * galaxy.disk_scale, tail) + PSF_REACH) / SAMPLE
    return next((size for size in SIDES if size >= needed), SIDES[-1])


@lru_cache(maxsize=len(SIDES))
def _axis(size: int) -> Floats:
    return np.asarray((np.arange(size) - size // 2) * SAMPLE, dtype=np.float32)


def _bulge(galaxy: Any, flux: float, offset: tuple[float, float], size: int) -> NDArray[np.complex64]:
    """Return the Fourier transform of the bulge, or of the whole of an elliptical galaxy."""
    extent = ELLIPTICAL_EXTENT if galaxy.kind == "E" else BULGE_EXTENT
    radius = galaxy.bulge_radius
    profile = galsim.Sersic(n=galaxy.bulge_index, half_light_radius=radius, trunc=extent * radius, flux=flux)
    profile = profile.shear(q=galaxy.bulge_axis_ratio, beta=galaxy.position_angle * galsim.radians)
    return half_plane(profile.shift(*offset), size)


def _disk(
    galaxy: Any, offset: tuple[float, float], size: int, rng: np.random.Generator
) -> tuple[NDArray[np.complex64], NDArray[np.complex64]]:
    """Return the Fourier transforms of the disk, with and without its structure, each of unit flux."""
    x, y = _axis(size)[None, :] - np.float32(offset[0]), _axis(size)[:, None] - np.float32(offset[1])
    cos, sin = np.float32(np.cos(galaxy.position_angle)), np.float32(np.sin(galaxy.position_angle))
    # In the disk's plane, in scale lengths.
    h, q = np.float32(galaxy.disk_scale), np.float32(galaxy.axis_ratio)
    along, across = (cos * x + sin * y) / h, (cos * y - sin * x) / (q * h)
    inside = along * along + across * across < DISK_REACH**2
    u: Floats = np.asarray(along[inside], np.float32)
    v: Floats = np.asarray(across[inside], np.float32)
    R: Floats = np.sqrt(u * u + v * v)
    smooth = np.exp(-R) / (1 + np.exp((R - np.float32(DISK_EXTENT)) / np.float32(0.4)))
    if galaxy.dust > 0:
        # The lane of an inclined disk lies before its near half.
        smooth *= 1 - np.float32(galaxy.dust) * np.exp(-(((v - 0.8) / 0.7) ** 2) - (R / 2.5) ** 2)
    smooth /= smooth.sum(dtype=np.float64)
    canvas = np.zeros((size, size), np.float32)
    canvas[inside] = smooth
    plain = structure.forward(canvas)
    if galaxy.arm_contrast == 0:
        return plain, plain
    return structure.disk(galaxy, smooth, u, v, inside, offset, rng), plain


def draw(galaxy: Any, exposure: Exposure, offset: tuple[float, float], rng: np.random.Generator) -> Stamp:
    """Draw one galaxy.

    Parameters
    ----------
    galaxy
        A row of `population.draw`, by attribute.
    exposure
        The frame's circumstances.
    offset
        x, y of the centre from the middle of its pixel, arcsec.
    rng
        Of the patches and clumps.

    Returns
    -------
    Stamp
        As large as the galaxy needs.
    """
    size = side(galaxy)
    flux = exposure.flux(galaxy.magnitude)
    own = flux * (1 - galaxy.tail_fraction)
    full = plain = _bulge(galaxy, own * galaxy.bulge_fraction, offset, size)
    if galaxy.disk_scale > 0:
        disk_flux = np.float32(own * (1 - galaxy.bulge_fraction))
        disk, smooth_disk = _disk(galaxy, offset, size, rng)
        full, plain = full + disk_flux * disk, plain + disk_flux * smooth_disk
    transfer = exposure.transfer(size)
    smooth = _observed(plain, transfer)
    samples = _observed(full, transfer) if galaxy.arm_contrast > 0 else smooth
    if galaxy.tail_fraction == 0:
        return Stamp(samples, smooth, None, offset)
    tidal = _observed(np.float32(flux - own) * structure.tail(galaxy, offset, size), transfer)
    return Stamp(samples + tidal, smooth, tidal, offset)


def _observed(spectrum: NDArray[np.complex64], transfer: NDArray[np.complex64]) -> Floats:
    """Return what pixels would hold, (size, size), from a spectrum whose origin is the middle sample."""
    size = transfer.shape[0]
    image = scipy.fft.fftshift(scipy.fft.irfft2(spectrum * transfer, s=(size, size)))
    return np.asarray(image * np.float32(OVERSAMPLING**2), dtype=np.float32)
