"""What makes a galaxy more than a smooth profile: arms, patches of star formation, bars, clumps, tidal tails.

Everything is drawn on the grid of `drawing`, two samples a pixel. Arms and bars are functions of the place in the
disk's plane; patches, and the raggedness of arms, come from a random field; clumps and tails are points, blurred in
Fourier space.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np
import scipy.fft
from numpy.typing import NDArray
from scipy.special import gamma

from galmorph.sources.simulated.exposure import SAMPLE, wavenumbers
from galmorph.sources.simulated.population import DISK_EXTENT

Floats = NDArray[np.float32]
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
