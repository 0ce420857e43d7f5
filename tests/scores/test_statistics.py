"""Intervals and p values against scipy, and in their special cases; their coverage: test_coverage."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray
from scipy import stats

from galmorph.scores.predictions import Predictions
from galmorph.scores.statistics import (
    Metric,
    _Tally,
    binomial_share_std,
    binomial_std,
    corrected_mean,
    difference_interval,
    holm,
    mean_overlap,
    naive_half_width,
    score_overlap,
    unpaired_difference,
)


def test_overlap_of_test_parts_by_hand():
    assert mean_overlap([np.array([1, 2, 3, 4]), np.array([3, 4, 5, 6])]) == 0.5
    assert mean_overlap([np.array([1, 2])]) == 0.0
    assert mean_overlap([np.array([1, 2]), np.array([1, 2])]) == 1.0


def test_without_overlap_it_is_students_interval():
    values = np.random.default_rng(1).normal(0.3, 1, 12)
    estimate = corrected_mean(values, 0.0)
    mean, half = estimate.mean, estimate.half_width()
    low, high = stats.t.interval(0.95, 11, values.mean(), stats.sem(values))
    assert (mean - half, mean + half) == pytest.approx((low, high))


def test_where_every_run_splits_the_whole_it_is_nadeau_and_bengios():
    values = np.random.default_rng(2).normal(0.3, 1, 10)
    # With n2 of n galaxies tested the overlap is n2 / n, and rho / (1 - rho) = n2 / n1.
    half = corrected_mean(values, 0.3).half_width()
    assert half == pytest.approx(stats.t.ppf(0.975, 9) * math.sqrt((1 / 10 + 0.3 / 0.7) * values.var(ddof=1)))


def test_one_run_and_the_same_galaxies_say_nothing():
    assert math.isnan(corrected_mean([0.1], 0.0).half_width())
    assert corrected_mean([0.1, 0.2], 1.0).half_width() == math.inf


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


def test_more_overlap_never_narrows_the_interval():
    values = np.random.default_rng(7).normal(0, 1, 12)
    widths = [corrected_mean(values, overlap).half_width() for overlap in np.linspace(0, 0.99, 20)]
    assert (np.diff(widths) > 0).all()


def made(run: list[int], galaxy: list[int], truth: NDArray[np.int64], right: NDArray[np.bool_]) -> Predictions:
    """Predictions of two classes; truth and right by galaxy, or right by answer."""
    rows = np.array(galaxy)
    known = truth[rows]
    correct = right if len(right) == len(rows) else right[rows]
    predicted = np.where(correct, known, 1 - known)
    return Predictions(
        ("spiral", "elliptical"), max(run) + 1, np.array(run), rows, known, predicted, np.empty((0, 2), np.float32)
    )


@pytest.mark.parametrize(("metric", "paired"), [("accuracy", False), ("tss", True)])
def test_the_overlap_of_a_balanced_set_is_that_of_the_class_that_varies(metric: Metric, paired: bool) -> None:
    # 20 of 400 spirals and 20 of 50 ellipticals in each run; nearly all the variance is of the ellipticals. Over many
    # skies the estimated variance of the mean is that of the means, which the overlap of the galaxies, half of each
    # class, makes much too small.
    rng = np.random.default_rng(9)
    spirals, ellipticals, k = 400, 50, 8
    truth = np.repeat([0, 1], [spirals, ellipticals])
    means, weighted, plain = [], [], []
    for _ in range(250):
        right = rng.random(len(truth)) < np.where(truth == 0, 0.99, 0.6)
        other = rng.random(len(truth)) < np.where(truth == 0, 0.99, 0.6)
        drawn = [
            np.concatenate([rng.choice(spirals, 20, False), spirals + rng.choice(ellipticals, 20, False)])
            for _ in range(k)
        ]
        galaxy, run = np.concatenate(drawn).tolist(), np.repeat(range(k), 40).tolist()
        first, second = made(run, galaxy, truth, right), made(run, galaxy, truth, other)
        gain = right.astype(float) - (other if paired else 0)
        by_class = [[gain[one[truth[one] == c]].mean() for one in drawn] for c in (0, 1)]
        scores = np.sum(by_class, axis=0) / (2 if metric == "accuracy" else 1)
        means.append(scores.mean())
        rho = score_overlap(metric, first, second if paired else None)
        weighted.append(corrected_mean(scores, rho).variance)
        plain.append(corrected_mean(scores, mean_overlap(first.parts)).variance)
    true = np.var(means)
    assert np.mean(weighted) == pytest.approx(true, rel=0.2)
    assert np.mean(plain) < 0.75 * true


def test_where_no_galaxy_varies_the_overlap_is_that_of_the_galaxies() -> None:
    truth = np.array([0, 0, 0, 1, 1])
    perfect = made([0, 0, 0, 1, 1, 1], [0, 1, 3, 1, 2, 4], truth, np.full(5, True))
    assert score_overlap("tss", perfect) == pytest.approx(1 / 3)
    # Runs without a galaxy of the class that varies have none in common.
    lacking = made([0, 0, 0, 0, 1, 1], [0, 2, 3, 4, 0, 1], truth, np.array([True, True, True, True, False]))
    assert score_overlap("accuracy", lacking) == 0.0


def test_the_binomial_deviation_is_that_of_runs_whose_galaxies_are_all_new() -> None:
    rng = np.random.default_rng(10)
    n, right = 50, np.array([0.9, 0.7])
    counts = rng.binomial(n, 0.5, 4000)
    hits = [rng.binomial(of, p) for of, p in zip((counts, n - counts), right, strict=True)]
    matrices = np.array([[hits[0], counts - hits[0]], [n - counts - hits[1], hits[1]]]).transpose(2, 0, 1)
    accuracies = matrices.trace(axis1=1, axis2=2) / n
    assert binomial_std(matrices, "accuracy") == pytest.approx(accuracies.std(), rel=0.05)
    recalls = [hits[0] / counts, hits[1] / (n - counts)]
    assert binomial_std(matrices, "tss") == pytest.approx(np.std(recalls[0] + recalls[1]), rel=0.05)
    assert binomial_share_std([0.5, math.nan], [10, 0]) == pytest.approx(math.sqrt(0.25 / 10))
    assert math.isnan(binomial_share_std([math.nan], [0]))


def test_one_run_of_one_class_is_scipys_bootstrap_of_the_mean_difference() -> None:
    rng = np.random.default_rng(1)
    truth = np.zeros(80, np.int64)
    first, second = rng.random(80) < 0.7, rng.random(80) < 0.8
    one, two = [made([0] * 80, list(range(80)), truth, right) for right in (first, second)]
    ours = difference_interval(one, two, "accuracy", np.random.default_rng(5), resamples=999)
    theirs = stats.bootstrap(
        (second.astype(float) - first.astype(float),),
        np.mean,
        n_resamples=999,
        batch=200,
        method="percentile",
        rng=np.random.default_rng(5),
    ).confidence_interval
    assert ours == pytest.approx((theirs.low, theirs.high))


def test_two_classes_are_drawn_apart_as_scipys_two_samples_are() -> None:
    rng = np.random.default_rng(2)
    truth = np.repeat([0, 1], [60, 25])
    first, second = rng.random(85) < 0.7, rng.random(85) < 0.8
    one, two = [made([0] * 85, list(range(85)), truth, right) for right in (first, second)]
    ours = difference_interval(one, two, "tss", np.random.default_rng(6), resamples=500)
    difference = second.astype(float) - first.astype(float)
    # Classes by name: ellipticals are drawn first.
    theirs = stats.bootstrap(
        (difference[truth == 1], difference[truth == 0]),
        lambda a, b, axis: a.mean(axis=axis) + b.mean(axis=axis),
        n_resamples=500,
        batch=200,
        method="percentile",
        rng=np.random.default_rng(6),
    ).confidence_interval
    assert ours == pytest.approx((theirs.low, theirs.high))


@pytest.mark.parametrize("metric", ["accuracy", "tss"])
def test_weighted_scores_are_those_of_galaxies_repeated_so_often(metric: Metric) -> None:
    rng = np.random.default_rng(3)
    truth = rng.integers(0, 2, 30)
    run = [0] * 20 + [1] * 20
    galaxy = [*rng.choice(30, 20, replace=False).tolist(), *rng.choice(30, 20, replace=False).tolist()]
    answers = made(run, galaxy, truth, rng.random(40) < 0.7)
    weights = rng.integers(0, 4, 30)
    scores = []
    for number in (0, 1):
        chosen = answers.run == number
        times = weights[answers.galaxy[chosen]]
        true, predicted = (np.repeat(values[chosen], times) for values in (answers.truth, answers.predicted))
        recalls = [(predicted == true)[true == k].mean() for k in (0, 1)]
        scores.append((predicted == true).mean() if metric == "accuracy" else recalls[0] + recalls[1] - 1)
    tally = _Tally(answers, np.arange(30))
    assert tally.scores(weights[:, None].astype(float), metric) == pytest.approx([np.mean(scores)])


def test_answers_for_one_galaxy_stay_together() -> None:
    # Ten runs that test the same galaxies and answer the same say no more than one of them.
    rng = np.random.default_rng(4)
    truth = np.repeat([0, 1], 50)
    worse, better = rng.random(100) < 0.7, rng.random(100) < 0.8

    def width(runs: int) -> float:
        run, galaxy = np.repeat(range(runs), 100).tolist(), list(range(100)) * runs
        one, two = [made(run, galaxy, truth, np.tile(right, runs)) for right in (worse, better)]
        low, high = difference_interval(one, two, "accuracy", np.random.default_rng(7), resamples=400)
        return high - low

    assert width(10) == pytest.approx(width(1))


def test_a_run_without_weight_in_a_class_is_left_out_and_a_class_of_one_galaxy_gives_no_interval() -> None:
    truth = np.array([0, 0, 1, 1])
    answers = made([0, 0, 1, 1], [0, 2, 1, 3], truth, np.array([True, True, True, False]))
    weights = np.array([[1.0, 1.0], [1.0, 0.0], [1.0, 1.0], [1.0, 1.0]])
    # Run 0 has a TSS of 1, run 1 of 0; in the second column run 1 has no spiral.
    np.testing.assert_allclose(_Tally(answers, np.arange(4)).scores(weights, "tss"), [0.5, 1.0])
    few = made([0, 0, 0], [0, 1, 2], np.array([0, 0, 1]), np.array([True, True, True]))
    assert np.isnan(difference_interval(few, few, "tss", np.random.default_rng(8))).all()
