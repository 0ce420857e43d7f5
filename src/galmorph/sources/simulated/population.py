"""The galaxies of the simulated survey: redshift, luminosity, type, size and shape, one row of a table each.

Luminosities follow a Schechter function in a comoving volume, seen through the limits of the SDSS main galaxy sample.
Every random property of a galaxy, but for the noise in its patches and clumps, is a column of the table.
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
Flags = NDArray[np.bool_]

COSMOLOGY: Final = FlatLambdaCDM(H0=70, Om0=0.3)
REDSHIFTS: Final = (0.005, 0.25)
MAGNITUDES: Final = (13.0, 17.77)  # brighter galaxies do not fit a stamp; 17.77 limits the main galaxy sample
ABSOLUTE_MAGNITUDES: Final = (-24.0, -16.0)
SCHECHTER_M, SCHECHTER_ALPHA = -21.2, -1.05
EARLY_K, LATE_K = 1.1, 0.8  # k-corrections, magnitudes per unit redshift
ELLIPTICAL_SHARE: Final = 0.62  # of early types; the others are lenticular
GRAND_DESIGN_SHARE: Final = 0.6  # of spirals; the others have faint arms
BARRED_SHARE: Final = 0.35  # of spirals
COMPANION_SHARE: Final = 0.05
TAIL_SHARE: Final = 0.5  # of galaxies with a companion


def draw(count: int, rng: np.random.Generator, types: TypesSettings | None = None) -> pd.DataFrame:
    """Draw galaxies.

    Parameters
    ----------
    count, rng
        Number of galaxies, and the source of all random numbers.
    types
        Shares of the types within the flux limits; None leaves them to the luminosity function.

    Returns
    -------
    DataFrame
        One row per galaxy. Angles are in radians, position angles from +x to +y.

        - kind (E, S0 or S), redshift, absolute_magnitude, magnitude (r)
        - half_light_radius, bulge_radius (of half the bulge's light) and disk_scale in arcsec; ellipticals have
          bulge_fraction 1 and disk_scale 0
        - bulge_index: Sersic index, rounded to tenths because GalSim tabulates a profile once per index
        - bulge_axis_ratio, axis_ratio (of the disk if there is one), position_angle
        - arm_contrast (0 without arms), arm_count, pitch, winding (+1 or -1), arm_sharpness, arm_phase, arm_wobble,
          arm_wobble_phase, arm_raggedness (angle by which arms depart from a spiral), arm_inequality (of one arm to
          the others), lopsidedness, flocculence
        - bar_fraction and dust (depth of the dust lane), 0 if there is none; bar_length in scale lengths; clumps
          (their number)
        - colour: as the volunteers saw it, positive for blue
        - companion_distance in half-light radii (0 without one), companion_angle, companion_difference (magnitudes
          fainter), tail_fraction of the light in a tidal tail and bridge, tail_curve
    """
    normal, uniform = rng.standard_normal, rng.uniform
    early_fraction, elliptical_share = None, ELLIPTICAL_SHARE
    if types is not None:
        early_fraction = types.elliptical + types.lenticular
        elliptical_share = types.elliptical / early_fraction if early_fraction > 0 else 0.0
    z, M, early, m = _luminosities(count, early_fraction, rng)
    elliptical = early & (rng.random(count) < elliptical_share)
    spiral = ~early

    def by_type(of_ellipticals: Floats, of_spirals: Floats, of_lenticulars: Floats) -> Floats:
        return np.select([elliptical, spiral], [of_ellipticals, of_spirals], of_lenticulars)

    grid, _, kiloparsecs = _distances()
    radius = half_light_radius(M, early, rng) / np.interp(z, grid, kiloparsecs)
    bulge = by_type(
        np.ones(count),
        np.minimum(10 ** (-0.68 - 0.1 * (M + 20.5) + 0.3 * normal(count)), 0.65),
        np.clip(0.5 + 0.13 * normal(count), 0.1, 0.9),
    )
    # An exponential disk has half of its light within 1.678 scale lengths; a bulge makes the whole more compact.
    disk = np.where(elliptical, 0.0, 1.25 * radius / (1.678 * (1 - 0.55 * bulge)))
    # The trend of ellipticals with luminosity: Caon et al. 1993, MNRAS 265, 1013.
    index = by_type(
        np.clip(4.3 - 0.35 * (M + 21) + 0.8 * normal(count), 2, 6), uniform(1.2, 3.5, count), uniform(2, 4, count)
    )
    relative_radius = np.where(spiral, 0.28, 0.42) + 0.08 * normal(count)
    # An oblate spheroid of axis ratio q0 seen at inclination i: q^2 = q0^2 + (1 - q0^2) cos^2 i (Hubble 1926).
    cos2 = rng.random(count) ** 2
    thickness = np.where(spiral, uniform(0.16, 0.26, count), uniform(0.22, 0.35, count))
    flat = np.sqrt(thickness**2 + (1 - thickness**2) * cos2)
    round_ = np.clip(1 - np.abs(0.22 + 0.15 * normal(count)), 0.45, 0.99)

    contrast = np.where(
        rng.random(count) < GRAND_DESIGN_SHARE,
        np.clip(0.75 * np.exp(0.35 * normal(count)), 0.25, 1.7),
        np.clip(0.12 * np.exp(0.5 * normal(count)), 0.02, 0.5),
    )
    flocculence = 0.12 * np.maximum(1 + 0.4 * normal(count), 0) * np.where(contrast > 0.3, 1.3, 0.6)
    barred = spiral & (rng.random(count) < BARRED_SHARE)
    # The order of the columns is that of the draws.
    columns = {
        "kind": np.select([elliptical, spiral], ["E", "S"], "S0"),
        "redshift": z,
        "absolute_magnitude": M,
        "magnitude": m,
        "half_light_radius": radius,
        "bulge_fraction": bulge,
        "bulge_index": np.round(index, 1),
        "bulge_radius": np.where(elliptical, 1.08 * radius, np.clip(relative_radius, 0.08, None) * disk),
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
    paired = rng.random(count) < COMPANION_SHARE
    columns["companion_distance"] = np.where(paired, uniform(1.2, 4, count), 0.0)
    torn = paired & (rng.random(count) < TAIL_SHARE)
    columns |= {
        "companion_angle": uniform(0, 2 * np.pi, count),
        "companion_difference": uniform(0.2, 2.2, count),
        "tail_fraction": np.where(torn, uniform(0.05, 0.25, count), 0.0),
        "tail_curve": rng.choice([-1, 1], count) * uniform(0.6, 1.6, count),
    }
    return pd.DataFrame(columns)


def half_light_radius(magnitude: Floats, early: Flags, rng: np.random.Generator) -> Floats:
    """Draw half-light radii in kiloparsecs by absolute magnitude (Shen et al. 2003, MNRAS 343, 978, eqs. 13 to 15)."""
    deviate = rng.standard_normal(magnitude.size)
    small = 10 ** (-0.24 * magnitude - 4.63) * 10 ** (0.11 * deviate)
    bright = 10 ** (-0.4 * (magnitude + 20.91))
    large = 10 ** (-0.104 * magnitude - 1.71) * (1 + bright) ** 0.25
    scatter = 0.27 + 0.18 / (1 + bright**2)
    return np.where(early, small, large * np.exp(scatter * deviate))


@lru_cache(maxsize=1)
def _distances() -> tuple[Floats, Floats, Floats]:
    """Return redshift, distance modulus and kiloparsecs per arcsecond, for interpolation."""
    redshift = np.linspace(*REDSHIFTS, 2000)
    modulus = COSMOLOGY.distmod(redshift).value
    return redshift, modulus, COSMOLOGY.kpc_proper_per_arcmin(redshift).value / 60


def _apparent_magnitude(redshift: Floats, magnitude: Floats, early: Flags) -> Floats:
    """Return r-band apparent magnitudes, with a linear k-correction by type."""
    grid, modulus, _ = _distances()
    return magnitude + np.interp(redshift, grid, modulus) + np.where(early, EARLY_K, LATE_K) * redshift


@lru_cache(maxsize=4)
def _cells(early_fraction: float | None) -> tuple[Floats, Floats, Floats]:
    """Return redshifts, absolute magnitudes, and the cumulative distribution over the cells of their grid.

    A third axis is early or late type; the last axis varies fastest. Cells outside the flux limits have no galaxies.
    """
    redshift = np.linspace(*REDSHIFTS, 491)
    magnitude = np.linspace(*ABSOLUTE_MAGNITUDES, 321)
    luminosity = 10 ** (-0.4 * (magnitude - SCHECHTER_M))
    schechter = luminosity ** (SCHECHTER_ALPHA + 1) * np.exp(-luminosity)
    early_share = 0.85 / (1 + np.exp((magnitude + 20.8) / 0.7))
    by_type = np.stack([schechter * early_share, schechter * (1 - early_share)], axis=-1)
    density = COSMOLOGY.differential_comoving_volume(redshift).value[:, None, None] * by_type
    z, M, early = np.meshgrid(redshift, magnitude, [True, False], indexing="ij")
    m = _apparent_magnitude(z, M, early)
    # A margin of more than half a cell: the exact limits are applied to the drawn galaxies.
    seen = np.where((m > MAGNITUDES[0] - 0.3) & (m < MAGNITUDES[1] + 0.3), density, 0.0)
    if early_fraction is not None:
        seen *= np.array([early_fraction, 1 - early_fraction]) / seen.sum(axis=(0, 1))
    total = np.cumsum(seen.ravel())
    return redshift, magnitude, np.asarray(total / total[-1])


def _luminosities(
    count: int, early_fraction: float | None, rng: np.random.Generator
) -> tuple[Floats, Floats, Flags, Floats]:
    """Draw redshift, absolute magnitude, whether early, and apparent magnitude within the flux limits."""
    redshift, magnitude, cumulative = _cells(early_fraction)
    kept: list[tuple[Floats, ...]] = []
    missing = count
    while missing > 0:
        cell = np.searchsorted(cumulative, rng.random(2 * missing + 8), side="right")
        i, j, late = np.unravel_index(cell, (redshift.size, magnitude.size, 2))
        z = redshift[i] + (redshift[1] - redshift[0]) * rng.uniform(-0.5, 0.5, cell.size)
        M = magnitude[j] + (magnitude[1] - magnitude[0]) * rng.uniform(-0.5, 0.5, cell.size)
        z, M = np.clip(z, *REDSHIFTS), np.clip(M, *ABSOLUTE_MAGNITUDES)
        m = _apparent_magnitude(z, M, late == 0)
        good = np.flatnonzero((m > MAGNITUDES[0]) & (m < MAGNITUDES[1]))[:missing]
        kept.append((z[good], M[good], (late == 0)[good], m[good]))
        missing -= good.size
    z, M, early, m = (np.concatenate(column) for column in zip(*kept, strict=True))
    return z, M, early, m
