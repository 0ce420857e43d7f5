"""A worse telescope, held against photutils, GalSim and a real star field."""

from __future__ import annotations

import functools
from pathlib import Path

import galsim
import numpy as np
import pytest
from astropy.convolution import convolve_fft
from numpy.typing import NDArray
from photutils.detection import DAOStarFinder

from galmorph.cutouts import clipped_median, cut
from galmorph.errors import GalmorphError
from galmorph.frames import read_frame, read_tsfield
from galmorph.kernels import FWHM, kernel_width, rebinned_width
from galmorph.levels import LevelSettings
from galmorph.resolution import Telescope, degrade

PIXEL = 0.396
SHARP = Telescope(psf_fwhm=1.3, pixel_scale=PIXEL, noise=0.0)
NATIVE = LevelSettings(psf_fwhm=None, pixel_scale=None, noise=None)


def level(psf_fwhm: float | None, pixel_scale: float = PIXEL, noise: float | None = None) -> LevelSettings:
    return LevelSettings(psf_fwhm=psf_fwhm, pixel_scale=pixel_scale, noise=noise)


def chance(seed: int = 1) -> np.random.Generator:
    return np.random.default_rng(seed)


def drawn(profile: galsim.GSObject, scale: float = PIXEL, side: int = 128) -> NDArray[np.float32]:
    """A profile in pixels of a scale, its centre at the pixel of index side // 2."""
    shift = scale / 2
    image = profile.shift(shift, shift).drawImage(nx=side, ny=side, scale=scale, dtype=np.float64)
    return np.asarray(image.array, dtype=np.float32)


@functools.cache
def star(fwhm: float, scale: float = PIXEL) -> NDArray[np.float32]:
    """A point source whose FWHM, as fitted to its pixels, is `fwhm`."""
    sigma = np.sqrt((fwhm / 2.3548) ** 2 - scale**2 / 12)
    return drawn(galsim.Gaussian(sigma=sigma, flux=1e5), scale)


