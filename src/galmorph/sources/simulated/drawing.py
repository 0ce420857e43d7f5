"""One galaxy, noiseless and through the PSF: as it is, and as it would be without arms, bar and clumps.

Disks are drawn point by point on a grid of two samples a pixel, with whatever structure they carry; bulges and
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
from scipy.special import gamma

from galmorph.sources.simulated.exposure import OVERSAMPLING, PIXEL_SCALE, Exposure, half_plane, wavenumbers
from galmorph.sources.simulated.population import DISK_EXTENT

SAMPLE: Final = PIXEL_SCALE / OVERSAMPLING
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
        The same for the galaxy without arms, bar and clumps.
    offset
        x, y of the galaxy's centre from the middle sample (n, n), arcsec.
    """

    samples: Floats
    smooth: Floats
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
    needed = 2 * (max(bulge, DISK_REACH * galaxy.disk_scale) + PSF_REACH) / SAMPLE
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
    plain = _forward(canvas)
    if galaxy.arm_contrast == 0:
        return plain, plain

    theta = np.arctan2(v, u)
    blur = _correlation(galaxy, size)
    patches = _patches(blur, size, rng)[inside]
    arms = smooth * _modulation(galaxy, R, theta, patches)
    bar, clump = galaxy.bar_fraction, _clump_fluxes(galaxy, rng)
    arms *= np.float32(max(1 - bar - clump.sum(), 0.2) / arms.sum(dtype=np.float64))
    if bar > 0:
        arms += _bar(galaxy, u, v)
    canvas[inside] = arms
    full = _forward(canvas)
    if clump.size:
        full += _forward(_clumps(galaxy, clump, offset, size, rng)) * blur ** np.float32(0.2)
    return full / full[0, 0].real, plain


def _forward(canvas: Floats) -> NDArray[np.complex64]:
    """Transform an image whose origin is its middle sample."""
    return np.asarray(scipy.fft.rfft2(scipy.fft.ifftshift(canvas)))


def _correlation(galaxy: Any, size: int) -> Floats:
    """Return the Fourier transform of a Gaussian of 0.16 scale lengths in the disk's plane, seen on the sky."""
    kx, ky = (k.astype(np.float32) for k in wavenumbers(size))
    cos, sin = np.float32(np.cos(galaxy.position_angle)), np.float32(np.sin(galaxy.position_angle))
    length = np.float32(0.16 * galaxy.disk_scale)
    along = (cos * kx[None, :] + sin * ky[:, None]) * length
    across = (cos * ky[:, None] - sin * kx[None, :]) * (length * np.float32(galaxy.axis_ratio))
    return np.asarray(np.exp(-0.5 * (along * along + across * across)))


def _patches(blur: Floats, size: int, rng: np.random.Generator) -> Floats:
    """Return a lognormal field of mean 1 and logarithmic scatter 0.8: star formation comes in patches."""
    white = rng.standard_normal((size, size), dtype=np.float32)
    field = scipy.fft.irfft2(scipy.fft.rfft2(white) * blur)
    sigma = 0.8
    return np.asarray(np.exp(np.float32(sigma) * (field / field.std()) - np.float32(sigma**2 / 2)))


def _arm_angle(galaxy: Any, R: Floats) -> Floats:
    """Return the angle of the first arm's crest at each radius: a logarithmic spiral."""
    wind = np.float32(galaxy.winding / np.tan(galaxy.pitch))
    return np.asarray(wind * np.log(np.maximum(R, np.float32(1e-3))) + np.float32(galaxy.arm_phase))


def _modulation(galaxy: Any, R: Floats, theta: Floats, patches: Floats) -> Floats:
    """Return the factor by which arms and patches multiply the smooth disk."""
    p = float(galaxy.arm_sharpness)
    mean = gamma(p + 0.5) / (np.sqrt(np.pi) * gamma(p + 1))  # of cos^2p over a turn
    wobble = np.float32(galaxy.arm_wobble) * np.sin(theta + np.float32(galaxy.arm_wobble_phase))
    psi = theta - _arm_angle(galaxy, R) + wobble
    crest = (0.5 + 0.5 * np.cos(np.float32(galaxy.arm_count) * psi)) ** np.float32(p) / np.float32(mean)
    arms = crest * (np.float32(0.45) + np.float32(0.55) * patches)
    arms *= 1 + np.float32(galaxy.lopsidedness) * np.cos(theta)
    ring = 1 - np.exp(-((R / np.float32(0.7)) ** 3))
    contrast, flocculence = np.float32(galaxy.arm_contrast), np.float32(galaxy.flocculence)
    return np.asarray(np.maximum(1 + ring * (contrast * (arms - 1) + flocculence * (patches - 1)), np.float32(0.05)))


