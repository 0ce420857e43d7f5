"""The bootstrap over galaxies: against scipy's own where that can do it, and against what must hold."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import stats

from galmorph.report.bootstrap import Metric, _Tally, difference_interval
from galmorph.report.predictions import Predictions

NOTHING = np.empty((0, 2), np.float32)


def made(run: list[int], galaxy: list[int], truth: NDArray[np.int64], right: NDArray[np.bool_]) -> Predictions:
    """Predictions of two classes; truth and right by galaxy, or right by answer."""
    rows = np.array(galaxy)
    known = truth[rows]
    correct = right if len(right) == len(rows) else right[rows]
    predicted = np.where(correct, known, 1 - known)
    return Predictions(("spiral", "elliptical"), max(run) + 1, np.array(run), rows, known, predicted, NOTHING)


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
