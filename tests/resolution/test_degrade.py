"""A worse telescope, held against photutils, GalSim and a real star field."""

from __future__ import annotations

from pathlib import Path

import galsim
import numpy as np
import pytest
from astropy.convolution import convolve_fft

from galmorph.errors import GalmorphError
from galmorph.resolution.degrade import Telescope, degrade, network_noise
from galmorph.resolution.kernels import kernel_width, rebinned_width
from galmorph.settings.resolution import LevelSettings
from validation.resolution import (
    COMMON_NOISES,
    EMPTY,
    NETWORK_NOISES,
    NOISES,
    PIXEL,
    SHARP,
    WIDTHS,
    common_noises,
    fitted,
    galaxy,
    level,
    neighbours,
    network_noises,
    noise_stamps,
    real_stars,
    rng,
    star,
)

NATIVE = LevelSettings(psf_fwhm=None, pixel_scale=None, noise=None)


@pytest.mark.parametrize("kernel", ["gaussian", "moffat"])
@pytest.mark.parametrize("target", [level(2.6), level(2.0, 0.6), level(3.0, 0.792)], ids=lambda t: f"{t.pixel_scale}")
def test_flux_of_an_isolated_galaxy_is_conserved(target, kernel):
    image = galaxy()
    result = degrade(image, SHARP, target, rng(), kernel=kernel, size=126)
    assert result.sum() == pytest.approx(image.sum(), rel=1e-3)


@pytest.mark.parametrize("kernel", ["gaussian", "moffat"])
@pytest.mark.parametrize(("fwhm", "scale"), WIDTHS)
def test_a_point_source_has_the_width_of_the_target(fwhm, scale, kernel):
    result = degrade(star(1.3), SHARP, level(fwhm, scale), rng(), kernel=kernel, grid="pixels")
    if kernel == "gaussian":
        assert fitted(result) * scale == pytest.approx(fwhm, rel=0.02)
    else:
        # The half maximum itself: a Gaussian fitted to a Moffat's wings is another measure.
        exact = galsim.Convolve(
            galsim.Gaussian(fwhm=rebinned_width(1.3, PIXEL, scale)),
            galsim.Moffat(beta=4.765, fwhm=kernel_width(rebinned_width(1.3, PIXEL, scale), fwhm, "moffat")),
        )
        assert exact.calculateFWHM() == pytest.approx(fwhm, rel=0.02)
        # And the same picture, seen by the same fit.
        shown = exact.shift(0.0, 0.0).drawImage(nx=65, ny=65, scale=scale, method="no_pixel").array
        assert fitted(result) == pytest.approx(fitted(shown), rel=0.02)


@pytest.mark.parametrize(("fwhm", "scale", "noise"), NOISES)
def test_noise_is_that_of_the_level_and_white(fwhm, scale, noise):
    stamps = noise_stamps(level(fwhm, scale, noise))
    assert stamps.std() == pytest.approx(noise, rel=0.03)
    assert neighbours(stamps) < 0.05


@pytest.mark.parametrize(("target", "grid", "kernel"), NETWORK_NOISES)
def test_noise_on_the_pixels_of_the_network_is_that_of_simulated_stamps(target, grid, kernel):
    (rms, correlation), (measured, neighbour) = network_noises(target, grid, kernel)
    assert rms == pytest.approx(measured, rel=0.01)
    assert correlation == pytest.approx(neighbour, abs=0.005)


@pytest.mark.parametrize(("target", "grid", "kernel", "rms"), COMMON_NOISES)
def test_a_common_noise_is_white_and_of_one_rms_whatever_the_level(target, grid, kernel, rms):
    variance, correlation = common_noises(target, grid, kernel, rms)
    # 300,000 pixels for each: five standard errors.
    assert np.abs(variance).max() < 0.013
    assert np.abs(correlation).max() < 0.01
    assert network_noise(EMPTY, target, grid=grid, kernel=kernel, common_noise=rms) == (rms, 0.0)


def test_a_common_noise_leaves_the_galaxy_as_the_level_shows_it():
    source, target = Telescope(1.3, PIXEL, 0.0), level(2.6, 0.792)
    noisy = np.mean([degrade(galaxy(), source, target, rng(seed), common_noise=0.5) for seed in range(100)], axis=0)
    np.testing.assert_allclose(noisy, degrade(galaxy(), source, target, rng()), atol=0.5)


def test_native_noise_is_as_it_is():
    assert network_noise(EMPTY, NATIVE) == (6.0, 0.0)
    assert network_noise(EMPTY, level(None)) == pytest.approx((6.0, 0.0))


