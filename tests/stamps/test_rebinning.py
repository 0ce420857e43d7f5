from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from galmorph.stamps.rebinning import centred_edges, noise_autocovariance, shares


@given(st.integers(2, 40), st.floats(1.0, 4.0))
def test_flux_is_conserved_where_the_new_pixels_cover_the_old(count, ratio):
    new = int(np.ceil(count / ratio)) + 1
    matrix = shares(centred_edges(count, 1.0), centred_edges(new, ratio))
    np.testing.assert_allclose(matrix.sum(axis=0), 1.0, atol=1e-9)
    assert (matrix >= 0).all()


def test_the_same_pixels_are_left_as_they_are():
    np.testing.assert_array_equal(shares(centred_edges(8, 1.0), centred_edges(8, 1.0)), np.eye(8))


def test_pairs_of_pixels_are_added():
    matrix = shares(centred_edges(4, 1.0), centred_edges(2, 2.0))
    np.testing.assert_array_equal(matrix, [[1, 1, 0, 0], [0, 0, 1, 1]])
    np.testing.assert_array_equal(noise_autocovariance(matrix), [2, 0])


def test_noise_of_shared_pixels_is_correlated_as_it_is_when_simulated():
    matrix = shares(centred_edges(90, 1.0), centred_edges(60, 1.5))
    noise = matrix @ np.random.default_rng(3).standard_normal((90, 40_000))
    covariance = noise_autocovariance(matrix)
    measured = [(noise[: 60 - lag] * noise[lag:]).mean() for lag in range(3)]
    np.testing.assert_allclose(covariance[:3], measured, atol=0.01)
    assert covariance[1] > 0.1
