import numpy as np
import pytest

from galmorph.errors import GalmorphError
from galmorph.training.scaling import scaled, softening


@pytest.fixture
def images():
    rng = np.random.default_rng(1)
    stamps = rng.normal(0, 5.5, (40, 32, 32)).astype(np.float32)
    stamps[:, 12:20, 12:20] += 800
    return stamps


def test_asinh_constant_is_the_sky_noise_however_bright_the_galaxies(images):
    assert softening(images, "asinh") == pytest.approx(5.5, rel=0.15)


def test_asinh(images):
    s = softening(images, "asinh")
    result = scaled(images, "asinh", s)
    assert result.shape == (40, 32, 32, 1)
    assert result.dtype == np.float32
    np.testing.assert_allclose(np.sinh(result[..., 0].astype(float)) * s, images, rtol=2e-5, atol=1e-4)


def test_linear_has_unit_spread(images):
    result = scaled(images, "linear", softening(images, "linear"))
    assert result.std() == pytest.approx(1, rel=1e-4)


def test_extremes_maps_each_stamp_to_zero_and_one(images):
    result = scaled(images, "extremes", softening(images, "extremes"))
    np.testing.assert_array_equal(result.min(axis=(1, 2, 3)), 0)
    np.testing.assert_array_equal(result.max(axis=(1, 2, 3)), 1)
    flat = scaled(np.full((1, 8, 8), 3, np.float32), "extremes", 1.0)
    np.testing.assert_array_equal(flat, 0)


@pytest.mark.parametrize("method", ["asinh", "linear"])
@pytest.mark.parametrize("value", [0.0, np.nan, np.inf])
def test_images_without_spread_are_refused(method, value):
    with (
        np.errstate(invalid="ignore"),
        pytest.raises(GalmorphError, match=r"training\.scaling"),
    ):
        softening(np.full((3, 8, 8), value, np.float32), method)
