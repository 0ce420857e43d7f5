"""How accurate stamps at another resolution are: flux, width and noise, and the stars of a real frame.

python -m validation.resolution [FRAME TSFIELD]
"""

from __future__ import annotations

import functools
import sys
from pathlib import Path

import galsim
import numpy as np
from numpy.typing import NDArray
from photutils.detection import DAOStarFinder

from galmorph.resolution.degrade import Telescope, degrade, network_noise
from galmorph.resolution.kernels import FWHM
from galmorph.sdss.frames import read_frame, read_psf_width
from galmorph.settings.resolution import LevelSettings
from galmorph.stamps.pixels import clipped_median, cut

PIXEL = 0.396
SHARP = Telescope(psf_fwhm=1.3, pixel_scale=PIXEL, noise=0.0)
WIDTHS = ((1.45, 0.396), (2.0, 0.396), (2.6, 0.5), (2.6, 0.792), (5.2, 0.792))  # FWHM and pixel scale, arcsec
FLUXES = ((2.6, 0.396), (2.0, 0.6), (3.0, 0.792))
NOISES = ((2.0, 0.396, 6.5), (1.45, 0.396, 6.0), (2.6, 0.55, 8.6), (2.6, 0.792, 13.0))  # and DN

EMPTY = Telescope(psf_fwhm=1.4, pixel_scale=PIXEL, noise=6.0)


def level(psf_fwhm: float | None, pixel_scale: float = PIXEL, noise: float | None = None) -> LevelSettings:
    """Return a level of resolution."""
    return LevelSettings(psf_fwhm=psf_fwhm, pixel_scale=pixel_scale, noise=noise)


# Levels with noise and without: white on pixels of their own, blurred, rebinned, or all of it.
NETWORK_NOISES = (
    (level(2.0, noise=7.0), "field", "gaussian"),
    (level(2.6, 0.504, 8.9), "field", "gaussian"),
    (level(5.2, 1.008, 17.8), "field", "gaussian"),
    (level(5.2), "field", "gaussian"),
    (level(None, 1.008), "field", "gaussian"),
    (level(2.6, 0.504), "field", "moffat"),
    (level(2.6, 0.55), "pixels", "gaussian"),
)


def rng(seed: int = 1) -> np.random.Generator:
    """Return a generator."""
    return np.random.default_rng(seed)


def drawn(profile: galsim.GSObject, scale: float = PIXEL, side: int = 128) -> NDArray[np.float32]:
    """Draw a profile in pixels of a scale, its centre at the pixel of index side // 2."""
    image = profile.shift(scale / 2, scale / 2).drawImage(nx=side, ny=side, scale=scale, dtype=np.float64)
    return np.asarray(image.array, dtype=np.float32)


@functools.cache
def star(fwhm: float, scale: float = PIXEL) -> NDArray[np.float32]:
    """Draw a point source of a FWHM that includes its pixels."""
    sigma = np.sqrt((fwhm / FWHM) ** 2 - scale**2 / 12)
    return drawn(galsim.Gaussian(sigma=sigma, flux=1e5), scale)


def galaxy() -> NDArray[np.float32]:
    """Draw an inclined disc."""
    disc = galsim.Exponential(half_light_radius=2.0, flux=5e4).shear(g1=0.3, g2=0.1)
    return drawn(galsim.Convolve(disc, galsim.Gaussian(fwhm=1.25)))


