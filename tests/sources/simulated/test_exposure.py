import numpy as np
import pytest

from galmorph.sources.simulated import exposure
from galmorph.sources.simulated.exposure import Exposure


@pytest.mark.parametrize("level", [0.0, 300.0, 20000.0])
def test_pixels_have_the_noise_of_their_photons(level: float, conditions: Exposure) -> None:
    pixels = exposure.expose(np.full((400, 400), level, np.float32), conditions, np.random.default_rng(2))
    assert pixels.mean() == pytest.approx(level + conditions.sky, rel=1e-3)
    variance = (level + conditions.sky) / conditions.gain + conditions.dark_variance
    assert pixels.var() == pytest.approx(variance, rel=0.02)


def test_seeing_has_the_quartiles_of_dr7() -> None:
    rng = np.random.default_rng(5)
    widths = [exposure.draw(1, 1.43, rng)[0].psf_width for _ in range(4000)]
    np.testing.assert_allclose(np.quantile(widths, [0.25, 0.5, 0.75]), [1.30, 1.43, 1.58], atol=0.02)


def test_fields_of_one_scan_share_sky_and_zero_point_while_the_seeing_drifts() -> None:
    first, second = exposure.draw(2, 1.43, np.random.default_rng(1))
    assert (first.sky, first.flux20) == (second.sky, second.flux20)
    assert 0 < abs(np.log(first.fwhm / second.fwhm)) < 0.15
