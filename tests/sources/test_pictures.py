import numpy as np
import pytest

from galmorph.sources.pictures import resample


@pytest.mark.parametrize(("side", "size"), [(20, 64), (64, 16), (97, 64), (192, 64)])
def test_area_keeps_the_mean_and_a_gradient(side, size):
    """The mean over a pixel of a linear function is its value at the pixel's middle, whatever the pixel's size."""
    middles = (np.arange(side) + 0.5) / side
    picture = (middles[:, None] * 3 + middles[None, :] * 7).astype(np.float32)
    result = resample(picture, size, "area")
    assert result.mean() == pytest.approx(picture.mean(), rel=1e-5)
    if side % size == 0:
        target = (np.arange(size) + 0.5) / size
        np.testing.assert_allclose(result, target[:, None] * 3 + target[None, :] * 7, atol=1e-5)


def test_area_by_hand():
    picture = np.array([[1, 2, 3], [4, 5, 6], [7, 8, 9]], np.float32)
    expected = [[(1 + 2 / 2 + 4 / 2 + 5 / 4) / 2.25, (3 + 2 / 2 + 6 / 2 + 5 / 4) / 2.25]]
    expected += [[(7 + 8 / 2 + 4 / 2 + 5 / 4) / 2.25, (9 + 8 / 2 + 6 / 2 + 5 / 4) / 2.25]]
    np.testing.assert_allclose(resample(picture, 2, "area"), expected, rtol=1e-6)


@pytest.mark.parametrize("side", [48, 64, 88])
def test_spline_keeps_a_gradient_in_its_place(side):
    ramp = np.tile(np.arange(0.5, side), (side, 1)).astype(np.float32)
    result = resample(ramp, 64, "spline")
    assert result.dtype == np.float32
    np.testing.assert_allclose(result[32, 10:54], (np.arange(10, 54) + 0.5) * side / 64, atol=0.01)
