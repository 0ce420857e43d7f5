"""What makes a galaxy more than a smooth profile: arms, patches of star formation, bars, clumps, tidal tails.

Everything is drawn on the grid of `drawing`, two samples a pixel. Arms and bars are functions of the place in the
disk's plane; patches, and the raggedness of arms, come from a random field; clumps and tails are points, blurred in
Fourier space.

One galaxy, noiseless and through the PSF: as it is, and as it would be without its structure.

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
from scipy.special import gamma

from galmorph.sources.simulated.exposure import OVERSAMPLING, SAMPLE, Exposure, half_plane, wavenumbers
from galmorph.sources.simulated.population import DISK_EXTENT

Spectrum = NDArray[np.complex64]

PATCH_LENGTH: Final = 0.16  # correlation of star formation, in scale lengths
PATCH_SCATTER: Final = 0.8  # of the logarithm
RAGGED_LENGTH: Final = 0.6  # correlation of the arms' departures from a spiral, in scale lengths
CLUMP_LENGTH: Final = 0.07
TAIL_WIDTH: Final = 0.3  # in half-light radii
TAIL_REACH: Final = 5.5
BRIDGE_SHARE: Final = 0.3  # of the tail's light, on the side of the companion


def forward(canvas: Floats) -> Spectrum:
    """Return the Fourier transform of an image whose origin is its middle sample."""
    return np.asarray(scipy.fft.rfft2(scipy.fft.ifftshift(canvas)))


def disk(
    galaxy: Any,
    smooth: Floats,
    u: Floats,
    v: Floats,
    inside: NDArray[np.bool_],
    offset: tuple[float, float],
    rng: np.random.Generator,
) -> Spectrum:
    """Return the Fourier transform of a disk with all its structure, of unit flux.

    Parameters
    ----------
    galaxy
        A row of `population.draw`, by attribute.
    smooth
        (k,) float32: the disk without structure on the samples that are `inside`, of unit sum.
    u, v
        (k,) float32: their places in the disk's plane, in scale lengths, along and across the line of nodes.
    inside
        (n, n) bool, (y, x): which samples of the grid they are.
    offset
        x, y of the centre from the middle sample, arcsec.
    rng
        Of patches and clumps.
    """
    size = inside.shape[0]
    R: Floats = np.sqrt(u * u + v * v)
    white = scipy.fft.rfft2(rng.standard_normal((size, size), dtype=np.float32))
    patches = np.exp(np.float32(PATCH_SCATTER) * _field(galaxy, white, PATCH_LENGTH)[inside])
    patches *= np.float32(np.exp(-(PATCH_SCATTER**2) / 2))  # of mean 1
    ragged = np.float32(galaxy.arm_raggedness) * _field(galaxy, white, RAGGED_LENGTH)[inside]
    arms = smooth * _modulation(galaxy, R, np.arctan2(v, u), patches, ragged)
    bar, clump = galaxy.bar_fraction, 10 ** rng.normal(-2.3, 0.35, int(galaxy.clumps))
    arms *= np.float32(max(1 - bar - clump.sum(), 0.2) / arms.sum(dtype=np.float64))
    if bar > 0:
        arms += _bar(galaxy, u, v)
    canvas = np.zeros((size, size), np.float32)
    canvas[inside] = arms
    full = forward(canvas)
    if clump.size:
        full += forward(_clumps(galaxy, clump, offset, size, rng)) * _blur(galaxy, CLUMP_LENGTH, size)
    return np.asarray(full / full[0, 0].real)


def _blur(galaxy: Any, length: float, size: int) -> Floats:
    """Return the Fourier transform of a Gaussian in the disk's plane, its sigma in scale lengths, seen on the sky."""
    kx, ky = (k.astype(np.float32) for k in wavenumbers(size))
    cos, sin = np.float32(np.cos(galaxy.position_angle)), np.float32(np.sin(galaxy.position_angle))
    sigma = np.float32(length * galaxy.disk_scale)
    along = (cos * kx[None, :] + sin * ky[:, None]) * sigma
    across = (cos * ky[:, None] - sin * kx[None, :]) * (sigma * np.float32(galaxy.axis_ratio))
    return np.asarray(np.exp(-0.5 * (along * along + across * across)))


def _field(galaxy: Any, white: Spectrum, length: float) -> Floats:
    """Return a Gaussian random field of mean 0 and standard deviation 1, correlated over a length in the plane."""
    field = scipy.fft.irfft2(white * _blur(galaxy, length, white.shape[0]))
    return np.asarray((field - field.mean()) / field.std(), np.float32)


def _arm_angle(galaxy: Any, R: Floats) -> Floats:
    """Return the angle of the first arm's crest at each radius: a logarithmic spiral."""
    wind = np.float32(galaxy.winding / np.tan(galaxy.pitch))
    return np.asarray(wind * np.log(np.maximum(R, np.float32(1e-3))) + np.float32(galaxy.arm_phase))


