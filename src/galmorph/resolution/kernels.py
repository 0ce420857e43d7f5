"""The kernel that widens a point spread function to a given width, and its transfer function.

Widths are full widths at half maximum, as fitted to the pixels of an image: the average over a pixel is part of them.
"""

from __future__ import annotations

import functools
import math

import numpy as np
from numpy.typing import NDArray
from scipy.interpolate import PchipInterpolator
from scipy.optimize import brentq
from scipy.special import gamma, j0, kv

Floats = NDArray[np.float64]

FWHM = 2.0 * math.sqrt(2.0 * math.log(2.0))  # of a Gaussian, in its standard deviations
BETA = 4.765  # of the Moffat function closest to Kolmogorov turbulence (Trujillo et al. 2001, MNRAS 328, 977)
NARROWEST = 1e-4  # of the target's width: a narrower kernel is left out


def rebinned_width(width: float, old: float, new: float) -> float:
    """Return the FWHM of a point source after pixels of size `old` were joined to pixels of size `new`.

    A square pixel adds size^2 / 12 to the variance of a Gaussian; what the old pixel added is in `width` already.
    """
    return math.sqrt(width**2 + FWHM**2 * (new**2 - old**2) / 12.0)


def kernel_width(source: float, target: float, kind: str) -> float:
    """Return the FWHM of the kernel that widens a Gaussian PSF to a target.

    Parameters
    ----------
    source, target
        FWHM, in the same unit.
    kind
        gaussian: sqrt(target^2 - source^2). moffat: the width with which the convolution of the two has the FWHM of
        the target, found numerically.

    Raises
    ------
    ValueError
        If the target is sharper than the source.
    """
    if target < source * (1 - 1e-9):
        raise ValueError(f"a target of {target:g} is sharper than the source's {source:g}")
    width = math.sqrt(max(target**2 - source**2, 0.0))
    if width < NARROWEST * target:
        return 0.0
    return width if kind == "gaussian" else width * float(_moffat_correction()(source / target))


def transfer_function(frequency: Floats, width: float, kind: str) -> Floats:
    """Return the Fourier transform of a kernel of unit flux.

    Parameters
    ----------
    frequency
        Radial, in cycles per unit of length.
    width
        FWHM of the kernel.
    kind
        gaussian: exp(-2 pi^2 sigma^2 f^2). moffat: (1 + (r / alpha)^2)^-beta, whose transform is
        2 / Gamma(beta - 1) x^(beta - 1) K_(beta - 1)(2 x) with x = pi alpha f.
    """
    if kind == "gaussian":
        gaussian: Floats = np.exp(-2.0 * (math.pi * width / FWHM * frequency) ** 2)
        return gaussian
    alpha = width / (2.0 * math.sqrt(2.0 ** (1.0 / BETA) - 1.0))
    # At 0 the formula is 0 times infinity; its limit is 1.
    x = np.maximum(math.pi * alpha * frequency, 1e-9)
    moffat: Floats = 2.0 / gamma(BETA - 1.0) * x ** (BETA - 1.0) * kv(BETA - 1.0, 2.0 * x)
    return moffat


@functools.cache
def _moffat_correction() -> PchipInterpolator:
    """Return, against source / target, the kernel's FWHM over that of the Gaussian kernel."""
    ratios = np.linspace(0.0, 0.98, 25)
    return PchipInterpolator(ratios, [_solved(float(ratio)) for ratio in ratios])


def _solved(ratio: float) -> float:
    gaussian = math.sqrt(1.0 - ratio**2)

    def excess(factor: float) -> float:
        return _width_after(ratio, factor * gaussian) - 1.0

    return float(brentq(excess, 0.5, 1.5, xtol=1e-6))


def _width_after(source: float, kernel: float) -> float:
    """Return the FWHM of a Gaussian convolved with a Moffat function, through the Hankel transform of the product."""
    frequency = np.linspace(0.0, 12.0, 4001)
    product = transfer_function(frequency, source, "gaussian") * transfer_function(frequency, kernel, "moffat")
    weighted = product * frequency

    def profile(radius: float) -> float:
        return float(np.trapezoid(weighted * j0(2.0 * math.pi * radius * frequency), frequency))

    half = profile(0.0) / 2.0
    return 2.0 * float(brentq(lambda radius: profile(radius) - half, 0.05, 2.0, xtol=1e-8))
