"""Which galaxies take part, and how large they look."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from astropy.modeling.models import Gaussian2D
from photutils.profiles import CurveOfGrowth

from galmorph.errors import GalmorphError
from galmorph.resolution.sample import half_light_radii, resolution_sample, why_left_out
from galmorph.training.plan import transfer_draw
from tests.support.parameters import settings_with

SETTINGS = settings_with({"resolution.sample.max_left_out_fraction": 0.95}).resolution


def galaxies(**changes: list[object]) -> pd.DataFrame:
    columns = {
        "objid": range(1, 9),
        "psf_fwhm": [1.4, 1.4, np.nan, 0.0, 25.0, 1.95, 1.4, 1.4],
        "pixel_scale": [0.396] * 7 + [np.nan],
        "noise": [5.5, 5.5, 5.5, 5.5, 5.5, 5.5, 7.5, 5.5],
        "has_wide": [True, False] + [True] * 6,
    }
    return pd.DataFrame(columns | changes)


def test_every_galaxy_left_out_has_its_reason():
    assert why_left_out(galaxies(), SETTINGS).tolist() == [
        "",
        "no wide stamp",
        "no usable PSF width",
        "no usable PSF width",
        "no usable PSF width",
        "PSF wider than resolution.sample.max_psf_fwhm",
        "noise above resolution.sample.max_noise",
        "no pixel scale",
    ]


def test_kept_and_left_out_are_all_and_know_their_wide_stamp():
    table = galaxies(psf_fwhm=[1.4] * 8, noise=[5.5] * 8, pixel_scale=[0.396] * 8)
    sample, left_out = resolution_sample(table, SETTINGS)
    assert sorted([*sample["objid"], *left_out["objid"]]) == list(range(1, 9))
    assert sample["wide"].tolist() == [0, 1, 2, 3, 4, 5, 6]
    assert sample["objid"].tolist() == [1, 3, 4, 5, 6, 7, 8]


def test_too_many_left_out_stop_with_counts_and_the_first():
    strict = settings_with({}).resolution
    with pytest.raises(
        GalmorphError, match=r"7 of 8 galaxies left out \(3 no usable PSF width, .*First: 2, psf_fwhm 1\.4"
    ):
        resolution_sample(galaxies(), strict)


def test_the_sample_does_not_depend_on_the_levels():
    more = settings_with(
        {
            "resolution.common_noise": None,
            "resolution.levels.poor": {"psf_fwhm": 9.0, "pixel_scale": 0.9, "noise": 30.0},
            "resolution.sample.max_left_out_fraction": 0.95,
        }
    ).resolution
    pd.testing.assert_frame_equal(resolution_sample(galaxies(), more)[0], resolution_sample(galaxies(), SETTINGS)[0])


def test_what_each_run_draws_and_how_many_there_are():
    settings = settings_with({"resolution.runs": 7, "resolution.draw": 50, "resolution.mix": "balanced"})
    condition, protocol = transfer_draw(settings)
    assert (condition.classes, condition.draw, condition.mix) == (("spiral", "elliptical"), 50, "balanced")
    assert protocol.runs == 7


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
