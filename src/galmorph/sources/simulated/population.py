"""Which galaxies there are: redshift, luminosity, type, size and shape, one row of a table each.

Luminosities follow a Schechter function in a volume, seen through the limits of the SDSS main galaxy sample; sizes
follow Shen et al. (2003, MNRAS 343, 978). Every random property that a galaxy has before it is drawn is a column
here, so that the table says what the picture should show.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Final

import numpy as np
import pandas as pd
from astropy.cosmology import FlatLambdaCDM
from numpy.typing import NDArray

from galmorph.settings.survey import TypesSettings

Floats = NDArray[np.float64]

COSMOLOGY: Final = FlatLambdaCDM(H0=70, Om0=0.3)
REDSHIFTS: Final = (0.005, 0.25)
MAGNITUDES: Final = (13.0, 17.77)  # the bright end of what fits a stamp, and the limit of the main galaxy sample
ABSOLUTE_MAGNITUDES: Final = (-24.0, -16.0)
SCHECHTER_M, SCHECHTER_ALPHA = -21.2, -1.05
K_CORRECTION: Final = {"early": 1.1, "late": 0.8}  # magnitudes per unit redshift
ELLIPTICAL_SHARE: Final = 0.62  # of early types; the others are lenticular
GRAND_DESIGN_SHARE: Final = 0.6  # of spirals; the others' arms are faint or none
COMPANION_SHARE: Final = 0.05
TAIL_SHARE: Final = 0.5  # of those with a companion
DISK_EXTENT: Final = 4.2  # scale lengths at which disks are truncated


def early_share(magnitude: Floats) -> Floats:
    """Return the share of early types at an r-band absolute magnitude."""
    return 0.85 / (1 + np.exp((magnitude + 20.8) / 0.7))


@lru_cache(maxsize=1)
def _cells() -> tuple[Floats, Floats, Floats]:
    """Return grids of redshift and absolute magnitude, and the density (z, M, early or late) before the flux limits."""
    redshift = np.linspace(*REDSHIFTS, 491)
    magnitude = np.linspace(*ABSOLUTE_MAGNITUDES, 321)
    luminosity = 10 ** (-0.4 * (magnitude - SCHECHTER_M))
    schechter = luminosity ** (SCHECHTER_ALPHA + 1) * np.exp(-luminosity)
    early = early_share(magnitude)
    by_type = np.stack([schechter * early, schechter * (1 - early)], axis=-1)
    volume = COSMOLOGY.differential_comoving_volume(redshift).value
    return redshift, magnitude, volume[:, None, None] * by_type


@lru_cache(maxsize=1)
def _distances() -> tuple[Floats, Floats, Floats]:
    """Return redshift, distance modulus and kiloparsecs per arcsecond, to interpolate in."""
    redshift = np.linspace(REDSHIFTS[0], REDSHIFTS[1], 2000)
    modulus = COSMOLOGY.distmod(redshift).value
    scale = COSMOLOGY.kpc_proper_per_arcmin(redshift).value / 60
    return redshift, modulus, scale


def apparent_magnitude(redshift: Floats, magnitude: Floats, early: NDArray[np.bool_]) -> Floats:
    """Return r-band apparent magnitudes, with a linear k-correction by type."""
    grid, modulus, _ = _distances()
    k = np.where(early, K_CORRECTION["early"], K_CORRECTION["late"])
    return magnitude + np.interp(redshift, grid, modulus) + k * redshift


@lru_cache(maxsize=4)
def _cumulative(early_fraction: float | None) -> Floats:
    """Return the running sum of the density over the cells that the flux limits let through, ending at 1."""
    redshift, magnitude, density = _cells()
    z, M, early = np.meshgrid(redshift, magnitude, [True, False], indexing="ij")
    m = apparent_magnitude(z, M, early)
    # A margin of more than half a cell: the exact limits are applied to the drawn galaxies.
    seen = np.where((m > MAGNITUDES[0] - 0.3) & (m < MAGNITUDES[1] + 0.3), density, 0.0)
    if early_fraction is not None:
        seen *= np.array([early_fraction, 1 - early_fraction]) / seen.sum(axis=(0, 1))
    total = np.cumsum(seen.ravel())
    return np.asarray(total / total[-1])


def _luminosities(
    count: int, early_fraction: float | None, rng: np.random.Generator
) -> tuple[Floats, Floats, NDArray[np.bool_], Floats]:
    """Draw redshift, absolute magnitude, early or late, and apparent magnitude within the limits."""
    redshift, magnitude, density = _cells()
    kept: list[tuple[Floats, ...]] = []
    missing = count
    while missing > 0:
        cell = np.searchsorted(_cumulative(early_fraction), rng.random(2 * missing + 8), side="right")
        i, j, late = np.unravel_index(cell, density.shape)
        z = redshift[i] + (redshift[1] - redshift[0]) * rng.uniform(-0.5, 0.5, cell.size)
        M = magnitude[j] + (magnitude[1] - magnitude[0]) * rng.uniform(-0.5, 0.5, cell.size)
        z, M = np.clip(z, *REDSHIFTS), np.clip(M, *ABSOLUTE_MAGNITUDES)
        m = apparent_magnitude(z, M, late == 0)
        good = np.flatnonzero((m > MAGNITUDES[0]) & (m < MAGNITUDES[1]))[:missing]
        kept.append((z[good], M[good], (late == 0)[good], m[good]))
        missing -= good.size
    z, M, early, m = (np.concatenate(column) for column in zip(*kept, strict=True))
    return z, M, early, m


def half_light_radius(magnitude: Floats, early: NDArray[np.bool_], rng: np.random.Generator) -> Floats:
    """Draw half-light radii in kiloparsecs (Shen et al. 2003: their eqs. 14 and 15 for late, 13 for early types)."""
    deviate = rng.standard_normal(magnitude.size)
    small = 10 ** (-0.24 * magnitude - 4.63) * 10 ** (0.11 * deviate)
    bright = 10 ** (-0.4 * (magnitude + 20.91))
    large = 10 ** (-0.104 * magnitude - 1.71) * (1 + bright) ** 0.25
    scatter = 0.27 + 0.18 / (1 + bright**2)
    return np.where(early, small, large * np.exp(scatter * deviate))


def draw(count: int, rng: np.random.Generator, types: TypesSettings | None = None) -> pd.DataFrame:
    """Draw galaxies.

    Parameters
    ----------
    count
        How many.
    rng
        The only source of chance.
    types
        Shares of the types within the flux limits; None leaves them to the luminosity function.

    Returns
    -------
    DataFrame
        One row per galaxy. kind: E, S0 or S. redshift, absolute_magnitude, magnitude (r). half_light_radius,
        bulge_radius (half light) and disk_scale in arcsec, disk_scale 0 without a disk. bulge_fraction of the flux,
        bulge_index (Sersic, in tenths, because a profile is tabulated once per index), bulge_axis_ratio,
        axis_ratio of the whole (of the disk, where there is one), position_angle in radians from +x to +y. Arms:
        arm_contrast (0 without), arm_count, pitch (radians), winding (+1 or -1), arm_sharpness, arm_phase, arm_wobble,
        arm_wobble_phase, lopsidedness, flocculence. bar_fraction of the disk's flux, bar_length in scale lengths,
        clumps (their number), dust (depth of the lane). Arms depart from a spiral by arm_raggedness (radians), and one
        is stronger than the others by arm_inequality. colour: what volunteers saw of it, positive for blue.
        companion_distance in half-light radii (0: none), companion_angle (radians), companion_difference
        (magnitudes fainter); tail_fraction of the flux in a tidal tail and a bridge, tail_curve in radians.
    """
    normal, uniform = rng.standard_normal, rng.uniform
    early_fraction, elliptical_share = None, ELLIPTICAL_SHARE
    if types is not None:
        early_fraction = types.elliptical + types.lenticular
        elliptical_share = types.elliptical / early_fraction if early_fraction > 0 else 0.0
    z, M, early, m = _luminosities(count, early_fraction, rng)
    elliptical = early & (rng.random(count) < elliptical_share)
    spiral = ~early
    kind = np.select([elliptical, spiral], ["E", "S"], "S0")

    grid, _, scale = _distances()
    radius = half_light_radius(M, early, rng) / np.interp(z, grid, scale)

    fraction = np.select(
        [elliptical, spiral],
        [np.ones(count), np.minimum(10 ** (-0.68 - 0.1 * (M + 20.5) + 0.3 * normal(count)), 0.65)],
        np.clip(0.5 + 0.13 * normal(count), 0.1, 0.9),
    )
    disk = np.where(elliptical, 0.0, 1.25 * radius / (1.678 * (1 - 0.55 * fraction)))
    index = np.select(
        [elliptical, spiral],
        [np.clip(4.3 - 0.35 * (M + 21) + 0.8 * normal(count), 2, 6), uniform(1.2, 3.5, count)],
        uniform(2, 4, count),
    )
    relative = np.where(spiral, 0.28, 0.42) + 0.08 * normal(count)
    cos2 = rng.random(count) ** 2
    thickness = np.where(spiral, uniform(0.16, 0.26, count), uniform(0.22, 0.35, count))
    flat = np.sqrt(thickness**2 + (1 - thickness**2) * cos2)
    round_ = np.clip(1 - np.abs(0.22 + 0.15 * normal(count)), 0.45, 0.99)

    grand = rng.random(count) < GRAND_DESIGN_SHARE
    contrast = np.where(
        grand,
        np.clip(0.75 * np.exp(0.35 * normal(count)), 0.25, 1.7),
        np.clip(0.12 * np.exp(0.5 * normal(count)), 0.02, 0.5),
    )
    flocculence = 0.12 * np.maximum(1 + 0.4 * normal(count), 0) * np.where(contrast > 0.3, 1.3, 0.6)
    barred = spiral & (rng.random(count) < 0.35)
    columns = {
        "kind": kind,
        "redshift": z,
        "absolute_magnitude": M,
        "magnitude": m,
        "half_light_radius": radius,
        "bulge_fraction": fraction,
        "bulge_index": np.round(index, 1),
        "bulge_radius": np.where(elliptical, 1.08 * radius, np.clip(relative, 0.08, None) * disk),
        "bulge_axis_ratio": np.where(elliptical, round_, np.sqrt(0.55**2 + (1 - 0.55**2) * cos2)),
        "disk_scale": disk,
        "axis_ratio": np.where(elliptical, round_, flat),
        "position_angle": uniform(0, np.pi, count),
        "arm_contrast": np.where(spiral, contrast, 0.0),
        "arm_count": np.where(spiral, rng.choice([2, 2, 2, 2, 3, 4], count), 0),
        "pitch": np.radians(np.clip(19 + 6 * normal(count), 8, 38)),
        "winding": rng.choice([-1, 1], count),
        "arm_sharpness": uniform(1.0, 3.0, count),
        "arm_phase": uniform(0, 2 * np.pi, count),
        "arm_wobble": 0.25 * normal(count),
        "arm_wobble_phase": uniform(0, 2 * np.pi, count),
        "arm_raggedness": np.abs(0.3 + 0.12 * normal(count)),
        "arm_inequality": uniform(0, 0.6, count),
        "lopsidedness": 0.25 * normal(count),
        "flocculence": np.where(spiral, flocculence, 0.0),
        "bar_fraction": np.where(barred, uniform(0.05, 0.18, count), 0.0),
        "bar_length": uniform(0.6, 1.3, count),
        "clumps": np.where(spiral, rng.poisson(6, count), 0),
        "dust": np.where(spiral & (flat < 0.4), uniform(0.2, 0.6, count), 0.0),
        "colour": 0.7 * normal(count) + np.where(early, -0.6, 0.6),
    }
    return pd.DataFrame(columns | _companions(count, rng))


def _companions(count: int, rng: np.random.Generator) -> dict[str, NDArray[np.float64]]:
    """Draw who has a companion, and whose encounter has drawn out a tail."""
    paired = rng.random(count) < COMPANION_SHARE
    distance = np.where(paired, rng.uniform(1.2, 4, count), 0.0)
    torn = paired & (rng.random(count) < TAIL_SHARE)
    return {
        "companion_distance": distance,
        "companion_angle": rng.uniform(0, 2 * np.pi, count),
        "companion_difference": rng.uniform(0.2, 2.2, count),
        "tail_fraction": np.where(torn, rng.uniform(0.05, 0.25, count), 0.0),
        "tail_curve": rng.choice([-1, 1], count) * rng.uniform(0.6, 1.6, count),
    }
