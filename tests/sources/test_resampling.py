from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from galmorph.sources.resampling import area, spline


@given(side=st.integers(20, 200), size=st.sampled_from([16, 64]))
def test_area_keeps_the_mean_and_a_gradient(side: int, size: int) -> None:
    """The mean over a pixel of a linear function is its value at the pixel's middle, whatever the pixel's size."""
    middles = (np.arange(side) + 0.5) / side
    picture = (middles[:, None] * 3 + middles[None, :] * 7).astype(np.float32)
    result = area(picture, size)
    assert result.mean() == pytest.approx(picture.mean(), rel=1e-5)
    if side % size == 0:
        target = (np.arange(size) + 0.5) / size
        np.testing.assert_allclose(result, target[:, None] * 3 + target[None, :] * 7, atol=1e-5)


def test_area_by_hand() -> None:
    picture = np.array([[1, 2, 3], [4, 5, 6], [7, 8, 9]], np.float32)
    expected = [[(1 + 2 / 2 + 4 / 2 + 5 / 4) / 2.25, (3 + 2 / 2 + 6 / 2 + 5 / 4) / 2.25]]
    expected += [[(7 + 8 / 2 + 4 / 2 + 5 / 4) / 2.25, (9 + 8 / 2 + 6 / 2 + 5 / 4) / 2.25]]
    np.testing.assert_allclose(area(picture, 2), expected, rtol=1e-6)


@pytest.mark.parametrize("side", [48, 64, 88])
def test_spline_keeps_places(side: int) -> None:
    yy, xx = np.mgrid[:side, :side] - (side - 1) / 2
    light = 500 * np.exp(-(xx**2 + yy**2) / (2 * (side / 12) ** 2))
    picture = (light + np.random.default_rng(0).normal(20, 2, (side, side))).astype(np.float32)
    result = spline(picture, 64)
    assert result.shape == (64, 64)
    np.testing.assert_allclose(result.mean(), picture.mean(), rtol=0.01)
    above = np.clip(result - 40, 0, None)
    assert (above.sum(axis=0) @ np.arange(64)) / above.sum() == pytest.approx(31.5, abs=0.1)
    if side == 64:
        np.testing.assert_allclose(result, picture, atol=1e-3)
    ramp = np.tile(np.arange(side, dtype=np.float32) + 0.5, (side, 1))
    inside = spline(ramp, 64)[32, 10:54]
    np.testing.assert_allclose(inside, (np.arange(10, 54) + 0.5) * side / 64, atol=0.01)
