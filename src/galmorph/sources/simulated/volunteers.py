"""Simulated volunteers: from what can be seen of a galaxy to its row of Galaxy Zoo 1's Table 2.

A row's chances depend on the recorded columns of `VOTED_ON` and on nothing else. Each volunteer's choice is the
softmax of the appeal of five answers; arm votes name a direction where it can be made out; a careless share of the
votes is spread as the crowd's slips are.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray

Floats = NDArray[np.float64]

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
# How careless votes are spread over the answers.
SLIPS: Final = np.array([0.0, 0.17, 0.20, 0.55, 0.04, 0.04])
FLAG_THRESHOLD: Final = 0.8


@dataclass(frozen=True)
class Crowd:
    """What draws volunteers to each answer: slopes and offsets of its appeal, in natural logarithms of odds.

    The defaults were fitted so that the shares of the votes, over ten bins each, and the flags come near those of the
    first 6,185 rows of the real Table 2: an input of the simulated survey, not a result.

    Attributes
    ----------
    concentration_slope, concentration_zero
        Of the elliptical's appeal.
    arm_slope, arm_zero
        Of the spiral's, in log10 of the arms' signal-to-noise ratio.
    edge_appeal, edge_zero, edge_width
        Of the edge-on disk's: in units of the width of an axis ratio below zero, where the galaxy is resolved.
    dont_know_appeal, merger_appeal, merger_slope, tail_zero
        Of the two rare answers; a tail of 10^tail_zero signal-to-noise is seen by half.
    colour_slope
        Of the colour's part in arms and edge.
    peculiarity
        Scatter of the appeals from galaxy to galaxy that no measure explains.
    careless
        Median share of careless votes; its logarithm scatters by 0.6.
    bias_slope
        Of the correction for distance, decades of the ratio of elliptical to spiral votes per unit redshift.
    """

    concentration_slope: float = 1.05
    concentration_zero: float = 3.26
    arm_slope: float = 5.8
    arm_zero: float = 1.466
    edge_appeal: float = -1.82
    edge_zero: float = 0.51
    edge_width: float = 0.063
    dont_know_appeal: float = -2.09
    merger_appeal: float = -3.77
    merger_slope: float = 3.75
    tail_zero: float = 1.5
    colour_slope: float = 0.35
    peculiarity: float = 0.21
    careless: float = 0.07
    bias_slope: float = 7.5


CROWD: Final = Crowd()


def _logistic(x: Floats) -> Floats:
    # exp of a clipped argument: the far tails are 0 and 1 either way, without an overflow.
    return np.asarray(1 / (1 + np.exp(-np.clip(x, -60, 60))))


def chances(truth: pd.DataFrame, rng: np.random.Generator, crowd: Crowd = CROWD) -> Floats:
    """Return the chance of each answer for each galaxy.

    Parameters
    ----------
    truth
        With the columns `VOTED_ON`.
    rng
        Of the galaxies' peculiarities that no column holds, and of the share of careless votes.
    crowd
        What draws the volunteers.

    Returns
    -------
    (n, 6) float64, in the order of `ANSWERS`; rows sum to 1.
    """
    n = len(truth)
    column = {name: truth[name].to_numpy(np.float64) for name in VOTED_ON}
    visible = np.log10(np.maximum(column["arm_visibility"], 0.3))
    elongated = (crowd.edge_zero - column["isophote_axis_ratio"]) / crowd.edge_width
    resolved = _logistic(column["isophote_axis"] / column["fwhm"] - 3.5)
    tail = _logistic((np.log10(np.maximum(column["tail_visibility"], 0.3)) - crowd.tail_zero) / 0.15)
    merging = 1 - (1 - column["merger_appearance"]) * (1 - tail)
    noise = crowd.peculiarity * rng.standard_normal((4, n))
    blue = crowd.colour_slope * column["colour"]
    appeal = np.stack(
        [
            crowd.concentration_slope * (column["concentration"] - crowd.concentration_zero) + noise[0],
            crowd.arm_slope * (visible - crowd.arm_zero) + blue + noise[1],
            np.minimum(5, crowd.edge_appeal + elongated * resolved + blue + noise[2]),
            crowd.dont_know_appeal - np.log10(column["signal_to_noise"] / 200) + 0.8 * noise[3],
            crowd.merger_appeal + crowd.merger_slope * merging,
        ]
    )
    appeal = np.exp(appeal - appeal.max(axis=0))
    elliptical, arms, edge, dont_know, merger = appeal / appeal.sum(axis=0)

    named = _logistic((column["axis_ratio"] - 0.42) / 0.07) * _logistic((visible - 1.38) / 0.15)
    clockwise = np.where(column["winding"] > 0, 0.94, 0.06)
    keen = np.stack(
        [
            elliptical,
            arms * named * clockwise,
            arms * named * (1 - clockwise),
            edge + arms * (1 - named),
            dont_know,
            merger,
        ],
        axis=1,
    )
    careless = np.minimum(crowd.careless * np.exp(0.6 * rng.standard_normal(n)), 0.5)[:, None]
    return np.asarray((1 - careless) * keen + careless * SLIPS)


def vote_numbers(count: int, rng: np.random.Generator) -> NDArray[np.int64]:
    """Draw how many volunteers saw each of `count` galaxies: two populations, as in the first and later phases."""
    few, many = rng.normal(29, 4.5, count), rng.normal(57, 7, count)
    return np.clip(np.rint(np.where(rng.random(count) < 0.68, few, many)), 13, 82).astype(np.int64)


def debias(
    elliptical: Floats, spiral: Floats, redshift: Floats, rng: np.random.Generator, slope: float = CROWD.bias_slope
) -> tuple[Floats, Floats]:
    """Undo what distance does to the votes: the further away, the more spirals were taken for ellipticals.

    Parameters
    ----------
    elliptical, spiral
        Shares of the votes.
    redshift
        Of each galaxy.
    rng
        Of the correction's scatter.
    slope
        Of the correction with redshift, decades.

    Returns
    -------
    The two shares, their ratio multiplied by 10^-C with C between 0 and 1, their sum kept.
    """
    correction = np.clip(slope * (redshift - 0.02) + 0.12 * rng.standard_normal(redshift.size), 0, 1)
    reduced = elliptical * 10**-correction
    total = elliptical + spiral
    whole = np.where(reduced + spiral > 0, reduced + spiral, 1)
    return total * reduced / whole, total * spiral / whole


def poll(truth: pd.DataFrame, rng: np.random.Generator, crowd: Crowd = CROWD) -> pd.DataFrame:
    """Let volunteers vote.

    Parameters
    ----------
    truth
        With the columns `VOTED_ON`.
    rng
        The only source of chance; it has no other use.
    crowd
        What draws the volunteers.

    Returns
    -------
    DataFrame
        Table 2's columns from NVOTE to UNCERTAIN, one row per galaxy; shares rounded to 3 decimals as printed there,
        one of the three flags set. As in the original the flags are taken before rounding.
    """
    expected = chances(truth, rng, crowd)
    number = vote_numbers(len(truth), rng)
    counts = rng.multinomial(number, expected / expected.sum(axis=1, keepdims=True))
    shares = counts / number[:, None]
    elliptical, spiral = shares[:, 0], counts[:, 1:4].sum(axis=1) / number
    el_debiased, cs_debiased = debias(elliptical, spiral, truth["redshift"].to_numpy(np.float64), rng, crowd.bias_slope)
    is_spiral, is_elliptical = cs_debiased > FLAG_THRESHOLD, el_debiased > FLAG_THRESHOLD
    table: dict[str, NDArray[np.generic]] = {"NVOTE": number}
    for k, answer in enumerate(ANSWERS):
        table[f"P_{answer}"] = np.round(shares[:, k], 3)
    table["P_CS"] = np.round(spiral, 3)
    table["P_EL_DEBIASED"] = np.round(el_debiased, 3)
    table["P_CS_DEBIASED"] = np.round(cs_debiased, 3)
    table["SPIRAL"] = is_spiral.astype(np.int64)
    table["ELLIPTICAL"] = is_elliptical.astype(np.int64)
    table["UNCERTAIN"] = (~is_spiral & ~is_elliptical).astype(np.int64)
    return pd.DataFrame(table, index=truth.index)
