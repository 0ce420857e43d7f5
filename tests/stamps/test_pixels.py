import math
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from galmorph.sdss.frames import read_frame
from galmorph.stamps.pixels import (
    centred_edges,
    cut,
    interpolated_median,
    local_sky,
    noise_autocovariance,
    shares,
)
from tests.support.frames import add_galaxy, sky_image

RAMP = np.arange(300 * 400, dtype=np.float32).reshape(300, 400)


@given(x=st.floats(32, 367.49), y=st.floats(32, 267.49))
def test_cut_is_a_slice_around_the_nearest_pixel(x, y):
    stamp = cut(RAMP, x, y, 64)
    assert stamp is not None
    column, row = math.floor(x + 0.5), math.floor(y + 0.5)
    np.testing.assert_array_equal(stamp, RAMP[row - 32 : row + 32, column - 32 : column + 32])
    assert stamp[32, 32] == RAMP[row, column]
    assert stamp.base is None


@given(x=st.integers(-500, 900), y=st.integers(-500, 800), size=st.sampled_from([16, 64, 128]))
def test_a_square_over_an_edge_is_not_cut(x, y, size):
    stamp = cut(RAMP, x, y, size)
    inside = size // 2 <= x <= 400 - size // 2 and size // 2 <= y <= 300 - size // 2
    assert (stamp is not None) == inside
    assert stamp is None or stamp.shape == (size, size)


@settings(max_examples=15)
@given(sky=st.floats(0, 500), noise=st.floats(1, 20), peak=st.floats(0, 50_000), seed=st.integers(0, 1000))
def test_a_bright_galaxy_does_not_bias_the_local_sky(sky, noise, peak, seed):
    image = np.random.default_rng(seed).normal(sky, noise, (240, 240))
    add_galaxy(image, 120.3, 119.8, peak=peak, sigma=8)
    measured = local_sky(image.astype(np.float32), 120.3, 119.8, 80, 160)
    assert measured is not None
    # The median of 19,200 pixels is uncertain by 0.009 of their noise; the clipped deviation is 1 to 2 % low.
    assert measured[0] == pytest.approx(sky, abs=0.06 * noise)
    assert measured[1] == pytest.approx(noise, rel=0.06)


@settings(max_examples=25)
@given(sky=st.floats(0, 500), noise=st.floats(2, 20), seed=st.integers(0, 1000))
def test_the_sky_of_pixels_in_whole_dn_is_not_a_whole_number(sky, noise, seed):
    image = np.random.default_rng(seed).normal(sky, noise, (200, 200))
    rounded, exact = (local_sky(values.astype(np.float32), 100, 100, 80, 160) for values in (np.rint(image), image))
    assert rounded is not None
    assert exact is not None
    # The level that the sky was made with, within five of the median's own errors, 1.25 noise / sqrt(19,200).
    assert rounded[0] == pytest.approx(sky, abs=0.045 * noise)
    assert rounded[0] == pytest.approx(exact[0], abs=0.02 + 0.01 * noise)


@given(st.lists(st.floats(-1e6, 1e6), min_size=1, unique=True))
def test_where_all_values_differ_the_median_is_the_usual_one(values):
    assert interpolated_median(np.array(values)) == pytest.approx(np.median(values), rel=1e-12, abs=1e-9)


@given(st.lists(st.integers(-5, 5), min_size=1), st.integers(-100, 100))
def test_the_interpolated_median_moves_with_the_values(values, shift):
    here = interpolated_median(np.array(values, dtype=float))
    assert interpolated_median(np.array(values, dtype=float) + shift) == pytest.approx(here + shift, abs=1e-9)
    assert interpolated_median(-np.array(values, dtype=float)) == pytest.approx(-here, abs=1e-9)


@pytest.mark.real
def test_the_sky_of_real_frames_is_that_of_dithered_pixels(real_data: Path):
    """Uniform noise of one DN added to whole DN restores what rounding took; here the mean over 10 such medians."""
    listed = pd.read_csv(real_data / "galaxies_in_frames.csv")
    listed = listed[listed["frame"].str.startswith("fpC")]
    rng = np.random.default_rng(20)
    differences = []
    for name, here in listed.groupby("frame"):
        image = read_frame(real_data / "frames_dr7_r" / str(name)).image
        for x, y in here[["x0", "y0"]].itertuples(index=False):
            measured = local_sky(image, x, y, 80, 160)
            if measured is not None:
                images = (image + rng.uniform(-0.5, 0.5, image.shape).astype(np.float32) for _ in range(10))
                skies = [sky[0] for dithered in images if (sky := local_sky(dithered, x, y, 80, 160))]
                differences.append(measured[0] - np.mean(skies))
    assert len(differences) >= 14
    assert np.sqrt(np.mean(np.square(differences))) < 0.05


def test_local_sky_excludes_the_middle_and_clips_neighbours():
    image = sky_image(shape=(240, 240))
    reference = local_sky(image.astype(np.float32), 120, 120, 80, 160)
    image[80:160, 80:160] = 1e6
    image[50:60, 50:60] = 5000.0
    # Survives the first clipping, because the bright neighbour inflates the standard deviation.
    image[190:195, 60:180] = 300.0
    image[170:172, 100:110] = np.nan
    measured = local_sky(image.astype(np.float32), 120, 120, 80, 160)
    assert measured is not None
    assert measured == pytest.approx(reference, abs=0.1)


def test_local_sky_is_measured_between_the_squares_only():
    image = np.full((240, 240), 9.0, np.float32)
    image[40:200, 40:200] = 5.0
    image[80:160, 80:160] = 1.0
    assert local_sky(image, 120, 120, 80, 160) == (5.0, 0.0)


def test_local_sky_needs_enough_pixels():
    image = sky_image(shape=(240, 240)).astype(np.float32)
    assert local_sky(image, 32, 32, 80, 160) is not None
    image[:100, :180] = np.nan
    assert local_sky(image, 32, 32, 80, 160) is None
    assert local_sky(image, -500, 32, 80, 160) is None


@given(st.integers(2, 40), st.floats(1.0, 4.0))
def test_flux_is_conserved_where_the_new_pixels_cover_the_old(count, ratio):
    new = int(np.ceil(count / ratio)) + 1
    matrix = shares(centred_edges(count, 1.0), centred_edges(new, ratio))
    np.testing.assert_allclose(matrix.sum(axis=0), 1.0, atol=1e-9)
    assert (matrix >= 0).all()


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
