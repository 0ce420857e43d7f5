"""Simulated volunteers: what can be seen of a galaxy in its frame, and their votes as in Galaxy Zoo 1's Table 2.

A galaxy's votes depend on the columns `VOTED_ON` and on nothing else. Each volunteer's choice is the softmax of the
appeals of five answers; votes for arms name a direction where it is visible; a few votes are careless.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from galmorph.sdss.names import PIXEL_SCALE
from galmorph.sources.simulated.drawing import DrawnGalaxy
from galmorph.sources.simulated.exposure import SAMPLE, Exposure

Floats = NDArray[np.float64]
Image = NDArray[np.float32]

ANSWERS: Final = ("EL", "CW", "ACW", "EDGE", "DK", "MG")
# Columns of the truth table that the votes are a function of.
VOTED_ON: Final = (
    "arm_visibility",
    "signal_to_noise",
    "isophote_axis_ratio",
    "isophote_axis",
    "concentration",
    "merger_appearance",
    "tail_visibility",
    "colour",
    "axis_ratio",
    "winding",
    "fwhm",
    "redshift",
)
FLAG_THRESHOLD: Final = 0.8
NEIGHBOURHOOD: Final = 100  # pixels within which a source can make a galaxy look like a merger
UNNOTICED_CONTRAST: Final = 0.06  # structure fainter than this share of the light beneath it escapes the eye

# What draws volunteers to each answer: slopes and offsets of its appeal, in natural logarithms of odds. They were
# fitted so that the distributions of the votes, over ten bins each, and the flags come near those of the first 6,185
# rows of the real Table 2: an input of the simulated survey, not a result.
CONCENTRATION_SLOPE, CONCENTRATION_ZERO = 1.05, 3.26  # elliptical
ARM_SLOPE, ARM_ZERO = 5.8, 1.466  # spiral, in log10 of the arms' signal-to-noise ratio
EDGE_APPEAL, EDGE_ZERO, EDGE_WIDTH = -1.82, 0.51, 0.063  # edge-on disk, in axis ratio, where the galaxy is resolved
DONT_KNOW_APPEAL: Final = -2.09
MERGER_APPEAL, MERGER_SLOPE = -3.77, 3.75
TAIL_ZERO: Final = 1.5  # log10 of the signal-to-noise ratio of a tidal tail that half of the volunteers notice
COLOUR_SLOPE: Final = 0.35  # of arms and edge
PECULIARITY: Final = 0.21  # scatter of the appeals from galaxy to galaxy
CARELESS: Final = 0.07  # median share of careless votes; its logarithm scatters by 0.6
SLIPS: Final = np.array([0.0, 0.17, 0.20, 0.55, 0.04, 0.04])  # how careless votes are spread over ANSWERS
BIAS_SLOPE: Final = 7.5  # decades of the ratio of elliptical to spiral votes per unit redshift


def measure(galaxy: DrawnGalaxy, exposure: Exposure) -> dict[str, float]:
    """Return by column name what can be seen of one galaxy, without its neighbours."""
    image, reference, tail = galaxy.image, galaxy.reference, galaxy.tail
    ratio, axis = isophote(image, 1.5 * exposure.sky_noise)
    return {
        "arm_visibility": visibility(image - tail, reference, exposure),
        "tail_visibility": visibility(reference + tail, reference, exposure),
        "signal_to_noise": signal_to_noise(reference, exposure),
        "isophote_axis_ratio": ratio,
        "isophote_axis": axis,
        "concentration": concentration(galaxy),
    }


def visibility(image: Image, reference: Image, exposure: Exposure) -> float:
    """Return the signal-to-noise ratio of a galaxy's structure, from noiseless images with and without it."""
    variance = _variance(reference, exposure) + (UNNOTICED_CONTRAST * reference) ** 2
    return float(np.sqrt(np.sum((image - reference) ** 2 / variance, dtype=np.float64)))


def signal_to_noise(reference: Image, exposure: Exposure) -> float:
    """Return the signal-to-noise ratio of the whole galaxy."""
    return float(np.sqrt(np.sum(reference**2 / _variance(reference, exposure), dtype=np.float64)))