def fitted(image: NDArray[np.float32]) -> float:
    """FWHM in pixels of the source in the middle: that of the Gaussian that GalSim's adaptive moments match to it.

    Of the light as it lies on the pixels. (A fit that integrates its Gaussian over each pixel finds less: on pixels of
    0.792 arcsec 2.54 in the place of 2.6.)
    """
    side = image.shape[0]
    box = slice(side // 2 - 15, side // 2 + 16)
    found = galsim.hsm.FindAdaptiveMom(galsim.Image(image[box, box].astype(np.float64)))
    return float(found.moments_sigma) * FWHM


def galaxy() -> NDArray[np.float32]:
    disc = galsim.Exponential(half_light_radius=2.0, flux=5e4).shear(g1=0.3, g2=0.1)
    return drawn(galsim.Convolve(disc, galsim.Gaussian(fwhm=1.25)))


@pytest.mark.parametrize("kernel", ["gaussian", "moffat"])
@pytest.mark.parametrize("target", [level(2.6), level(2.0, 0.6), level(3.0, 0.792)], ids=lambda t: f"{t.pixel_scale}")
def test_flux_of_an_isolated_galaxy_is_conserved(target, kernel):
    image = galaxy()
    result = degrade(image, SHARP, target, chance(), kernel=kernel, size=126)
    assert result.sum() == pytest.approx(image.sum(), rel=1e-3)


@pytest.mark.parametrize("kernel", ["gaussian", "moffat"])
@pytest.mark.parametrize(("fwhm", "scale"), [(1.45, 0.396), (2.0, 0.396), (2.6, 0.5), (2.6, 0.792), (5.2, 0.792)])
def test_a_point_source_has_the_width_of_the_target(fwhm, scale, kernel):
    result = degrade(star(1.3), SHARP, level(fwhm, scale), chance(), kernel=kernel, grid="pixels")
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


@pytest.mark.parametrize(
    "target", [level(2.0, noise=6.5), level(1.45, noise=6.0), level(2.6, 0.55, 8.6), level(2.6, 0.792, 13.0)]
)
def test_noise_is_that_of_the_level_and_white(target):
    source = Telescope(1.4, PIXEL, 6.0)
    noise = chance(5)
    stamps = np.array(
        [
            degrade(noise.normal(0, 6, (128, 128)).astype(np.float32), source, target, noise, grid="pixels")
            for _ in range(60)
        ]
    )
    assert stamps.std() == pytest.approx(target.noise, rel=0.03)
    for lag in (1, 2):
        for axis in (1, 2):
            pairs = np.take(stamps, range(lag, 64), axis) * np.take(stamps, range(64 - lag), axis)
            assert abs(pairs.mean()) / stamps.var() < 0.05


def test_native_is_the_identity():
    image = chance().normal(size=(128, 128)).astype(np.float32)
    result = degrade(image, SHARP, NATIVE, chance())
    np.testing.assert_array_equal(result, image[32:96, 32:96])
    assert result.base is None
    # And so is a level that asks for nothing but the pixels that there are.
    np.testing.assert_array_equal(degrade(image, SHARP, level(None), chance()), result)
    np.testing.assert_array_equal(degrade(image, SHARP, level(1.3), chance()), result)


def test_two_steps_are_one():
    image = galaxy()
    once = degrade(image, SHARP, level(2.6), chance(), size=128)
    halfway = degrade(image, SHARP, level(1.9), chance(), size=128)
    twice = degrade(halfway, Telescope(1.9, PIXEL, 0.0), level(2.6), chance(), size=128)
    np.testing.assert_allclose(twice[32:96, 32:96], once[32:96, 32:96], atol=1e-4 * image.max())


def test_it_is_the_convolution_that_astropy_makes():
    image = galaxy().astype(np.float64)
    width = kernel_width(1.3, 2.6, "gaussian") / PIXEL / 2.3548200450309493
    y, x = np.mgrid[-30:31, -30:31]
    kernel = np.exp(-(x**2 + y**2) / (2 * width**2))
    expected = convolve_fft(image, kernel / kernel.sum())
    result = degrade(image.astype(np.float32), SHARP, level(2.6), chance(), size=128)
    np.testing.assert_allclose(result[20:108, 20:108], expected[20:108, 20:108], atol=1e-5 * image.max())


def test_both_grids_show_the_galaxy_in_the_middle():
    source = star(1.3)
    for grid, scale in (("field", PIXEL), ("pixels", 0.792)):
        result = degrade(source, SHARP, level(2.6, 0.792), chance(), grid=grid)
        y, x = np.indices(result.shape)
        centre = [(axis * result).sum() / result.sum() * scale for axis in (x, y)]
        # The pixel of the galaxy is at index 64 of the wide stamp, half a native pixel beyond the middle.
        middle = 31.5 * scale + PIXEL / 2
        np.testing.assert_allclose(centre, middle, atol=0.02)


def test_the_same_chance_gives_the_same_noise():
    source, target = Telescope(1.3, PIXEL, 5.0), level(2.6, noise=6.0)
    first, second = (degrade(galaxy(), source, target, chance(9)) for _ in range(2))
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
        degrade(galaxy(), source, target, chance(), grid=grid)


@pytest.mark.real
def test_real_stars_are_as_wide_as_the_target(real_data: Path):
    frame = read_frame(next((real_data / "frames_dr7_r").glob("fpC-006377-r4-0399.fit.gz")))
    calibration = read_tsfield(next((real_data / "calibration").glob("tsField-006377-4-*-0399.fit")), "r")
    measured = []
    for x, y in bright_stars(frame.image):
        wide = cut(frame.image, x, y, 128)
        if wide is None:
            continue
        sky, noise = clipped_median(wide)
        before = fitted(wide - np.float32(sky)) * PIXEL
        source = Telescope(calibration.psf_width, PIXEL, noise)
        after = fitted(degrade(wide - np.float32(sky), source, level(2.0), chance())) * PIXEL
        measured.append((before, after))
    before, after = np.median(measured, axis=0)
    print(
        f"{len(measured)} stars: {before:.3f} arcsec, tsField {calibration.psf_width:.3f}; degraded to 2: {after:.3f}"
    )
    assert len(measured) >= 20
    assert before < calibration.psf_width < 1.2
    assert after == pytest.approx(2.0, rel=0.05)


def bright_stars(image: NDArray[np.float32]) -> list[tuple[float, float]]:
    """Positions of unsaturated, isolated, round sources."""
    sky, noise = clipped_median(image[::4, ::4])
    finder = DAOStarFinder(
        40 * noise, fwhm=2.8, peak_max=20_000, sharpness_range=(0.5, 1.0), roundness_range=(-0.3, 0.3)
    )
    found = finder(image.astype(np.float64) - sky)
    places = np.array([found["x_centroid"], found["y_centroid"]]).T
    distance = np.hypot(*(places[:, None] - places[None]).transpose(2, 0, 1)) + 1e9 * np.eye(len(places))
    return [tuple(place) for place in places[distance.min(axis=1) > 25]]
