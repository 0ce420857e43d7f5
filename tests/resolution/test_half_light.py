from __future__ import annotations

import numpy as np
import pytest
from astropy.modeling.models import Gaussian2D
from photutils.profiles import CurveOfGrowth

from galmorph.errors import GalmorphError
from galmorph.resolution.sample import half_light_radii


def gaussian(sigma: float, size: int = 64) -> np.ndarray:
    y, x = np.mgrid[:size, :size]
    return Gaussian2D(1000.0, size // 2, size // 2, sigma, sigma)(x, y).astype(np.float32)


@pytest.mark.parametrize("sigma", [2.0, 4.0, 7.0])
def test_a_gaussian_has_half_of_its_light_within_1_1774_sigma(sigma: float) -> None:
    assert half_light_radii([gaussian(sigma)])[0] == pytest.approx(np.sqrt(2 * np.log(2)) * sigma, rel=0.02)


def test_it_is_what_photutils_reads_off_its_own_curve_of_growth() -> None:
    rng = np.random.default_rng(1)
    image = gaussian(3.0) + rng.normal(0, 0.5, (64, 64)).astype(np.float32)
    growth = CurveOfGrowth(image, (32, 32), np.linspace(0.5, 30.5, 61))
    growth.normalize(method="max")
    assert half_light_radii([image])[0] == pytest.approx(growth.calc_radius_at_ee(0.5), rel=0.01)


def test_flux_and_its_neighbours_in_the_stack_do_not_matter() -> None:
    small, large = gaussian(2.0), gaussian(6.0)
    one = half_light_radii(np.stack([small, large, 7 * small]))
    assert one[0] == pytest.approx(one[2], rel=1e-6)
    assert one[1] == pytest.approx(half_light_radii([large])[0])


def test_no_light_has_no_radius() -> None:
    assert np.isnan(half_light_radii(np.stack([np.zeros((64, 64)), -gaussian(3.0)]))).all()


def test_stamps_that_are_too_small() -> None:
    with pytest.raises(GalmorphError, match="6 pixels: too small"):
        half_light_radii(np.zeros((1, 6, 6)))
