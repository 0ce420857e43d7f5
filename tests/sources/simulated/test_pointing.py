import numpy as np
import pytest

from galmorph.errors import GalmorphError
from galmorph.sources.simulated import pointing


def test_only_fields_of_one_strip_overlap() -> None:
    looks = [pointing.pointing(strip, part) for strip in range(100) for part in (0, 1)]
    assert len({look.frame_path for look in looks}) == 200
    assert np.mean([look.dec_first for look in looks]) == pytest.approx(0.1)
    ra, dec = (np.array([getattr(look, axis) for look in looks]) for axis in ("ra", "dec"))
    east = np.abs((ra[:, None] - ra + 180) % 360 - 180) * np.cos(np.radians(dec))[:, None]
    north = np.abs(dec[:, None] - dec)
    apart = (east > 1489 * 1.1e-4 * 1.03) | (north > 2048 * 1.1e-4 * 1.03)
    same_strip = np.arange(200)[:, None] // 2 == np.arange(200) // 2
    np.testing.assert_array_equal(apart, ~same_strip)
    last = pointing.pointing(pointing.STRIPS - 1, 1)
    assert last.run < 2**16
    assert abs(last.dec) < 30


def test_a_survey_larger_than_the_sky_is_refused() -> None:
    with pytest.raises(GalmorphError, match=r"simulated\.galaxies"):
        pointing.pointing(pointing.STRIPS, 0)


@pytest.mark.parametrize(("strip", "part"), [(0, 0), (2, 0), (7, 1), (8, 1)])
def test_x_runs_north_and_y_east(strip: int, part: int) -> None:
    look = pointing.pointing(strip, part)
    assert look.dec_first == ((strip, part) in ((2, 0), (7, 1)))
    ra, dec = look.sky(np.array([1023.5, 1123.5, 1023.5]), np.array([743.5, 743.5, 843.5]))
    assert ra[0] == pytest.approx(look.ra, abs=1e-7)
    assert dec[0] == pytest.approx(look.dec, abs=1e-7)
    assert (dec[1] - dec[0]) * 3600 == pytest.approx(39.6, rel=0.01)
    assert (ra[2] - ra[0]) * np.cos(np.radians(dec[0])) * 3600 == pytest.approx(39.6, rel=0.01)
