"""Ranks that single precision keeps, and a threshold that is set without labels."""

import math

import numpy as np
import pytest
from scipy.special import softmax

from galmorph.scores.thresholds import log_odds, prior_matched, ranking_area


def probabilities(odds):
    """Return what a network of single precision gives for log odds."""
    return softmax(np.stack([odds, np.zeros_like(odds)], axis=1).astype(np.float32), axis=1)


def test_sure_galaxies_keep_their_order():
    odds = np.array([20.0, 25.0, 30.0, -25.0])
    given = probabilities(odds)
    assert (given[:3, 0] == 1).all()
    np.testing.assert_allclose(log_odds(given), odds, rtol=1e-5)
    assert np.isfinite(log_odds(np.array([[1, 0], [0, 1]], np.float32))).all()


def test_the_area_is_the_share_of_pairs_in_the_right_order():
    positive, score = np.array([True, True, False, False, True]), np.array([3.0, 1.0, 2.0, 0.0, 2.0])
    pairs = [(p > n) + 0.5 * (p == n) for p in score[positive] for n in score[~positive]]
    assert ranking_area(positive, score) == pytest.approx(np.mean(pairs))
    assert ranking_area(positive, score + 40) == ranking_area(positive, score)
    assert math.isnan(ranking_area(np.ones(3, bool), score[:3]))


@pytest.mark.parametrize(("fraction", "count"), [(0.0, 0), (0.3, 3), (0.34, 3), (0.35, 4), (1.0, 10)])
def test_so_many_are_called_as_the_fraction_says(fraction, count):
    score = np.random.default_rng(1).normal(size=10)
    called = prior_matched(score, fraction)
    assert called.sum() == count
    assert count in (0, 10) or score[called].min() > score[~called].max()


def test_galaxies_of_one_score_are_called_together():
    score = np.array([5.0, 1.0, 1.0, 1.0, 0.0])
    assert prior_matched(score, 0.4).sum() == 1
    assert prior_matched(score, 0.6).sum() == 4
    assert prior_matched(np.zeros(4), 0.75).sum() == 4
    # Not by their place, in which classes may be sorted.
    np.testing.assert_array_equal(prior_matched(score[::-1], 0.4), prior_matched(score, 0.4)[::-1])


def test_a_shifted_threshold_is_set_back():
    rng = np.random.default_rng(2)
    spiral = rng.random(4000) < 0.7
    odds = np.where(spiral, 2.0, -2.0) + rng.normal(size=4000)
    blurred = odds + 6.0
    assert np.mean((odds > 0) == spiral) > 0.97
    assert np.mean((blurred > 0) == spiral) < 0.75  # nearly everything is called a spiral
    np.testing.assert_array_equal(prior_matched(blurred, 0.7), prior_matched(odds, 0.7))
    assert np.mean(prior_matched(blurred, 0.7) == spiral) > 0.97
