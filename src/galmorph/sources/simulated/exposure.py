"""Observing conditions of a frame: seeing, sky, detector and zero point."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Final

import galsim
import numpy as np
from numpy.typing import NDArray

from galmorph.sdss.names import PIXEL_SCALE

EXPOSURE_SECONDS: Final = 53.907456
MOFFAT_BETA: Final = 3.0
OVERSAMPLING: Final = 2  # samples per pixel and axis of the grid that galaxies are drawn on
SAMPLE: Final = PIXEL_SCALE / OVERSAMPLING  # arcsec
SEEING_SCATTER: Final = 0.145  # of the logarithm: with a median of 1.43 arcsec, the quartiles of DR7, 1.30 and 1.58
SEEING_DRIFT: Final = 0.03  # of the logarithm, from one field of a scan to the next
SEEING_RANGE: Final = (0.75, 1.6)  # of the median


@dataclass(frozen=True)
class Exposure:
    """Observing conditions of one frame.

    Attributes
    ----------
    fwhm
        Of the PSF's core without the pixel response, arcsec.
    ellipticity, ellipticity_angle
        Of the PSF: (a^2 - b^2) / (a^2 + b^2), and radians from +x to +y.
    sky
        DN per pixel.
    gain
        Electrons per DN.
    dark_variance
        Variance of read noise and dark current, DN^2 per pixel.
    flux20
        DN of a source of magnitude 20.
    airmass, extinction
        The latter in magnitudes per unit airmass.
    """

    fwhm: float
    ellipticity: float
    ellipticity_angle: float
    sky: float
    gain: float
    dark_variance: float
    flux20: float
    airmass: float
    extinction: float

    @property
    def sky_noise(self) -> float:
        """Standard deviation of an empty pixel, DN."""
        return float(np.sqrt(self.sky / self.gain + self.dark_variance))

    @property
    def psf(self) -> galsim.GSObject:
        """The point spread function, of unit flux and without the pixel response."""
        round_ = galsim.Moffat(beta=MOFFAT_BETA, fwhm=self.fwhm)
        return round_.shear(e=self.ellipticity, beta=self.ellipticity_angle * galsim.radians)

    @property
    def psf_width(self) -> float:
        """Effective width of the PSF with its pixel, arcsec, as in a tsField file."""
        return float(np.interp(self.fwhm, *_widths()))

    def flux(self, magnitude: float) -> float:
        """Return the DN of a source of a magnitude."""
        return float(self.flux20 * 10 ** (-0.4 * (magnitude - 20)))


def draw(fields: int, seeing: float, rng: np.random.Generator) -> list[Exposure]:
    """Draw the conditions of successive fields of one scan, which differ in their seeing only.

    The median of the frames' effective PSF widths is `seeing`, in arcsec.
    """
    normal = rng.standard_normal
    width = seeing * np.exp(SEEING_SCATTER * normal())
    first = Exposure(
        fwhm=_core(width, seeing),
        ellipticity=float(min(0.03 * np.hypot(normal(), normal()) / np.sqrt(2), 0.2)),
        ellipticity_angle=float(rng.uniform(0, np.pi)),
        sky=float(max(150 + 18 * normal(), 90)),
        gain=4.72,
        dark_variance=1.1**2,
        flux20=float(1900 + 60 * normal()),
        airmass=float(rng.uniform(1.0, 1.4)),
        extinction=float(0.08 + 0.01 * normal()),
    )
    widths = width * np.exp(SEEING_DRIFT * np.cumsum(normal(fields - 1)))
    return [first, *(replace(first, fwhm=_core(following, seeing)) for following in widths)]


def expose(scene: NDArray[np.float32], exposure: Exposure, rng: np.random.Generator) -> NDArray[np.float32]:
    """Add sky and noise to a noiseless frame, (y, x) float32, DN.

    Photon noise is a Gaussian of the local variance. The sky alone gives every pixel more than 400 electrons, where the
    skewness of a Poisson distribution is below 0.05. Poisson deviates for three million pixels would take as long as
    the rest of the frame.
    """
    # The Fourier interpolation can undershoot zero by a fraction of a DN, which the sky outweighs.
    level = scene + np.float32(exposure.sky)
    deviation = level / np.float32(exposure.gain)
    deviation += np.float32(exposure.dark_variance)
    np.sqrt(deviation, out=deviation)
    deviation *= rng.standard_normal(scene.shape, dtype=np.float32)
    level += deviation
    return np.asarray(level)


def wavenumbers(size: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return kx (size // 2 + 1,) and ky (size,) of the oversampled grid, radians per arcsec, in rfft2's order."""
    step = 2 * np.pi * OVERSAMPLING / PIXEL_SCALE
    return np.asarray(step * np.fft.rfftfreq(size), np.float64), np.asarray(step * np.fft.fftfreq(size), np.float64)


def half_plane(profile: galsim.GSObject, size: int) -> NDArray[np.complex64]:
    """Return a profile's Fourier transform on the grid of `wavenumbers`, (size, size // 2 + 1) complex64.

    In Fourier space a profile is exact, however sharp its core, and exactly centred: a sampled kernel with an even
    number of pixels would shift whatever it convolves by half a sample.
    """
    bounds = galsim.BoundsI(0, size // 2, -size // 2, size // 2 - 1)
    image = galsim.ImageCF(bounds, scale=2 * np.pi * OVERSAMPLING / (size * PIXEL_SCALE))
    profile.drawKImage(image=image, recenter=False)
    return np.asarray(np.fft.ifftshift(image.array, axes=0))


@lru_cache(maxsize=20)
def transfer(exposure: Exposure, size: int) -> NDArray[np.complex64]:
    """Return the Fourier transform of PSF times pixel on the grid of `wavenumbers`, (size, size // 2 + 1) complex64."""
    x, y = (np.sinc(k * PIXEL_SCALE / (2 * np.pi)) for k in wavenumbers(size))
    return (half_plane(exposure.psf, size) * (x[None, :] * y[:, None])).astype(np.complex64)


@lru_cache(maxsize=1)
def _widths() -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return FWHMs of the PSF's core and the corresponding effective widths, both ascending, arcsec.

    The effective width is the FWHM of the Gaussian with the same effective area, (sum of the profile)^2 over the sum of
    its square; the wings make it larger than the core's.
    """
    pixel = galsim.Pixel(PIXEL_SCALE)
    fwhm = np.geomspace(0.3, 6, 60)
    step = 0.06  # arcsec
    area = []
    for value in fwhm:
        seen = galsim.Convolve([galsim.Moffat(beta=MOFFAT_BETA, fwhm=value), pixel])
        image = seen.drawImage(nx=400, ny=400, scale=step, method="no_pixel").array
        area.append((image.sum() * step) ** 2 / (image**2).sum())
    return fwhm, np.sqrt(2 * np.log(2) / np.pi * np.array(area))


def _core(width: float, seeing: float) -> float:
    """Return the FWHM of the core of a PSF of an effective width, which is limited to SEEING_RANGE."""
    low, high = (seeing * bound for bound in SEEING_RANGE)
    fwhm, effective = _widths()
    return float(np.interp(np.clip(width, low, high), effective, fwhm))
