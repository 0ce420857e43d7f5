"""Simulated frames, measured with photutils as one measures real ones."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits
from astropy.stats import SigmaClip, sigma_clipped_stats
from numpy.typing import NDArray
from photutils.background import Background2D, MedianBackground
from photutils.detection import DAOStarFinder
from photutils.psf import fit_fwhm

from galmorph.sdss.frames import Frame, read_frame, read_psf_width
from galmorph.sdss.names import tsfield_path
from galmorph.settings.survey import SimulatedSettings
from galmorph.sources.simulated import exposure, frames, survey
from galmorph.sources.simulated.pointing import pointing

PIXEL = 0.396
RERUN = 40
SETTINGS = SimulatedSettings(seed=5, galaxies=40, galaxies_per_frame=10, band="r", seeing=1.43, types=None)


@dataclass(frozen=True)
class Measured:
    """A frame's sky and its noise (DN), and the widths of its stars (arcsec)."""

    sky: float
    noise: float
    fitted_width: float  # FWHM of Gaussians fitted to the cores
    effective_width: float  # FWHM of the Gaussian with the same effective area


def measured(frame: Frame) -> Measured:
    model = Background2D(
        frame.image, (128, 128), filter_size=3, sigma_clip=SigmaClip(2.5, maxiters=20), bkg_estimator=MedianBackground()
    )
    image = frame.image - model.background
    # What is left of a Gaussian's standard deviation when it is clipped at 2.5 of its own.
    noise = sigma_clipped_stats(image, sigma=2.5, maxiters=20)[2] / 0.9517
    found = DAOStarFinder(30 * noise, fwhm=3.5)(image)
    x, y = np.array(found["x_centroid"]), np.array(found["y_centroid"])
    alone = np.array([(np.hypot(x - a, y - b) < 25).sum() == 1 for a, b in zip(x, y, strict=True)])
    inside = (np.minimum(x, image.shape[1] - x) > 24) & (np.minimum(y, image.shape[0] - y) > 24)
    peak = np.array(found["peak"])
    good = np.flatnonzero(alone & inside & (peak > 60 * noise) & (peak < 20000))
    widths = PIXEL * np.array(fit_fwhm(image, xypos=np.column_stack([x[good], y[good]]), fit_shape=7))
    # Stars are the narrow ones, and all alike.
    stars = np.abs(widths / np.nanquantile(widths, 0.2) - 1) < 0.12
    assert stars.sum() >= 10
    areas = [effective_area(image, float(x[k]), float(y[k]), noise) for k in good[stars]]
    effective = PIXEL * np.sqrt(2 * np.log(2) / np.pi * np.median(areas))
    return Measured(model.background_median, noise, float(np.median(widths[stars])), float(effective))


def effective_area(image: NDArray[np.float32], x: float, y: float, noise: float) -> float:
    """Return a star's (sum of its flux)^2 over the sum of its square, in pixels."""
    i, j = round(x), round(y)
    part = image[j - 20 : j + 21, i - 20 : i + 21].astype(np.float64)
    rows, columns = np.indices(part.shape) - 20
    radius = np.hypot(rows, columns)
    part -= np.median(part[radius > 17])
    near = radius <= 14
    return float(part[near].sum() ** 2 / ((part[near] ** 2).sum() - near.sum() * noise**2))


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("sky")
    for strip, first, count in survey.strips(SETTINGS):
        survey.take(SETTINGS, strip, first, count, str(folder))
    return folder


def test_sky_noise_and_seeing_are_what_tsfield_says(root: Path) -> None:
    paths = sorted(root.rglob("fpC*.fit.gz"))
    assert len(paths) == 4
    for path in paths:
        frame = read_frame(path)
        run, camcol, field = frame.name.place
        says = fits.getdata(root / tsfield_path(run, RERUN, camcol, field))[0]
        found = measured(frame)
        variance = found.sky / says["gain"][2] + says["dark_variance"][2]
        assert found.noise == pytest.approx(np.sqrt(variance), rel=0.03)
        assert found.effective_width == pytest.approx(says["psf_width"][2], rel=0.03)


def test_the_sky_is_the_one_that_was_drawn(root: Path) -> None:
    for strip, first, count in survey.strips(SETTINGS):
        scene = frames.compose(SETTINGS, strip, first, count)
        for part, taken in enumerate(scene.exposures):
            look = pointing(strip, part)
            frame = read_frame(next(root.rglob(f"fpC-{look.run:06d}-r{look.camcol}-{look.field:04d}.fit.gz")))
            assert measured(frame).sky == pytest.approx(taken.sky, rel=0.03)


@pytest.mark.real
@pytest.mark.parametrize(("field", "tolerance"), [("006377-4-40-0399", 0.03), ("005754-3-40-0280", 0.06)])
def test_stars_of_a_real_frame_and_of_a_simulated_one_of_its_width_fit_alike(
    real_data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, field: str, tolerance: float
) -> None:
    run, camcol, _, number = field.split("-")
    real = read_frame(real_data / "frames_dr7_r" / f"fpC-{run}-r{camcol}-{number}.fit.gz")
    width = read_psf_width(real_data / "calibration" / f"tsField-{field}.fit", "r")
    monkeypatch.setattr(exposure, "SEEING_SCATTER", 0.0)
    monkeypatch.setattr(exposure, "SEEING_DRIFT", 0.0)
    same = SETTINGS.model_copy(update={"seeing": width})
    survey.take(same, 0, 0, 10, str(tmp_path))
    made = read_frame(next(tmp_path.rglob("fpC*.fit.gz")))
    there, here = measured(real), measured(made)
    assert here.fitted_width == pytest.approx(there.fitted_width, rel=tolerance)