def _variance(reference: Image, exposure: Exposure) -> Image:
    return (exposure.sky + reference) / exposure.gain + exposure.dark_variance


def isophote(image: Image, level: float) -> tuple[float, float]:
    """Return axis ratio and semi-major axis (arcsec) of the ellipse with the second moments of an isophote.

    If fewer than three pixels exceed the level, the galaxy is a point: ratio 1, axis 0.
    """
    y, x = np.nonzero(image > level)
    if x.size < 3:
        return 1.0, 0.0
    # Plus the moments of a pixel, without which a line of pixels would have no width. The eigenvalues are written out,
    # because LAPACK's last digits depend on the processor.
    dx, dy = x - x.mean(), y - y.mean()
    xx, yy, xy = np.mean(dx**2) + 1 / 12, np.mean(dy**2) + 1 / 12, np.mean(dx * dy)
    middle, spread = (xx + yy) / 2, np.hypot((xx - yy) / 2, xy)
    small, large = middle - spread, middle + spread
    return float(np.sqrt(small / large)), float(2 * np.sqrt(large) * PIXEL_SCALE)


def concentration(galaxy: DrawnGalaxy) -> float:
    """Return 5 log10(r80 / r20), from the growth curve in circles about the galaxy's centre.

    An exponential disk has 2.7 and a de Vaucouleurs profile 5.2, both before the PSF (Conselice 2003, ApJS 147, 1).
    """
    size = galaxy.samples.shape[0]
    axis = SAMPLE * (np.arange(size, dtype=np.float64) - size // 2)
    x, y = axis - galaxy.offset[0], axis - galaxy.offset[1]
    step = 0.05  # arcsec
    ring = (np.sqrt(x[None, :] ** 2 + y[:, None] ** 2) / step).astype(np.int64)
    flux = np.cumsum(np.bincount(ring.ravel(), weights=galaxy.samples.ravel()))
    growth = flux / flux[-1]
    # The flux within the outer radius of each ring; np.interp needs an ascending curve.
    outer = step * np.arange(1, growth.size + 1)
    r20, r80 = np.interp([0.2, 0.8], np.maximum.accumulate(growth), outer)
    return float(5 * np.log10(r80 / r20))


def merger_appearance(galaxy: Any, sources: pd.DataFrame) -> float:
    """Return how much its neighbours make a galaxy look like a merger, 0 to 1.

    The galaxy is a row of the truth table, by attribute; the sources have x, y (pixels), magnitude and is_star.
    """
    distance = np.hypot(sources["x"].to_numpy() - galaxy.x, sources["y"].to_numpy() - galaxy.y)
    near = sources[distance < NEIGHBOURHOOD]
    axis = max(galaxy.isophote_axis, 1.5)
    bright = _logistic((1.9 - (near["magnitude"].to_numpy() - galaxy.magnitude)) / 0.4)
    close = _logistic((2.2 * axis - distance[distance < NEIGHBOURHOOD] * PIXEL_SCALE) / (0.4 * axis))
    return float(np.max(np.where(near["is_star"], 0.4, 1.0) * (bright * close), initial=0.0))


def _logistic(x: Floats) -> Floats:
    return np.asarray(1 / (1 + np.exp(-x)))


def poll(truth: pd.DataFrame, rng: np.random.Generator) -> pd.DataFrame:
    """Let volunteers vote on galaxies with the columns `VOTED_ON`.

    Returns
    -------
    DataFrame
        Table 2's columns from NVOTE to UNCERTAIN, one row per galaxy; shares rounded to 3 decimals as printed there,
        one of the three flags set. As in the original the flags precede the rounding.
    """
    expected = chances(truth, rng)
    number = vote_numbers(len(truth), rng)
    counts = rng.multinomial(number, expected / expected.sum(axis=1, keepdims=True))
    shares = counts / number[:, None]
    spiral = counts[:, 1:4].sum(axis=1) / number
    el_debiased, cs_debiased = debias(shares[:, 0], spiral, truth["redshift"].to_numpy(np.float64), rng)
    printed = dict(zip((f"P_{answer}" for answer in ANSWERS), shares.T, strict=True))
    printed |= {"P_CS": spiral, "P_EL_DEBIASED": el_debiased, "P_CS_DEBIASED": cs_debiased}
    table = pd.DataFrame({"NVOTE": number} | {name: np.round(share, 3) for name, share in printed.items()}, truth.index)
    table["SPIRAL"] = (cs_debiased > FLAG_THRESHOLD).astype(np.int64)
    table["ELLIPTICAL"] = (el_debiased > FLAG_THRESHOLD).astype(np.int64)
    table["UNCERTAIN"] = 1 - table["SPIRAL"] - table["ELLIPTICAL"]
    return table


def chances(truth: pd.DataFrame, rng: np.random.Generator) -> Floats:
    """Return the probability of each of `ANSWERS` for each galaxy, (n, 6) float64."""
    n = len(truth)
    column = {name: truth[name].to_numpy(np.float64) for name in VOTED_ON}
    visible = np.log10(np.maximum(column["arm_visibility"], 0.3))
    elongated = (EDGE_ZERO - column["isophote_axis_ratio"]) / EDGE_WIDTH
    resolved = _logistic(column["isophote_axis"] / column["fwhm"] - 3.5)
    tail = _logistic((np.log10(np.maximum(column["tail_visibility"], 0.3)) - TAIL_ZERO) / 0.15)
    merging = 1 - (1 - column["merger_appearance"]) * (1 - tail)
    noise = PECULIARITY * rng.standard_normal((4, n))
    blue = COLOUR_SLOPE * column["colour"]
    appeal = np.stack(
        [
            CONCENTRATION_SLOPE * (column["concentration"] - CONCENTRATION_ZERO) + noise[0],
            ARM_SLOPE * (visible - ARM_ZERO) + blue + noise[1],
            np.minimum(5, EDGE_APPEAL + elongated * resolved + blue + noise[2]),
            DONT_KNOW_APPEAL - np.log10(column["signal_to_noise"] / 200) + 0.8 * noise[3],
            MERGER_APPEAL + MERGER_SLOPE * merging,
        ]
    )
    appeal = np.exp(appeal - appeal.max(axis=0))
    elliptical, arms, edge, dont_know, merger = appeal / appeal.sum(axis=0)
    named = _logistic((column["axis_ratio"] - 0.42) / 0.07) * _logistic((visible - 1.38) / 0.15)
    clockwise = np.where(column["winding"] > 0, 0.94, 0.06)
    directed, edge = arms * named, edge + arms * (1 - named)
    careful = np.stack([elliptical, directed * clockwise, directed * (1 - clockwise), edge, dont_know, merger], axis=1)
    careless = np.minimum(CARELESS * np.exp(0.6 * rng.standard_normal(n)), 0.5)[:, None]
    return np.asarray((1 - careless) * careful + careless * SLIPS)


def vote_numbers(count: int, rng: np.random.Generator) -> NDArray[np.int64]:
    """Draw how many volunteers see each galaxy: two populations, as in the first and later phases of Galaxy Zoo 1."""
    few, many = rng.normal(29, 4.5, count), rng.normal(57, 7, count)
    return np.clip(np.rint(np.where(rng.random(count) < 0.68, few, many)), 13, 82).astype(np.int64)


def debias(elliptical: Floats, spiral: Floats, redshift: Floats, rng: np.random.Generator) -> tuple[Floats, Floats]:
    """Correct shares of votes for distance, at which spirals are taken for ellipticals.

    The ratio of the two shares is multiplied by 10^-C, with C between 0 and 1; their sum is unchanged.
    """
    correction = np.clip(BIAS_SLOPE * (redshift - 0.02) + 0.12 * rng.standard_normal(redshift.size), 0, 1)
    reduced = elliptical * 10**-correction
    total = elliptical + spiral
    whole = np.where(reduced + spiral > 0, reduced + spiral, 1)
    return total * reduced / whole, total * spiral / whole
