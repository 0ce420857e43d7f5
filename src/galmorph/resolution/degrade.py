"""A stamp seen by a worse telescope: coarser pixels, a wider PSF, more noise, in that order.

docs/resolution.md has the formulae and their sources.
"""

from __future__ import annotations

import functools
import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import fft

from galmorph.errors import GalmorphError
from galmorph.resolution.kernels import kernel_width, rebinned_width, transfer_function
from galmorph.settings.resolution import LevelSettings
from galmorph.stamps.pixels import centred_edges, noise_autocovariance, shares

Floats = NDArray[np.float64]

# Pixel scales that differ by less are the same: the frames' own differ by a few 1e-5.
SAME_SCALE = 2e-3
MARGIN = 3.0  # in FWHM of the kernel, mirrored around a stamp before a convolution that is periodic
# Of a noise: so much of it may be missing. The autocovariance of rebinned noise is a mean over pixels, whose power at
# the largest scales exceeds the true one by up to 0.5 % for some ratios of the pixel scales.
TOLERANCE = 3e-3


@dataclass(frozen=True)
class Telescope:
    """How a galaxy was seen.

    Attributes
    ----------
    psf_fwhm, pixel_scale
        arcsec.
    noise
        DN a pixel, white.
    """

    psf_fwhm: float
    pixel_scale: float
    noise: float