def fitted(image: NDArray[np.float32]) -> float:
    """Return the FWHM in pixels of the source in the middle, from GalSim's adaptive moments of the pixels.

    (A fit that integrates its Gaussian over each pixel finds less: 2.54 instead of 2.6 on pixels of 0.792 arcsec.)
    """
    side = image.shape[0]
    box = slice(side // 2 - 15, side // 2 + 16)
    found = galsim.hsm.FindAdaptiveMom(galsim.Image(image[box, box].astype(np.float64)))
    return float(found.moments_sigma) * FWHM


# Levels whose noise is made a common one.
COMMON_NOISES = (
    (level(None), "field", "gaussian", 7.0),
    (level(2.0), "field", "gaussian", 7.0),
    (level(2.6, 0.504), "field", "moffat", 7.0),
    (level(2.6, 0.792), "field", "gaussian", 7.0),
    (level(None, 1.008), "field", "gaussian", 7.0),
    (level(2.6, 0.55), "pixels", "gaussian", 9.0),
)


def noise_stamps(
    target: LevelSettings,
    count: int = 60,
    grid: str = "pixels",
    kernel: str = "gaussian",
    common_noise: float | None = None,
) -> NDArray[np.float32]:
    """Return (count, 64, 64) stamps of noise of 6 DN, at a level."""
    noise = rng(5)
    empty = (noise.normal(0, 6, (128, 128)).astype(np.float32) for _ in range(count))
    return np.array(
        [degrade(image, EMPTY, target, noise, grid=grid, kernel=kernel, common_noise=common_noise) for image in empty]
    )


def common_noises(
    target: LevelSettings, grid: str, kernel: str, rms: float
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return by how much a common noise is off: its variance, and its correlation with the pixels one and two beside.

    Both are taken at each column of the stamps and averaged over those with the same remainder by 2: pixels of the
    target that are twice as large would show there.
    """
    stamps = noise_stamps(target, 150, grid, kernel, rms).astype(np.float64)
    variance = np.array([(stamps[:, :, phase::2] ** 2).mean() / rms**2 - 1 for phase in (0, 1)])
    products = [stamps[:, :, : 64 - lag] * stamps[:, :, lag:] / rms**2 for lag in (1, 2)]
    correlation = np.array([product[:, :, phase::2].mean() for product in products for phase in (0, 1)])
    return variance, correlation


def network_noises(target: LevelSettings, grid: str, kernel: str) -> tuple[tuple[float, float], tuple[float, float]]:
    """Return rms, DN, and correlation of neighbouring pixels of noise of 6 DN at a level: computed, and measured."""
    stamps = noise_stamps(target, grid=grid, kernel=kernel).astype(np.float64)
    products = (stamps[:, 1:] * stamps[:, :-1]).mean(), (stamps[:, :, 1:] * stamps[:, :, :-1]).mean()
    measured = float(np.sqrt((stamps**2).mean())), float(np.mean(products) / (stamps**2).mean())
    return network_noise(EMPTY, target, grid=grid, kernel=kernel), measured


def neighbours(stamps: NDArray[np.float32]) -> float:
    """Return the largest correlation of pixels one or two apart, along either axis."""
    side = stamps.shape[1]
    pairs = [
        (np.take(stamps, range(lag, side), axis) * np.take(stamps, range(side - lag), axis)).mean()
        for lag in (1, 2)
        for axis in (1, 2)
    ]
    return float(np.abs(pairs).max() / stamps.var())


def real_stars(frame_path: Path, tsfield_path: Path, target: float) -> tuple[NDArray[np.float64], float]:
    """Return the FWHM of a frame's stars, arcsec: (n, 2), as they are and degraded to a target; and that of tsField."""
    frame = read_frame(frame_path)
    psf_width = read_psf_width(tsfield_path, frame.name.band)
    measured = []
    for x, y in bright_stars(frame.image):
        wide = cut(frame.image, x, y, 128)
        if wide is None:
            continue
        sky, noise = clipped_median(wide)
        wide = wide - np.float32(sky)
        after = degrade(wide, Telescope(psf_width, PIXEL, noise), level(target), rng())
        measured.append((fitted(wide) * PIXEL, fitted(after) * PIXEL))
    return np.array(measured), psf_width


def bright_stars(image: NDArray[np.float32]) -> list[tuple[float, float]]:
    """Return positions of unsaturated, isolated, round sources."""
    sky, noise = clipped_median(image[::4, ::4])
    finder = DAOStarFinder(
        40 * noise, fwhm=2.8, peak_max=20_000, sharpness_range=(0.5, 1.0), roundness_range=(-0.3, 0.3)
    )
    found = finder(image.astype(np.float64) - sky)
    places = np.array([found["x_centroid"], found["y_centroid"]]).T
    distance = np.hypot(*(places[:, None] - places[None]).transpose(2, 0, 1)) + 1e9 * np.eye(len(places))
    return [tuple(place) for place in places[distance.min(axis=1) > 25]]


def main() -> None:
    """Print every number."""
    for fwhm, scale in FLUXES:
        kept = degrade(galaxy(), SHARP, level(fwhm, scale), rng(), size=126).sum() / galaxy().sum()
        print(f"flux at {fwhm} arcsec, pixels of {scale}: {kept - 1:+.1e}")
    for fwhm, scale in WIDTHS:
        width = fitted(degrade(star(1.3), SHARP, level(fwhm, scale), rng(), grid="pixels")) * scale
        print(f"point source at {fwhm} arcsec, pixels of {scale}: {width:.3f}, {100 * (width / fwhm - 1):+.2f} %")
    for fwhm, scale, noise in NOISES:
        stamps = noise_stamps(level(fwhm, scale, noise))
        off = 100 * (stamps.std() / noise - 1)
        name = f"noise of {noise} DN at {fwhm} arcsec, pixels of {scale}"
        print(f"{name}: {off:+.2f} %, correlation {neighbours(stamps):.4f}")
    for target, grid, kernel in NETWORK_NOISES:
        (rms, correlation), (found, neighbour) = network_noises(target, grid, kernel)
        name = f"network's pixels, {grid}, {kernel}, {target.psf_fwhm} arcsec, pixels of {target.pixel_scale}"
        print(f"{name}: {rms:.3f} DN, correlation {correlation:.3f}; measured {found:.3f}, {neighbour:.3f}")
    for target, grid, kernel, rms in COMMON_NOISES:
        variance, correlation = (np.abs(values).max() for values in common_noises(target, grid, kernel, rms))
        name = f"common noise of {rms} DN, {grid}, {kernel}, {target.psf_fwhm} arcsec, pixels of {target.pixel_scale}"
        print(f"{name}: variance off by {100 * variance:.2f} %, correlation {correlation:.4f}")
    if len(sys.argv) == 3:
        measured, psf_width = real_stars(Path(sys.argv[1]), Path(sys.argv[2]), 2.0)
        before, after = np.median(measured, axis=0)
        print(f"{len(measured)} stars: {before:.3f} arcsec (tsField {psf_width:.3f}); degraded to 2: {after:.3f}")


if __name__ == "__main__":
    main()
