"""The circumstances under which a frame is taken: seeing, sky, detector, zero point.

Gain, dark variance, extinction and effective wavelength behaviour of the five bands are those of the real SDSS
camera column that the values in a tsField file describe; the simulated frame is r, the others only fill the file.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
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
    """What holds for a whole frame.

    Attributes
    ----------
    fwhm
        Of the PSF's core, arcsec, without the pixel's response. Calibrations tell `psf_width`, which is larger.
    ellipticity, ellipticity_angle
        Of the PSF: (a^2 - b^2) / (a^2 + b^2), and radians from +x to +y.
    sky
        DN per pixel.
    gain
        Electrons per DN.
    dark_variance
        Read and dark noise, DN^2 per pixel.
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
    _transfers: dict[int, NDArray[np.complex64]] = field(default_factory=dict, repr=False, compare=False)

    @property
    def sky_noise(self) -> float:
        """Standard deviation of an empty pixel, DN."""
        return float(np.sqrt(self.sky / self.gain + self.dark_variance))

    @property
    def psf(self) -> galsim.GSObject:
        """The point spread function, of unit flux and without the pixel's response."""
        round_ = galsim.Moffat(beta=MOFFAT_BETA, fwhm=self.fwhm)
        return round_.shear(e=self.ellipticity, beta=self.ellipticity_angle * galsim.radians)

    @property
    def psf_width(self) -> float:
        """Effective width of the PSF with its pixel, arcsec: what a tsField file says."""
        return float(np.interp(self.fwhm, *_widths()))

    def flux(self, magnitude: float) -> float:
        """Return the DN of a source of a magnitude."""
        return float(self.flux20 * 10 ** (-0.4 * (magnitude - 20)))

    def transfer(self, size: int) -> NDArray[np.complex64]:
        """Return the Fourier transform of PSF times pixel on the half plane of an oversampled grid.

        Parameters
        ----------
        size
            Samples per side of the square grid.

        Returns
        -------
        (size, size // 2 + 1) complex64, 1 at the origin, in the order of `scipy.fft.rfft2`.
        """
        if size not in self._transfers:
            x, y = wavenumbers(size)
            pixel = np.sinc(x * PIXEL_SCALE / (2 * np.pi))[None, :] * np.sinc(y * PIXEL_SCALE / (2 * np.pi))[:, None]
            self._transfers[size] = (half_plane(self.psf, size) * pixel).astype(np.complex64)
        return self._transfers[size]


@lru_cache(maxsize=1)
def _widths() -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return FWHMs of the PSF's core and the effective widths that go with them, both rising, arcsec.

    The effective width is the FWHM of the Gaussian that has the same effective area, (sum of the profile)^2 over the
    sum of its square, in pixels; wings make it larger than the core's.
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


def wavenumbers(size: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return kx (size // 2 + 1,) and ky (size,) of the oversampled grid, radians per arcsec, in rfft2's order."""
    step = 2 * np.pi * OVERSAMPLING / PIXEL_SCALE
    x, y = np.fft.rfftfreq(size), np.fft.fftfreq(size)
    return np.asarray(step * x, np.float64), np.asarray(step * y, np.float64)


def half_plane(profile: galsim.GSObject, size: int) -> NDArray[np.complex64]:
    """Return a profile's Fourier transform on the grid of `wavenumbers`, (size, size // 2 + 1) complex64.

    In Fourier space a profile is exact however sharp its core, and has its centre where it says: a sampled kernel of
    an even number of pixels would move whatever it convolves by half a sample.
    """
    image = galsim.ImageCF(
        galsim.BoundsI(0, size // 2, -size // 2, size // 2 - 1),
        scale=2 * np.pi * OVERSAMPLING / (size * PIXEL_SCALE),
    )
    profile.drawKImage(image=image, recenter=False)
    return np.asarray(np.fft.ifftshift(image.array, axes=0))


def draw(fields: int, seeing: float, rng: np.random.Generator) -> list[Exposure]:
    """Draw the circumstances of successive fields of one scan: sky and zero point are one, the seeing drifts.

    Parameters
    ----------
    fields
        How many.
    seeing
        Median of the frames' effective PSF widths, arcsec.
    rng
        The only source of chance.
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
    return [first, *(replace(first, fwhm=_core(following, seeing), _transfers={}) for following in widths)]


def _core(width: float, seeing: float) -> float:
    """Return the core's FWHM of a PSF of an effective width, which is kept within what a survey accepts."""
    low, high = (seeing * bound for bound in SEEING_RANGE)
    fwhm, effective = _widths()
    return float(np.interp(np.clip(width, low, high), effective, fwhm))


def expose(scene: NDArray[np.float32], exposure: Exposure, rng: np.random.Generator) -> NDArray[np.float32]:
    """Add sky and noise to a noiseless frame.

    Parameters
    ----------
    scene
        (y, x) float32, DN, without sky.
    exposure
        Its circumstances.
    rng
        Of the noise only.

    Returns
    -------
    (y, x) float32, DN, sky included, not yet rounded.

    Notes
    -----
    Photon noise is drawn as a Gaussian of the local variance. The sky alone gives every pixel more than 400
    electrons, where a Poisson distribution's skewness is below 0.05, and it falls further in bright cores; Poisson
    deviates for three million pixels would cost as much as all else in a frame.
    """
    level = scene + np.float32(exposure.sky)
    # A negative ring of the Fourier interpolation can undercut zero by a fraction of a DN, never the sky.
    deviation = level / np.float32(exposure.gain)
    deviation += np.float32(exposure.dark_variance)
    np.sqrt(deviation, out=deviation)
    deviation *= rng.standard_normal(scene.shape, dtype=np.float32)
    level += deviation
    return np.asarray(level)