def test_native_is_the_identity():
    image = rng().normal(size=(128, 128)).astype(np.float32)
    result = degrade(image, SHARP, NATIVE, rng())
    np.testing.assert_array_equal(result, image[32:96, 32:96])
    assert result.base is None
    # And so is a level that asks for nothing but the pixels that there are.
    np.testing.assert_array_equal(degrade(image, SHARP, level(None), rng()), result)
    np.testing.assert_array_equal(degrade(image, SHARP, level(1.3), rng()), result)


def test_two_steps_are_one():
    image = galaxy()
    once = degrade(image, SHARP, level(2.6), rng(), size=128)
    halfway = degrade(image, SHARP, level(1.9), rng(), size=128)
    twice = degrade(halfway, Telescope(1.9, PIXEL, 0.0), level(2.6), rng(), size=128)
    np.testing.assert_allclose(twice[32:96, 32:96], once[32:96, 32:96], atol=1e-4 * image.max())


def test_it_is_the_convolution_that_astropy_makes():
    image = galaxy().astype(np.float64)
    width = kernel_width(1.3, 2.6, "gaussian") / PIXEL / 2.3548200450309493
    y, x = np.mgrid[-30:31, -30:31]
    kernel = np.exp(-(x**2 + y**2) / (2 * width**2))
    expected = convolve_fft(image, kernel / kernel.sum())
    result = degrade(image.astype(np.float32), SHARP, level(2.6), rng(), size=128)
    np.testing.assert_allclose(result[20:108, 20:108], expected[20:108, 20:108], atol=1e-5 * image.max())


def test_both_grids_show_the_galaxy_in_the_middle():
    source = star(1.3)
    for grid, scale in (("field", PIXEL), ("pixels", 0.792)):
        result = degrade(source, SHARP, level(2.6, 0.792), rng(), grid=grid)
        y, x = np.indices(result.shape)
        centre = [(axis * result).sum() / result.sum() * scale for axis in (x, y)]
        # The pixel of the galaxy is at index 64 of the wide stamp, half a native pixel beyond the middle.
        middle = 31.5 * scale + PIXEL / 2
        np.testing.assert_allclose(centre, middle, atol=0.02)


def test_the_same_seed_gives_the_same_noise():
    source, target = Telescope(1.3, PIXEL, 5.0), level(2.6, noise=6.0)
    first, second = (degrade(galaxy(), source, target, rng(9)) for _ in range(2))
    np.testing.assert_array_equal(first, second)


@pytest.mark.parametrize(
    ("source", "target", "grid", "words"),
    [
        (SHARP, level(1.2), "field", r"psf_fwhm 1\.2 arcsec is sharper than the galaxy's PSF of 1\.3"),
        (SHARP, level(1.31, 0.792), "field", r"sharper than the galaxy's PSF of 1\.3, 1\.38 on pixels of 0\.792"),
        (SHARP, level(2.6, 0.2), "field", r"pixels of 0\.2 arcsec are finer than the source's of 0\.396"),
        (SHARP, level(2.6, 1.0), "pixels", r"64 pixels of 1 arcsec need more than the 128 pixels of a wide stamp"),
        (Telescope(1.3, PIXEL, 6.0), level(2.6, 0.792, 11.0), "field", r"noise 11 DN is less than .* become .* 12 at"),
    ],
)
def test_nothing_is_made_better(source, target, grid, words):
    with pytest.raises(GalmorphError, match=words):
        degrade(galaxy(), source, target, rng(), grid=grid)


@pytest.mark.parametrize(("grid", "scale"), [("field", PIXEL), ("pixels", 0.5)])
def test_a_common_noise_below_the_galaxys_is_refused(grid, scale):
    with pytest.raises(GalmorphError, match=r"common_noise 6 DN is less than .* raise resolution\.common_noise"):
        degrade(galaxy(), Telescope(1.3, PIXEL, 6.5), level(2.6, scale), rng(), grid=grid, common_noise=6.0)


@pytest.mark.real
def test_real_stars_are_as_wide_as_the_target(real_data: Path):
    frame, tsfield = "frames_dr7_r/fpC-006377-r4-0399.fit.gz", "calibration/tsField-006377-4-40-0399.fit"
    measured, psf_width = real_stars(real_data / frame, real_data / tsfield, 2.0)
    before, after = np.median(measured, axis=0)
    assert len(measured) >= 20
    assert before < psf_width < 1.2
    assert after == pytest.approx(2.0, rel=0.05)


@pytest.mark.parametrize(("count", "scale"), [(128, 30.0), (66, 2.0)])
def test_pixels_that_do_not_cover_the_field_are_refused(count, scale):
    source = np.ones((count, count), np.float32)
    with pytest.raises(GalmorphError, match=r"less than the field of 64 .* raise cutouts\.wide_size"):
        degrade(source, SHARP, level(59.0, scale), rng(), grid="field")
