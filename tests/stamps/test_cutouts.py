from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from galmorph.sdss.frames import Frame
from galmorph.settings.study import CutoutSettings
from galmorph.stamps.cutouts import cut, frame_cutouts, local_sky
from galmorph.stamps.stamp import Reject, Stamp
from tests.support.frames import NOISE, RA, SKY, add_galaxy, frame_wcs, sky_image, sky_position

SETTINGS = CutoutSettings(stamp_size=64, wide_size=128, sky_inner=80, sky_outer=160, max_rejected_fraction=0.05)
LENIENT = SETTINGS.model_copy(update={"max_rejected_fraction": 0.9})
RAMP = np.arange(300 * 400, dtype=np.float32).reshape(300, 400)


@given(x=st.floats(32, 367.49), y=st.floats(32, 267.49))
def test_cut_is_numpy_slicing(x: float, y: float) -> None:
    stamp = cut(RAMP, x, y, 64)
    assert stamp is not None
    column, row = math.floor(x + 0.5), math.floor(y + 0.5)
    np.testing.assert_array_equal(stamp, RAMP[row - 32 : row + 32, column - 32 : column + 32])
    assert stamp[32, 32] == RAMP[row, column]


def test_cut_is_a_copy() -> None:
    image = RAMP.copy()
    stamp = cut(image, 100, 100, 64)
    assert stamp is not None
    assert stamp.base is None
    stamp[:] = -1
    np.testing.assert_array_equal(image, RAMP)


@given(x=st.integers(-500, 900), y=st.integers(-500, 800), size=st.sampled_from([16, 64, 128]))
def test_cut_never_trims(x: int, y: int, size: int) -> None:
    stamp = cut(RAMP, x, y, size)
    inside = size // 2 <= x <= 400 - size // 2 and size // 2 <= y <= 300 - size // 2
    assert (stamp is not None) == inside
    assert stamp is None or stamp.shape == (size, size)


@pytest.mark.parametrize(("x", "fits"), [(31.49, False), (31.5, True), (368.49, True), (368.5, False)])
def test_halves_go_up(x: float, fits: bool) -> None:
    assert (cut(RAMP, x, 100, 64) is not None) == fits


@settings(max_examples=30, deadline=None)
@given(sky=st.floats(0, 500), noise=st.floats(1, 20), peak=st.floats(0, 50_000), seed=st.integers(0, 1000))
def test_local_sky_under_a_bright_galaxy(sky: float, noise: float, peak: float, seed: int) -> None:
    image = np.random.default_rng(seed).normal(sky, noise, (240, 240))
    add_galaxy(image, 120.3, 119.8, peak=peak, sigma=8)
    measured = local_sky(image.astype(np.float32), 120.3, 119.8, 80, 160)
    assert measured is not None
    # The median of 19,200 pixels is uncertain by 0.009 of their noise; the clipped deviation is 1 to 2 % low.
    assert measured[0] == pytest.approx(sky, abs=0.06 * noise)
    assert measured[1] == pytest.approx(noise, rel=0.06)


def test_local_sky_leaves_neighbours_and_the_middle_out() -> None:
    image = sky_image(shape=(240, 240))
    reference = local_sky(image.astype(np.float32), 120, 120, 80, 160)
    image[80:160, 80:160] = 1e6
    image[50:60, 50:60] = 5000.0
    # Hidden, at the first clipping, by the spread that the bright neighbour makes.
    image[190:195, 60:180] = 300.0
    image[170:172, 100:110] = np.nan
    measured = local_sky(image.astype(np.float32), 120, 120, 80, 160)
    assert measured is not None
    assert measured == pytest.approx(reference, abs=0.1)


def test_local_sky_looks_between_the_squares_only() -> None:
    image = np.full((240, 240), 9.0, np.float32)
    image[40:200, 40:200] = 5.0
    image[80:160, 80:160] = 1.0
    assert local_sky(image, 120, 120, 80, 160) == (5.0, 0.0)


def test_local_sky_needs_enough_pixels() -> None:
    image = sky_image(shape=(240, 240)).astype(np.float32)
    assert local_sky(image, 32, 32, 80, 160) is not None
    image[:100, :180] = np.nan
    assert local_sky(image, 32, 32, 80, 160) is None
    assert local_sky(image, -500, 32, 80, 160) is None


def made_frame(image: np.ndarray[tuple[int, int], np.dtype[np.float64]]) -> Frame:
    return Frame(image.astype(np.float32), frame_wcs(), 1729, 3, 83, "r", "dr7", False, "fpC-001729-r3-0083.fit.gz")


def positions(*pixels: tuple[float, float]) -> pd.DataFrame:
    return pd.DataFrame([sky_position(*pixel) for pixel in pixels], columns=["ra", "dec"])


def test_frame_cutouts_measure_what_was_put_in() -> None:
    image = sky_image()
    add_galaxy(image, 400.0, 600.0, peak=1000.0)
    add_galaxy(image, 50.0, 700.0, peak=500.0)
    first, second = frame_cutouts(made_frame(image), positions((400, 600), (50, 700)), SETTINGS, psf_fwhm=1.4)
    assert isinstance(first, Stamp)
    assert isinstance(second, Stamp)
    assert (first.x, first.y) == pytest.approx((400, 600), abs=1e-6)
    assert first.pixel_scale == pytest.approx(0.396, abs=1e-6)
    assert (first.psf_fwhm, first.row, second.row) == (1.4, 0, 1)
    assert (first.sky, first.noise) == pytest.approx((SKY, NOISE), abs=0.3)
    np.testing.assert_array_equal(first.image, image.astype(np.float32)[568:632, 368:432] - np.float32(first.sky))
    assert first.image.dtype == np.float32
    assert np.unravel_index(first.image.argmax(), (64, 64)) == pytest.approx((32, 32), abs=1)
    assert first.image.sum() == pytest.approx(1000 * 2 * np.pi * 36, rel=0.02)
    assert first.wide is not None
    np.testing.assert_array_equal(first.wide[32:96, 32:96], first.image)
    assert second.wide is None


def test_every_reason_for_a_reject() -> None:
    image = sky_image()
    image[610, 420] = np.nan
    image[800:960, 800:1000] = np.nan
    image[848:912, 848:912] = 200.0
    image[1185, 1245] = np.nan
    frame = made_frame(image)
    pixels = [(400, 600), (880, 880), (20, 600), (-30, 600), (1000, 1488.6), (1200, 1200)]
    table = pd.concat([positions(*pixels), pd.DataFrame({"ra": [RA - 180], "dec": [-20.0]})], ignore_index=True)
    table.index = table.index + 10
    results = list(frame_cutouts(frame, table, SETTINGS))
    reasons = [result.reason if isinstance(result, Reject) else None for result in results]
    assert reasons == [
        "non-finite pixels",
        "too little sky",
        "too near the edge",
        "off the frame",
        "off the frame",
        None,
        "off the frame",
    ]
    assert [result.row for result in results] == list(range(10, 17))
    accepted = results[5]
    assert isinstance(accepted, Stamp)
    assert accepted.wide is None
