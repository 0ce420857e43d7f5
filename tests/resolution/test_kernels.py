"""Matching kernels against GalSim, which does the same by other means."""

from __future__ import annotations

import galsim
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from galmorph.resolution.kernels import BETA, FWHM, kernel_width, rebinned_width, transfer_function


@given(st.floats(0.5, 3.0), st.floats(0.0, 5.0), st.floats(0.0, 5.0))
def test_two_gaussian_steps_are_one(source, first, second):
    middle, target = np.hypot(source, first), np.hypot(np.hypot(source, first), second)
    steps = np.hypot(kernel_width(source, middle, "gaussian"), kernel_width(middle, target, "gaussian"))
    assert steps == pytest.approx(kernel_width(source, target, "gaussian"), abs=2e-3)


@pytest.mark.parametrize("ratio", [1.05, 1.2, 1.5, 2.0, 4.0])
def test_moffat_kernel_reaches_the_target_as_galsim_measures_it(ratio):
    width = kernel_width(1.3, 1.3 * ratio, "moffat")
    profile = galsim.Convolve(galsim.Gaussian(fwhm=1.3), galsim.Moffat(beta=BETA, fwhm=width))
    image = profile.drawImage(nx=401, ny=401, scale=0.02 * ratio, method="no_pixel")
    assert image.calculateFWHM() == pytest.approx(1.3 * ratio, rel=2e-3)


@pytest.mark.parametrize("kind", ["gaussian", "moffat"])
def test_transfer_functions_are_galsims(kind):
    shape = galsim.Gaussian(fwhm=1.7) if kind == "gaussian" else galsim.Moffat(beta=BETA, fwhm=1.7)
    frequency = np.array([0.0, 0.05, 0.2, 0.4, 0.6])
    expected = [shape.kValue(2 * np.pi * f, 0).real for f in frequency]
    # GalSim's is a table with an accuracy of its own.
    np.testing.assert_allclose(transfer_function(frequency, 1.7, kind), expected, atol=2e-4)


@pytest.mark.parametrize("kind", ["gaussian", "moffat"])
def test_nothing_is_needed_for_the_same_width_and_nothing_sharpens(kind):
    assert kernel_width(1.4, 1.4, kind) == 0.0
    with pytest.raises(ValueError, match=r"a target of 1\.3 is sharper than the source's 1\.4"):
        kernel_width(1.4, 1.3, kind)


def test_coarser_pixels_widen_a_point_source():
    assert rebinned_width(1.3, 0.4, 0.4) == pytest.approx(1.3)
    assert rebinned_width(1.3, 0.4, 0.8) == pytest.approx(np.sqrt(1.3**2 + FWHM**2 * 0.48 / 12))
