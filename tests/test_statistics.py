"""The corrected interval against a simulation under a true null, and against its special cases."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats

from galmorph.statistics import corrected_interval, mean_overlap


def test_overlap_of_test_parts_by_hand():
    assert mean_overlap([np.array([1, 2, 3, 4]), np.array([3, 4, 5, 6])]) == 0.5
    assert mean_overlap([np.array([1, 2])]) == 0.0
    assert mean_overlap([np.array([1, 2]), np.array([1, 2])]) == 1.0


def test_without_overlap_it_is_students_interval():
    values = np.random.default_rng(1).normal(0.3, 1, 12)
    mean, half = corrected_interval(values, 0.0)
    low, high = stats.t.interval(0.95, 11, values.mean(), stats.sem(values))
    assert (mean - half, mean + half) == pytest.approx((low, high))


def test_where_every_run_splits_the_whole_it_is_nadeau_and_bengios():
    values = np.random.default_rng(2).normal(0.3, 1, 10)
    # With n2 of n galaxies tested the overlap is n2 / n, and rho / (1 - rho) = n2 / n1.
    _, half = corrected_interval(values, 0.3)
    assert half == pytest.approx(stats.t.ppf(0.975, 9) * math.sqrt((1 / 10 + 0.3 / 0.7) * values.var(ddof=1)))


def test_one_run_and_the_same_galaxies_say_nothing():
    assert math.isnan(corrected_interval([0.1], 0.0)[1])
    assert corrected_interval([0.1, 0.2], 1.0)[1] == math.inf


@pytest.mark.parametrize(("sample", "tested"), [(1000, 300), (4000, 300)])
def test_it_covers_the_truth_where_the_naive_one_does_not(sample, tested):
    rng = np.random.default_rng(3)
    hits, naive, repetitions, runs = 0, 0, 400, 30
    for _ in range(repetitions):
        # Two networks that are equally good: galaxy by galaxy, the one or the other is right.
        difference = rng.choice([-1, 0, 0, 0, 1], sample)
        parts = [rng.choice(sample, tested, replace=False) for _ in range(runs)]
        values = np.array([difference[part].mean() for part in parts])
        mean, half = corrected_interval(values, tested / sample)
        hits += abs(mean) <= half
        naive += abs(mean) <= corrected_interval(values, 0.0)[1]
    assert 0.93 <= hits / repetitions <= 0.985
    assert naive < hits - 0.05 * repetitions
