"""Images of single galaxies, noiseless and through the PSF, with and without their structure.

Disks are drawn sample by sample, with their arms, patches of star formation and bars; bulges and ellipticals are Sersic
profiles, taken analytically in Fourier space; clumps and tidal tails are points, blurred there. The sum is convolved
with PSF and pixel once, and every second sample of the result is a pixel.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import galsim
import numpy as np
import scipy.fft
from numpy.typing import NDArray
from scipy.special import gamma

from galmorph.sources.simulated.exposure import OVERSAMPLING, SAMPLE, Exposure, half_plane, transfer, wavenumbers

Floats = NDArray[np.float32]
Spectrum = NDArray[np.complex64]
Offset = tuple[float, float]

# Sides of the drawing grid: products of small primes, and multiples of 4, so that its middle is a pixel's centre.
SIDES: Final = (96, 128, 192, 256, 384, 512, 768, 1024, 1536, 2048)
BULGE_EXTENT, ELLIPTICAL_EXTENT = 6.0, 8.0  # half-light radii at which profiles end; 8 as in the SDSS's own models
DISK_EXTENT: Final = 4.2  # scale lengths at which disks are truncated
DISK_REACH: Final = 5.4  # scale lengths beyond which a truncated disk is negligible
PSF_REACH: Final = 4.0  # arcsec
PATCH_LENGTH: Final = 0.16  # correlation length of star formation, in scale lengths
PATCH_SCATTER: Final = 0.8  # of the logarithm
RAGGED_LENGTH: Final = 0.6  # correlation length of the arms' departures from a spiral, in scale lengths
CLUMP_LENGTH: Final = 0.07
TAIL_WIDTH: Final = 0.3  # in half-light radii
TAIL_REACH: Final = 5.5
BRIDGE_SHARE: Final = 0.3  # of the tail's light, on the side of the companion


@dataclass(frozen=True)
class DrawnGalaxy:
    """A noiseless galaxy.

    Attributes
    ----------
    samples
        (2 n, 2 n) float32, DN per pixel, (y, x): what a pixel would hold if its centre lay at each sample.
    reference
        (n, n) float32, DN, (y, x), on the pixels: the galaxy without arms, bar, clumps and tidal tail.
    tail
        The same of the tidal tail alone.
    offset
        x, y of the galaxy's centre from the middle sample (n, n), arcsec.
    """

    samples: Floats
    reference: Floats
    tail: Floats
    offset: Offset

    @property
    def image(self) -> Floats:
        """(n, n) float32, DN, (y, x), on the pixels; the middle is pixel (n // 2, n // 2)."""
        return _pixels(self.samples)


def _pixels(samples: Floats) -> Floats:
    return samples[::OVERSAMPLING, ::OVERSAMPLING]


def draw(galaxy: Any, exposure: Exposure, offset: Offset, rng: np.random.Generator) -> DrawnGalaxy:
    """Draw one galaxy on a grid as large as it needs.

    Parameters
    ----------
    galaxy
        A row of `population.draw`, by attribute.
    exposure
        The observing conditions.
    offset
        x, y of the centre from the middle of its pixel, arcsec.
    rng
        Source of patches and clumps.
    """
    size = grid_side(galaxy)
    response = transfer(exposure, size)

    def observed(spectrum: Spectrum) -> Floats:
        image = scipy.fft.fftshift(scipy.fft.irfft2(spectrum * response, s=(size, size)))
        return np.asarray(image * OVERSAMPLING**2, np.float32)

    flux = exposure.flux(galaxy.magnitude)
    own = flux * (1 - galaxy.tail_fraction)
    full = plain = _bulge(galaxy, own * galaxy.bulge_fraction, offset, size)
    if galaxy.disk_scale > 0:
        disk, smooth_disk = _disk(galaxy, offset, size, rng)
        disk_flux = own * (1 - galaxy.bulge_fraction)
        full, plain = full + disk_flux * disk, plain + disk_flux * smooth_disk
    smooth = observed(plain)
    samples = observed(full) if galaxy.arm_contrast > 0 else smooth
    tail = np.zeros_like(smooth)
    if galaxy.tail_fraction > 0:
        tail = observed((flux - own) * _tail(galaxy, offset, size))
        samples = samples + tail
    return DrawnGalaxy(samples, _pixels(smooth), _pixels(tail), offset)


def grid_side(galaxy: Any) -> int:
    """Return the samples per side of a grid that holds a galaxy, a row of `population.draw`."""
    bulge = _bulge_extent(galaxy) * galaxy.bulge_radius / np.sqrt(galaxy.bulge_axis_ratio)
    tail = (TAIL_REACH + 3 * TAIL_WIDTH) * galaxy.half_light_radius if galaxy.tail_fraction else 0
    needed = 2 * (max(bulge, DISK_REACH * galaxy.disk_scale, tail) + PSF_REACH) / SAMPLE
    return next((size for size in SIDES if size >= needed), SIDES[-1])


def _bulge_extent(galaxy: Any) -> float:
    return ELLIPTICAL_EXTENT if galaxy.kind == "E" else BULGE_EXTENT


def _forward(canvas: Floats) -> Spectrum:
    """Return the Fourier transform of an image whose origin is its middle sample."""
    return np.asarray(scipy.fft.rfft2(scipy.fft.ifftshift(canvas)))


def _rotation(galaxy: Any) -> tuple[np.float32, np.float32]:
    return np.float32(np.cos(galaxy.position_angle)), np.float32(np.sin(galaxy.position_angle))


def _bulge(galaxy: Any, flux: float, offset: Offset, size: int) -> Spectrum:
    """Return the Fourier transform of the bulge, or of the whole of an elliptical galaxy."""
    radius = galaxy.bulge_radius
    profile = galsim.Sersic(
        n=galaxy.bulge_index, half_light_radius=radius, trunc=_bulge_extent(galaxy) * radius, flux=flux
    )
    profile = profile.shear(q=galaxy.bulge_axis_ratio, beta=galaxy.position_angle * galsim.radians)
    return half_plane(profile.shift(*offset), size)


def _disk(galaxy: Any, offset: Offset, size: int, rng: np.random.Generator) -> tuple[Spectrum, Spectrum]:
    """Return the Fourier transforms of the disk with and without its structure, each of unit flux."""
    axis = np.asarray((np.arange(size) - size // 2) * SAMPLE, np.float32)
    x, y = axis[None, :] - np.float32(offset[0]), axis[:, None] - np.float32(offset[1])
    cos, sin = _rotation(galaxy)
    # Coordinates in the plane of the disk, in scale lengths, along and across the line of nodes.
    h, q = np.float32(galaxy.disk_scale), np.float32(galaxy.axis_ratio)
    along, across = (cos * x + sin * y) / h, (cos * y - sin * x) / (q * h)
    inside = along * along + across * across < DISK_REACH**2
    u: Floats = np.asarray(along[inside], np.float32)
    v: Floats = np.asarray(across[inside], np.float32)
    R: Floats = np.sqrt(u * u + v * v)

    def spectrum(light: Floats) -> Spectrum:
        canvas = np.zeros((size, size), np.float32)
        canvas[inside] = light
        return _forward(canvas)

    smooth = np.exp(-R) / (1 + np.exp((R - DISK_EXTENT) / 0.4))
    if galaxy.dust > 0:
        # The dust lane of an inclined disk lies in front of its near half.
        smooth *= 1 - galaxy.dust * np.exp(-(((v - 0.8) / 0.7) ** 2) - (R / 2.5) ** 2)
    smooth /= smooth.sum(dtype=np.float64)
    plain = spectrum(smooth)
    if galaxy.arm_contrast == 0:
        return plain, plain

    white = scipy.fft.rfft2(rng.standard_normal((size, size), dtype=np.float32))
    patches = np.exp(PATCH_SCATTER * _field(galaxy, white, PATCH_LENGTH)[inside])
    patches *= np.float32(np.exp(-(PATCH_SCATTER**2) / 2))  # of mean 1
    ragged = galaxy.arm_raggedness * _field(galaxy, white, RAGGED_LENGTH)[inside]
    arms = smooth * _modulation(galaxy, R, np.arctan2(v, u), patches, ragged)
    bar, clumps = galaxy.bar_fraction, 10 ** rng.normal(-2.3, 0.35, int(galaxy.clumps))
    arms *= np.float32(max(1 - bar - clumps.sum(), 0.2) / arms.sum(dtype=np.float64))
    if bar > 0:
        arms += _bar(galaxy, u, v)
    full = spectrum(arms)
    if clumps.size:
        full += _forward(_clumps(galaxy, clumps, offset, size, rng)) * _blur(galaxy, CLUMP_LENGTH, size)
    return np.asarray(full / full[0, 0].real), plain


def _blur(galaxy: Any, length: float, size: int) -> Floats:
    """Return the Fourier transform of a Gaussian in the disk's plane, its sigma in scale lengths, seen on the sky."""
    kx, ky = (k.astype(np.float32) for k in wavenumbers(size))
    cos, sin = _rotation(galaxy)
    sigma = np.float32(length * galaxy.disk_scale)
    along = (cos * kx[None, :] + sin * ky[:, None]) * sigma
    across = (cos * ky[:, None] - sin * kx[None, :]) * (sigma * np.float32(galaxy.axis_ratio))
    return np.asarray(np.exp(-0.5 * (along * along + across * across)))


def _field(galaxy: Any, white: Spectrum, length: float) -> Floats:
    """Return a Gaussian random field of mean 0 and standard deviation 1, correlated over a length in the plane."""
    field = scipy.fft.irfft2(white * _blur(galaxy, length, white.shape[0]))
    return np.asarray((field - field.mean()) / field.std(), np.float32)


def _arm_angle(galaxy: Any, R: Floats) -> Floats:
    """Return the angle of the first arm's crest at each radius: a logarithmic spiral, theta = ln(R) / tan(pitch)."""
    wind = np.float32(galaxy.winding / np.tan(galaxy.pitch))
    return np.asarray(wind * np.log(np.maximum(R, np.float32(1e-3))) + galaxy.arm_phase)


def _modulation(galaxy: Any, R: Floats, theta: Floats, patches: Floats, ragged: Floats) -> Floats:
    """Return the factor by which arms and patches multiply the smooth disk."""
    p = galaxy.arm_sharpness
    mean = float(gamma(p + 0.5) / (np.sqrt(np.pi) * gamma(p + 1)))  # of cos^2p over a turn
    wobble = galaxy.arm_wobble * np.sin(theta + galaxy.arm_wobble_phase)
    psi = theta - _arm_angle(galaxy, R) + wobble + ragged
    crest = (0.5 + 0.5 * np.cos(galaxy.arm_count * psi)) ** p / mean
    # One arm is stronger than the others, and star formation comes in patches along it.
    arms = crest * (1 + galaxy.arm_inequality * np.cos(psi))
    arms *= 0.3 + 0.7 * patches
    arms *= 1 + galaxy.lopsidedness * np.cos(theta)
    ring = 1 - np.exp(-((R / 0.7) ** 3))
    return np.maximum(1 + ring * (galaxy.arm_contrast * (arms - 1) + galaxy.flocculence * (patches - 1)), 0.05)


def _bar(galaxy: Any, u: Floats, v: Floats) -> Floats:
    """Return a bar, flat along its length, at whose ends the arms begin; its sum is the bar's share of the flux."""
    length = galaxy.bar_length
    angle = float(_arm_angle(galaxy, np.asarray([length], np.float32))[0])
    cos, sin = np.float32(np.cos(angle)), np.float32(np.sin(angle))
    along, across = (cos * u + sin * v) / length, (cos * v - sin * u) / (0.3 * length)
    bar = np.exp(-(along**4) - across**2)
    return np.asarray(bar * np.float32(galaxy.bar_fraction / max(bar.sum(dtype=np.float64), 1e-30)))


def _clumps(galaxy: Any, flux: NDArray[np.float64], offset: Offset, size: int, rng: np.random.Generator) -> Floats:
    """Return an image of clumps as points along the arms."""
    R = np.clip(rng.gamma(2.5, 0.7, flux.size), 0.7, DISK_EXTENT)
    arm = rng.integers(int(galaxy.arm_count), size=flux.size)
    crest = _arm_angle(galaxy, R.astype(np.float32)) + 2 * np.pi * arm / galaxy.arm_count
    theta = crest + rng.normal(0, 0.15, flux.size)
    u, v = R * np.cos(theta) * galaxy.disk_scale, R * np.sin(theta) * galaxy.disk_scale * galaxy.axis_ratio
    cos, sin = np.cos(galaxy.position_angle), np.sin(galaxy.position_angle)
    return _points(cos * u - sin * v + offset[0], sin * u + cos * v + offset[1], flux, size)


def _tail(galaxy: Any, offset: Offset, size: int) -> Spectrum:
    """Return the Fourier transform, of unit flux, of a tidal tail away from the companion and a bridge towards it."""
    t = np.linspace(0, 1, 80)
    radius = galaxy.half_light_radius
    r = np.concatenate([1 + (TAIL_REACH - 1) * t, 0.8 + np.maximum(galaxy.companion_distance - 0.8, 0) * t])
    angle = galaxy.companion_angle + np.concatenate([np.pi + galaxy.tail_curve * t, np.zeros(80)])
    light = np.concatenate([(1 - BRIDGE_SHARE) * np.exp(-2 * t), BRIDGE_SHARE * np.exp(-t)])
    x, y = radius * r * np.cos(angle) + offset[0], radius * r * np.sin(angle) + offset[1]
    spectrum = _forward(_points(x, y, light, size))
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