def _modulation(galaxy: Any, R: Floats, theta: Floats, patches: Floats, ragged: Floats) -> Floats:
    """Return the factor by which arms and patches multiply the smooth disk."""
    p = float(galaxy.arm_sharpness)
    mean = gamma(p + 0.5) / (np.sqrt(np.pi) * gamma(p + 1))  # of cos^2p over a turn
    wobble = np.float32(galaxy.arm_wobble) * np.sin(theta + np.float32(galaxy.arm_wobble_phase))
    psi = theta - _arm_angle(galaxy, R) + wobble + ragged
    crest = (0.5 + 0.5 * np.cos(np.float32(galaxy.arm_count) * psi)) ** np.float32(p) / np.float32(mean)
    # One arm is stronger than the others, and star formation comes in patches along it.
    arms = crest * (1 + np.float32(galaxy.arm_inequality) * np.cos(psi))
    arms *= np.float32(0.3) + np.float32(0.7) * patches
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


def _clumps(
    galaxy: Any, flux: NDArray[np.float64], offset: tuple[float, float], size: int, rng: np.random.Generator
) -> Floats:
    """Return clumps as points along the arms."""
    R = np.clip(rng.gamma(2.5, 0.7, flux.size), 0.7, DISK_EXTENT)
    arm = rng.integers(int(galaxy.arm_count), size=flux.size)
    crest = _arm_angle(galaxy, R.astype(np.float32)) + 2 * np.pi * arm / galaxy.arm_count
    theta = crest + rng.normal(0, 0.15, flux.size)
    u, v = R * np.cos(theta) * galaxy.disk_scale, R * np.sin(theta) * galaxy.disk_scale * galaxy.axis_ratio
    cos, sin = np.cos(galaxy.position_angle), np.sin(galaxy.position_angle)
    return _points(cos * u - sin * v + offset[0], sin * u + cos * v + offset[1], flux, size)


def tail(galaxy: Any, offset: tuple[float, float], size: int) -> Spectrum:
    """Return the Fourier transform of a tidal tail, away from the companion, and a bridge towards it; of unit flux.

    Parameters
    ----------
    galaxy
        A row of `population.draw`, by attribute.
    offset
        x, y of the centre from the middle sample, arcsec.
    size
        Samples per side of the grid.
    """
    t = np.linspace(0, 1, 80)
    radius = galaxy.half_light_radius
    r = np.concatenate([1 + (TAIL_REACH - 1) * t, 0.8 + np.maximum(galaxy.companion_distance - 0.8, 0) * t])
    angle = galaxy.companion_angle + np.concatenate([np.pi + galaxy.tail_curve * t, np.zeros(80)])
    light = np.concatenate([(1 - BRIDGE_SHARE) * np.exp(-2 * t), BRIDGE_SHARE * np.exp(-t)])
    x, y = radius * r * np.cos(angle) + offset[0], radius * r * np.sin(angle) + offset[1]
    spectrum = forward(_points(x, y, light, size))
    kx, ky = wavenumbers(size)
    blur = np.exp(-0.5 * (TAIL_WIDTH * radius) ** 2 * (kx[None, :] ** 2 + ky[:, None] ** 2))
    return np.asarray(spectrum * blur / spectrum[0, 0].real, np.complex64)


def _points(x: NDArray[np.float64], y: NDArray[np.float64], flux: NDArray[np.float64], size: int) -> Floats:
    """Return an image of points at x, y (arcsec from the middle), each shared among the four samples around it."""
    canvas = np.zeros((size, size), np.float32)
    x, y = x / SAMPLE + size // 2, y / SAMPLE + size // 2
    i, j = np.floor(x).astype(int), np.floor(y).astype(int)
    for dx, dy in ((0, 0), (1, 0), (0, 1), (1, 1)):
        weight = (1 - np.abs(x - i - dx)) * (1 - np.abs(y - j - dy))
        kept = (i + dx >= 0) & (i + dx < size) & (j + dy >= 0) & (j + dy < size)
        np.add.at(canvas, ((j + dy)[kept], (i + dx)[kept]), (flux * weight)[kept])
    return canvas


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
    tail = (TAIL_REACH + 3 * TAIL_WIDTH) * galaxy.half_light_radius if galaxy.tail_fraction else 0
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
    plain = forward(canvas)
    if galaxy.arm_contrast == 0:
        return plain, plain
    return disk(galaxy, smooth, u, v, inside, offset, rng), plain


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
    tidal = _observed(np.float32(flux - own) * tail(galaxy, offset, size), transfer)
    return Stamp(samples + tidal, smooth, tidal, offset)


def _observed(spectrum: NDArray[np.complex64], transfer: NDArray[np.complex64]) -> Floats:
    """Return what pixels would hold, (size, size), from a spectrum whose origin is the middle sample."""
    size = transfer.shape[0]
    image = scipy.fft.fftshift(scipy.fft.irfft2(spectrum * transfer, s=(size, size)))
    return np.asarray(image * np.float32(OVERSAMPLING**2), dtype=np.float32)
