"""From the sky to the votes: what a class depends on is what can be seen."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest

from galmorph.sources.simulated import drawing, exposure, measures, population, volunteers
from galmorph.sources.simulated.exposure import Exposure

CALM = exposure.draw(1, 1.43, np.random.default_rng(3))[0]


def looked_at(galaxies: pd.DataFrame, circumstances: Callable[[Any], Exposure]) -> pd.DataFrame:
    """Return the truth table of galaxies, each seen alone under its circumstances."""
    rows: Any = galaxies.itertuples()
    seen = []
    for number, galaxy in enumerate(rows):
        taken = circumstances(galaxy)
        stamp = drawing.draw(galaxy, taken, (0.05, -0.1), np.random.default_rng(number))
        seen.append(measures.measure(stamp, taken) | {"fwhm": taken.fwhm, "merger_appearance": 0.0})
    return pd.concat([galaxies.reset_index(drop=True), pd.DataFrame(seen)], axis=1)


def each_through(fwhm: float) -> Callable[[Any], Exposure]:
    return lambda galaxy: seen_through(fwhm)


def each_by_its_size(ratio: float) -> Callable[[Any], Exposure]:
    return lambda galaxy: seen_through(ratio * galaxy.half_light_radius)


def seen_through(fwhm: float) -> Exposure:
    return Exposure(fwhm, 0.0, 0.0, CALM.sky, CALM.gain, CALM.dark_variance, CALM.flux20, 1.2, 0.08)


def polled(truth: pd.DataFrame) -> pd.DataFrame:
    """Return many crowds' votes, one after the other: the mean is that of the galaxies, not of one crowd."""
    return pd.concat([volunteers.poll(truth, np.random.default_rng(seed)) for seed in range(20)])


@pytest.fixture(scope="module")
def spirals() -> pd.DataFrame:
    drawn = population.draw(600, np.random.default_rng(4))
    face_on = drawn[(drawn["kind"] == "S") & (drawn["axis_ratio"] > 0.6) & (drawn["half_light_radius"] > 2.5)]
    return face_on.head(40).assign(tail_fraction=0.0, arm_contrast=0.9)


def test_a_spiral_becomes_uncertain_as_the_seeing_grows_against_its_size(spirals: pd.DataFrame) -> None:
    uncertain, spiral = [], []
    for ratio in (0.25, 0.5, 1.0):
        votes = polled(looked_at(spirals, each_by_its_size(ratio)))
        uncertain.append(votes["UNCERTAIN"].mean())
        spiral.append(votes["SPIRAL"].mean())
    assert uncertain[0] < uncertain[1] < uncertain[2]
    assert spiral[0] > spiral[1] > spiral[2]
    assert uncertain[2] - uncertain[0] > 0.2


def test_a_blurred_spiral_drifts_to_elliptical_and_an_elliptical_stays(spirals: pd.DataFrame) -> None:
    sharp, blurred = (polled(looked_at(spirals, each_through(f)))["P_EL"].mean() for f in (1.0, 3.0))
    assert blurred > sharp + 0.1
    drawn = population.draw(300, np.random.default_rng(5))
    round_ = drawn[drawn["kind"] == "E"].head(25).assign(tail_fraction=0.0)
    for fwhm in (1.0, 2.0):
        votes = polled(looked_at(round_, each_through(fwhm)))
        assert votes["SPIRAL"].mean() < 0.05


def test_votes_for_spiral_rise_with_the_contrast_of_the_arms(spirals: pd.DataFrame) -> None:
    shares = [
        polled(looked_at(spirals.assign(arm_contrast=contrast), lambda galaxy: CALM))["P_CS"].mean()
        for contrast in (0.05, 0.3, 0.9, 1.8)
    ]
    assert shares == sorted(shares)
    assert shares[-1] - shares[0] > 0.3
