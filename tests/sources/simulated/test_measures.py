from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from galmorph.sdss.names import PIXEL_SCALE
from galmorph.sources.simulated import drawing, exposure, measures


def ellipse(ratio: float, axis: float, angle: float) -> NDArray[np.float32]:
    y, x = np.indices((129, 129)) - 64.0
    u, v = np.cos(angle) * x + np.sin(angle) * y, np.cos(angle) * y - np.sin(angle) * x
    return np.asarray(u**2 + (v / ratio) ** 2 < axis**2, np.float32)


@settings(deadline=None)
@given(st.floats(0.3, 1.0), st.floats(15, 55), st.floats(0, np.pi))
def test_isophote_of_an_ellipse_is_the_ellipse(ratio: float, axis: float, angle: float) -> None:
    measured_ratio, measured_axis = measures.isophote(ellipse(ratio, axis, angle), 0.5)
    assert measured_ratio == pytest.approx(ratio, abs=0.03)
    assert measured_axis == pytest.approx(axis * PIXEL_SCALE, rel=0.03)


def test_nothing_above_the_level_is_a_point() -> None:
    assert measures.isophote(np.zeros((9, 9), np.float32), 1.0) == (1.0, 0.0)


def test_concentration_of_known_profiles() -> None:
    """An exponential disk has 2.7 without a PSF; the PSF only lowers it, and a large n = 4 profile stays above 4."""
    sharp = exposure.Exposure(1.0, 0.0, 0.0, 150.0, 4.72, 1.21, 1900.0, 1.2, 0.08)
    base = {"kind": "E", "magnitude": 15.0, "disk_scale": 0.0, "bulge_fraction": 1.0, "arm_contrast": 0.0,
            "axis_ratio": 0.99, "bulge_axis_ratio": 0.99, "position_angle": 0.0, "bulge_radius": 6.0,
            "tail_fraction": 0.0, "half_light_radius": 6.0}  # fmt: skip
    rng = np.random.default_rng(0)
    values = [
        measures.concentration(drawing.draw(SimpleNamespace(**base, bulge_index=n), sharp, (0.1, 0.1), rng))
        for n in (1.0, 2.0, 4.0)
    ]
    assert values[0] == pytest.approx(2.7, abs=0.1)
    assert values[0] < values[1] < values[2]
    assert 4.0 < values[2] < 5.2


def test_unnoticed_contrast_limits_what_bright_galaxies_show() -> None:
    taken = exposure.draw(1, 1.43, np.random.default_rng(1))[0]
    reference = np.full((20, 20), 1e5, np.float32)
    seen = measures.visibility(reference * np.float32(1.01), reference, taken)
    # 1 % of contrast against an eye that notices 6 %: a sixth of a sigma a pixel, in 400 pixels.
    assert seen == pytest.approx(20 / 6, rel=0.02)
    assert measures.visibility(reference, reference, taken) == 0


def test_signal_to_noise_of_a_flat_patch() -> None:
    taken = exposure.Exposure(1.3, 0.0, 0.0, 150.0, 4.72, 1.21, 1900.0, 1.2, 0.08)
    reference = np.full((10, 10), 30.0, np.float32)
    assert measures.signal_to_noise(reference, taken) == pytest.approx(10 * 30 / np.sqrt(180 / 4.72 + 1.21), rel=1e-5)


def one(dm: float, distance: float, star: bool = False, axis: float = 4.0) -> float:
    return measures.merger_appearance(np.array([dm]), np.array([distance]), np.array([star]), axis)


def test_near_bright_galaxies_look_like_mergers() -> None:
    assert one(0.3, 3.0) > 0.9
    assert one(0.3, 3.0, star=True) == pytest.approx(0.4 * one(0.3, 3.0))
    assert one(3.5, 3.0) < 0.05
    assert one(0.3, 30.0) < 0.01
    assert one(0.3, 9.0, axis=8.0) > one(0.3, 9.0, axis=4.0)
    assert measures.merger_appearance(np.zeros(0), np.zeros(0), np.zeros(0, bool), 4.0) == 0
    both = measures.merger_appearance(np.array([3.5, 0.3]), np.array([30.0, 3.0]), np.zeros(2, bool), 4.0)
    assert both == pytest.approx(one(0.3, 3.0))