def degrade(
    wide: NDArray[np.float32],
    source: Telescope,
    level: LevelSettings,
    rng: np.random.Generator,
    *,
    kernel: str = "gaussian",
    grid: str = "field",
    size: int = 64,
    common_noise: float | None = None,
) -> NDArray[np.float32]:
    """Show a galaxy at another spatial resolution.

    Parameters
    ----------
    wide
        (n, n) float32, DN after sky subtraction, (y, x), n even; the galaxy's pixel is at index n // 2.
    source
        How it was seen.
    level
        What it is to be seen as. With psf_fwhm null nothing is convolved; with noise null none is added, and what there
        is is less than before, and correlated. All null: as it is.
    rng
        The generator of the noise.
    kernel
        gaussian or moffat.
    grid
        What the network is given. field: the field of view of the central `size` pixels of `wide`, again in `size`
        pixels, each with the flux that falls on it. pixels: the central `size` pixels of the target.
    size
        Side of the result, even.
    common_noise
        Rms of the noise on the pixels of the result, DN. So much is added that it is white and of this rms, whatever
        the level: then levels differ by their resolution alone. The level's own noise is null then.

    Returns
    -------
    (size, size) float32, DN.

    Raises
    ------
    GalmorphError
        If the target is sharper than the source, its pixels are finer, or its noise is less than what the source's
        noise becomes on its pixels; or if the stamp is too small for `size` pixels of the target.
    """
    count = wide.shape[0]
    middle = slice((count - size) // 2, (count + size) // 2)
    if level.native and common_noise is None:
        return wide[middle, middle].copy()
    optics = _optics(count, source.pixel_scale, level.pixel_scale or source.pixel_scale, grid, size)
    image = optics.rebin @ wide.astype(np.float64) @ optics.rebin.T
    width = _kernel(source, level, optics.scale, kernel)
    # With a common noise the level's is the least that is white on its pixels, and its covariance on the network's
    # pixels is known.
    noise = level.noise if common_noise is None else source.noise * optics.scale / source.pixel_scale
    if width > 0 or noise is not None:
        image = _observed(image, width / optics.scale, kernel, noise, source.noise, optics.rebin, rng)
    result: Floats = optics.output @ image @ optics.output.T
    if common_noise is not None:
        assert noise is not None
        result += _white(optics, noise, common_noise, rng)
    return result.astype(np.float32)


def network_noise(
    source: Telescope,
    level: LevelSettings,
    *,
    kernel: str = "gaussian",
    grid: str = "field",
    size: int = 64,
    common_noise: float | None = None,
    count: int = 128,
) -> tuple[float, float]:
    """Return the rms of the noise on the pixels that the network is given, and the correlation of two neighbours.

    Both are of what `degrade` makes of white noise, from the pixels' overlaps and the kernel's transfer function: the
    power spectrum on the target's pixels gives their autocovariance (Wiener-Khinchin), and the network's pixels are
    sums of those. They differ from pixel to pixel where the grids do not coincide; these are the means.

    Parameters
    ----------
    source, level, kernel, grid, size, common_noise
        As for `degrade`.
    count
        Side of the wide stamp, pixels of the source.

    Returns
    -------
    rms
        DN.
    correlation
        Of pixels that share a side, -1 to 1.
    """
    if common_noise is not None:
        return common_noise, 0.0
    if level.native:
        return source.noise, 0.0
    optics = _optics(count, source.pixel_scale, level.pixel_scale or source.pixel_scale, grid, size)
    side = len(optics.rebin)
    rows, columns = fft.fftfreq(side), fft.rfftfreq(side)
    if level.noise is not None:
        power = np.full((len(rows), len(columns)), level.noise**2)
    else:
        width = _kernel(source, level, optics.scale, kernel) / optics.scale
        power = _rebinned_power(source.noise, optics.rebin, rows, columns)
        if width > 0:
            power = power * transfer_function(np.hypot(rows[:, None], columns[None, :]), width, kernel) ** 2
    covariance = fft.irfft2(power, s=(side, side))
    same, next_to = _lags(optics.output, optics.output), _lags(optics.output[:-1], optics.output[1:])
    variance = float(same @ covariance @ same)
    return math.sqrt(variance), float(same @ covariance @ next_to) / variance


def _lags(first: Floats, second: Floats) -> Floats:
    """Return the mean over pairs of rows of the sum of products of their entries, by the distance of the entries.

    (n,), for the distance 0, 1, ... and, from the end, -1, -2, ..., as in a discrete Fourier transform.
    """
    products = first.T @ second / len(first)
    count = len(products)
    lags = np.zeros(count)
    for lag in range(1 - count, count):
        lags[lag % count] += np.trace(products, offset=lag)
    return lags


@dataclass(frozen=True)
class _Optics:
    """Pixels of the source -> of the target (rebin) -> of the network (output), and the target's scale in arcsec.

    The covariance along one axis of white noise of variance 1 on the target's pixels, on those of the network, has the
    eigenvalues `variances` and the eigenvectors in the columns of `modes`.
    """

    rebin: Floats
    output: Floats
    scale: float
    variances: Floats
    modes: Floats


@functools.lru_cache(maxsize=64)
def _optics(count: int, scale: float, target: float, grid: str, size: int) -> _Optics:
    """Return the matrices for a wide stamp of `count` pixels of `scale` arcsec, seen in pixels of `target` arcsec."""
    ratio = target / scale
    if ratio < 1 - SAME_SCALE:
        raise GalmorphError(
            f"pixels of {target:g} arcsec are finer than the source's of {scale:g}: images are only ever "
            "made worse; raise pixel_scale"
        )
    ratio = 1.0 if ratio < 1 + SAME_SCALE else ratio
    pixels = 2 * int(count / 2 / ratio + SAME_SCALE)
    if grid == "pixels" and pixels < size:
        raise GalmorphError(
            f"{size} pixels of {target:g} arcsec need more than the {count} pixels of a wide stamp: raise "
            "cutouts.wide_size, or set resolution.grid to field"
        )
    if grid == "field" and pixels * ratio < size * (1 - SAME_SCALE):
        raise GalmorphError(
            f"only {pixels} whole pixels of {target:g} arcsec fit into the {count} pixels of a wide stamp: "
            f"less than the field of {size} that the network sees; raise cutouts.wide_size, or lower pixel_scale"
        )
    old, new = centred_edges(count, 1.0), centred_edges(pixels, ratio)
    seen = centred_edges(size, 1.0 if grid == "field" else ratio)
    output = shares(new, seen)
    variances, modes = np.linalg.eigh(output @ output.T)
    return _Optics(shares(old, new), output, scale * ratio, variances, modes)


def _kernel(source: Telescope, level: LevelSettings, scale: float, kind: str) -> float:
    """Return the FWHM of the kernel in arcsec; 0 where there is nothing to convolve."""
    if level.psf_fwhm is None:
        return 0.0
    rebinned = rebinned_width(source.psf_fwhm, source.pixel_scale, max(scale, source.pixel_scale))
    try:
        return kernel_width(rebinned, level.psf_fwhm, kind)
    except ValueError:
        on = "" if scale < source.pixel_scale * (1 + SAME_SCALE) else f", {rebinned:.3g} on pixels of {scale:.3g}"
        raise GalmorphError(
            f"psf_fwhm {level.psf_fwhm:g} arcsec is sharper than the galaxy's PSF of {source.psf_fwhm:.3g}{on}: images "
            "are only ever made worse"
        ) from None


def _observed(
    image: Floats,
    width: float,
    kind: str,
    noise: float | None,
    before: float,
    rebin: Floats,
    rng: np.random.Generator,
) -> Floats:
    """Convolve, and add what the noise lacks to be white and of the given rms, frequency by frequency.

    This is the whitening of Rowe et al. (2015, Astronomy and Computing 10, 121) for a noise of known power spectrum:
    white in the source, then filtered by the pixels and the kernel. The width is in pixels of the target.
    """
    margin = math.ceil(MARGIN * width)
    padded = np.pad(image, margin, mode="reflect" if margin < len(image) else "symmetric")
    side = len(padded)
    rows, columns = fft.fftfreq(side), fft.rfftfreq(side)
    response = transfer_function(np.hypot(rows[:, None], columns[None, :]), width, kind) if width > 0 else np.float64(1)
    spectrum = fft.rfft2(padded) * response
    if noise is not None:
        power = _rebinned_power(before, rebin, rows, columns)
        missing = noise**2 - power * response**2
        if missing.min() < -2 * TOLERANCE * noise**2:
            left = math.sqrt((power * response**2).max())
            raise GalmorphError(
                f"noise {noise:g} DN is less than what the galaxy's {before:.3g} DN become at this level, {left:.3g} "
                "at the largest scales: noise can only be added; raise noise"
            )
        white = rng.standard_normal((side, side))
        spectrum = spectrum + fft.rfft2(white) * np.sqrt(np.maximum(missing, 0.0))
    observed = fft.irfft2(spectrum, s=padded.shape)
    inside: Floats = observed[margin : side - margin, margin : side - margin]
    return inside


def _white(optics: _Optics, noise: float, common_noise: float, rng: np.random.Generator) -> Floats:
    """Return the noise that a stamp of the network lacks to have white noise of rms `common_noise`.

    White noise of rms `noise` on the target's pixels has a separable covariance on those of the network. What is
    missing from a multiple of the unit matrix has the same eigenvectors, and its symmetric square root, which does not
    depend on their choice, times white noise has that covariance.
    """
    missing = common_noise**2 - noise**2 * np.outer(optics.variances, optics.variances)
    if missing.min() < -2 * TOLERANCE * common_noise**2:
        left = math.sqrt(common_noise**2 - missing.min())
        raise GalmorphError(
            f"common_noise {common_noise:g} DN is less than the galaxy's noise on the pixels of the network, "
            f"{left:.3g} at the largest scales: noise can only be added; raise resolution.common_noise"
        )
    white = optics.modes.T @ rng.standard_normal(missing.shape) @ optics.modes
    added: Floats = optics.modes @ (np.sqrt(np.maximum(missing, 0.0)) * white) @ optics.modes.T
    return added


def _rebinned_power(before: float, rebin: Floats, rows: Floats, columns: Floats) -> Floats:
    """Return the power spectrum of white noise of rms `before` on the pixels of the target."""
    covariance = noise_autocovariance(rebin)
    power: Floats = before**2 * np.outer(_power(covariance, rows), _power(covariance, columns))
    return power


def _power(covariance: Floats, frequency: Floats) -> Floats:
    """Return the power spectrum along one axis of a noise with this autocovariance."""
    lags = np.flatnonzero(np.abs(covariance[1:]) > 1e-12) + 1
    waves = 2.0 * np.cos(2.0 * math.pi * frequency[:, None] * lags)
    power: Floats = covariance[0] + waves @ covariance[lags]
    return power