def _bar(galaxy: Any, u: Floats, v: Floats) -> Floats:
    """Return a bar, flat along its length, at whose ends the arms begin; its sum is the bar's share of the flux."""
    length = galaxy.bar_length
    angle = float(_arm_angle(galaxy, np.asarray([length], np.float32))[0])
    cos, sin = np.float32(np.cos(angle)), np.float32(np.sin(angle))
    along, across = (cos * u + sin * v) / np.float32(length), (cos * v - sin * u) / np.float32(0.3 * length)
    bar = np.exp(-(along**4) - across**2)
    return np.asarray(bar * np.float32(galaxy.bar_fraction / max(bar.sum(dtype=np.float64), 1e-30)))


def _clump_fluxes(galaxy: Any, rng: np.random.Generator) -> NDArray[np.float64]:
    """Draw the clumps' shares of the disk's flux."""
    return np.asarray(10 ** rng.normal(-2.3, 0.35, int(galaxy.clumps)))


def _clumps(
    galaxy: Any, flux: NDArray[np.float64], offset: tuple[float, float], size: int, rng: np.random.Generator
) -> Floats:
    """Return clumps as points along the arms, each shared among the four samples around it."""
    R = np.clip(rng.gamma(2.5, 0.7, flux.size), 0.7, DISK_EXTENT)
    arm = rng.integers(int(galaxy.arm_count), size=flux.size)
    crest = _arm_angle(galaxy, R.astype(np.float32)) + 2 * np.pi * arm / galaxy.arm_count
    theta = crest + rng.normal(0, 0.15, flux.size)
    u, v = R * np.cos(theta) * galaxy.disk_scale, R * np.sin(theta) * galaxy.disk_scale * galaxy.axis_ratio
    cos, sin = np.cos(galaxy.position_angle), np.sin(galaxy.position_angle)
    x = (cos * u - sin * v + offset[0]) / SAMPLE + size // 2
    y = (sin * u + cos * v + offset[1]) / SAMPLE + size // 2
    canvas = np.zeros((size, size), np.float32)
    i, j = np.floor(x).astype(int), np.floor(y).astype(int)
    for dx, dy in ((0, 0), (1, 0), (0, 1), (1, 1)):
        weight = (1 - np.abs(x - i - dx)) * (1 - np.abs(y - j - dy))
        kept = (i + dx >= 0) & (i + dx < size) & (j + dy >= 0) & (j + dy < size)
        np.add.at(canvas, ((j + dy)[kept], (i + dx)[kept]), (flux * weight)[kept])
    return canvas


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
    full = plain = _bulge(galaxy, flux * galaxy.bulge_fraction, offset, size)
    if galaxy.disk_scale > 0:
        disk_flux = np.float32(flux * (1 - galaxy.bulge_fraction))
        disk, smooth_disk = _disk(galaxy, offset, size, rng)
        full, plain = full + disk_flux * disk, plain + disk_flux * smooth_disk
    transfer = exposure.transfer(size)
    smooth = _observed(plain, transfer)
    samples = _observed(full, transfer) if galaxy.arm_contrast > 0 else smooth
    return Stamp(samples, smooth, offset)


def _observed(spectrum: NDArray[np.complex64], transfer: NDArray[np.complex64]) -> Floats:
    """Return what pixels would hold, (size, size), from a spectrum whose origin is the middle sample."""
    size = transfer.shape[0]
    image = scipy.fft.fftshift(scipy.fft.irfft2(spectrum * transfer, s=(size, size)))
    return np.asarray(image * np.float32(OVERSAMPLING**2), dtype=np.float32)
