"""Intervals and p values against scipy, and against their special cases; their coverage: test_coverage."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy import stats

from galmorph.scores.statistics import (
    corrected_interval,
    corrected_mean,
    holm,
    mean_overlap,
    naive_half_width,
    unpaired_difference,
)


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


def test_overlap_is_that_of_plain_sets():
    rng = np.random.default_rng(4)
    parts = [rng.choice(60, size, replace=False) for size in (12, 15, 20)]
    sets = [set(part.tolist()) for part in parts]
    shares = [len(a & b) / len(a) for i, a in enumerate(sets) for j, b in enumerate(sets) if i != j]
    assert mean_overlap(parts) == pytest.approx(sum(shares) / 6)


def test_without_overlap_an_unpaired_difference_is_welchs():
    rng = np.random.default_rng(5)
    first, second = rng.normal(0.7, 0.05, 12), rng.normal(0.75, 0.02, 30)
    difference = unpaired_difference(corrected_mean(first, 0.0), corrected_mean(second, 0.0))
    welch = stats.ttest_ind(second, first, equal_var=False)
    low, high = welch.confidence_interval()
    half = difference.half_width()
    assert (difference.mean - half, difference.mean + half) == pytest.approx((low, high))
    assert difference.p_value() == pytest.approx(welch.pvalue)
    assert difference.freedom == pytest.approx(welch.df)


def test_a_paired_p_value_is_students_where_nothing_overlaps():
    values = np.random.default_rng(6).normal(0.02, 0.05, 30)
    assert corrected_mean(values, 0.0).p_value() == pytest.approx(stats.ttest_1samp(values, 0).pvalue)
    assert corrected_mean(values, 0.2).p_value() > corrected_mean(values, 0.1).p_value()


def test_differences_without_any_spread():
    assert corrected_mean([0.0, 0.0, 0.0], 0.1).p_value() == 1.0
    assert corrected_mean([0.5, 0.5, 0.5], 0.1).p_value() == 0.0
    same = unpaired_difference(corrected_mean([0.5, 0.5], 0.1), corrected_mean([0.5, 0.5], 0.1))
    assert (same.mean, same.half_width()) == (0.0, 0.0)
    assert math.isnan(unpaired_difference(corrected_mean([0.5], 0.0), corrected_mean([0.5, 0.6], 0.0)).half_width())
    assert math.isnan(corrected_mean([0.1, 0.2], 1.0).p_value())


def test_the_naive_interval_is_two_standard_errors():
    first, second = np.array([0.7, 0.8, 0.9]), np.array([0.6, 0.9])
    assert naive_half_width(first) == pytest.approx(2 * stats.sem(first))
    assert naive_half_width(first, second) == pytest.approx(2 * math.hypot(stats.sem(first), stats.sem(second)))
    assert math.isnan(naive_half_width(first, [0.1]))


def test_holm_on_the_fifteen_p_values_of_benjamini_and_hochberg():
    # Benjamini & Hochberg (1995, J. R. Statist. Soc. B 57, 289), section 4.1: three of the fifteen are rejected at 5 %
    # by Bonferroni's and by the step-wise procedures of its kind.
    values = [0.0001, 0.0004, 0.0019, 0.0095, 0.0201, 0.0278, 0.0298, 0.0344, 0.0459]
    values += [0.3240, 0.4262, 0.5719, 0.6528, 0.7590, 1.0]
    adjusted = holm(values)
    expected = [0.0015, 0.0056, 0.0247, 0.114, 0.2211, 0.278, 0.278, 0.278, 0.3213] + [1.0] * 6
    np.testing.assert_allclose(adjusted, expected)
    assert (adjusted < 0.05).sum() == 3


@given(arrays(np.float64, st.integers(1, 20), elements=st.floats(0, 1)), st.randoms(use_true_random=False))
def test_holm_is_between_the_raw_and_bonferronis_and_knows_no_order(values, random):
    adjusted = holm(values)
    assert (adjusted >= values).all()
    assert (adjusted <= np.minimum(1.0, len(values) * values) + 1e-15).all()
    order = list(range(len(values)))
    random.shuffle(order)
    np.testing.assert_allclose(holm(values[order]), adjusted[order])
    # What is not known is not counted.
    np.testing.assert_array_equal(holm([*values, np.nan])[:-1], adjusted)


@given(
    arrays(np.float64, st.integers(2, 30), elements=st.floats(-1, 1)),
    st.floats(0, 0.9),
    st.floats(0, 0.09),
)
def test_more_overlap_never_narrows_the_interval(values, overlap, more):
    assert corrected_interval(values, overlap + more)[1] >= corrected_interval(values, overlap)[1]
