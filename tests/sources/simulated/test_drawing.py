from dataclasses import replace
from typing import Any

import galsim
import numpy as np
import pytest
from numpy.typing import NDArray

from galmorph.sdss.names import PIXEL_SCALE
from galmorph.sources.simulated import drawing, population, volunteers
from galmorph.sources.simulated.drawing import DrawnGalaxy
from galmorph.sources.simulated.exposure import Exposure

OFFSET = (0.11, -0.07)


def galaxies(kind: str, count: int, **changes: float) -> list[Any]:
    table = population.draw(40 * count, np.random.default_rng(4))
    return list(table[table["kind"] == kind].iloc[:count].assign(**({"tail_fraction": 0.0} | changes)).itertuples())


def draw(galaxy: Any, conditions: Exposure, offset: tuple[float, float] = OFFSET) -> DrawnGalaxy:
    return drawing.draw(galaxy, conditions, offset, np.random.default_rng(1))


def structure(galaxy: Any, conditions: Exposure) -> float:
    drawn = draw(galaxy, conditions)
    return volunteers.visibility(drawn.image, drawn.reference, conditions)


def centroid(image: NDArray[np.float32]) -> NDArray[np.float64]:
    """In arcsec from the middle pixel, in a Gaussian window that is centred iteratively."""
    y, x = np.indices(image.shape) - image.shape[0] // 2
    cx = cy = 0.0
    for _ in range(40):
        weight = image * np.exp(-((x - cx) ** 2 + (y - cy) ** 2) / (2 * 5.0**2))
        cx, cy = (x * weight).sum() / weight.sum(), (y * weight).sum() / weight.sum()
    return np.array([cx, cy]) * PIXEL_SCALE


@pytest.mark.parametrize("kind", ["E", "S0", "S"])
def test_flux_is_that_of_the_magnitude(kind: str, conditions: Exposure) -> None:
    for galaxy in galaxies(kind, 6):
        drawn = draw(galaxy, conditions)
        flux = 10 ** (-0.4 * (galaxy.magnitude - 20)) * conditions.flux20
        assert drawn.image.sum() == pytest.approx(flux, rel=0.02)
        assert drawn.reference.sum() == pytest.approx(flux, rel=0.02)
        # The grid is large enough: next to nothing is left at its border.
        border = np.concatenate([drawn.image[0], drawn.image[-1], drawn.image[:, 0], drawn.image[:, -1]])
        assert np.abs(border).max() < 0.02 * drawn.image.max()
        assert drawn.image.min() > -0.3


def test_ellipticals_are_as_galsim_draws_them(conditions: Exposure) -> None:
    """One PSF, one pixel response, and the centre at the offset: a second pixel response would differ by 3 %."""
    for galaxy in galaxies("E", 3):
        image = draw(galaxy, conditions).image
        radius = galaxy.bulge_radius
        profile = galsim.Sersic(galaxy.bulge_index, half_light_radius=radius, trunc=8 * radius)
        profile = profile.shear(q=galaxy.axis_ratio, beta=galaxy.position_angle * galsim.radians).shift(*OFFSET)
        n = image.shape[0] + 1
        seen = galsim.Convolve(profile.withFlux(conditions.flux(galaxy.magnitude)), conditions.psf)
        expected = seen.drawImage(nx=n, ny=n, scale=PIXEL_SCALE).array[:-1, :-1]
        np.testing.assert_allclose(image, expected, atol=2e-3 * expected.max())


@pytest.mark.parametrize("fraction", [0.0, 1.0])
def test_bulge_and_disk_share_one_centre(fraction: float, conditions: Exposure) -> None:
    """A disk off its bulge by a tenth of an arcsec would give spirals away without a look at the arms."""
    for galaxy in galaxies("S0", 3, bulge_fraction=fraction, axis_ratio=0.8, bulge_axis_ratio=0.8):
        for offset in ((0.0, 0.0), OFFSET):
            np.testing.assert_allclose(centroid(draw(galaxy, conditions, offset).image), offset, atol=0.004)


@pytest.mark.parametrize(("ratio", "angle"), [(0.35, 0.4), (0.7, 2.5)])
def test_a_disk_has_the_axis_ratio_and_angle_of_its_row(ratio: float, angle: float, conditions: Exposure) -> None:
    (galaxy,) = galaxies("S0", 1, disk_scale=4.0, bulge_fraction=0.0, axis_ratio=ratio, position_angle=angle)
    image = draw(galaxy, replace(conditions, fwhm=1.0), (0.0, 0.0)).image
    y, x = np.indices(image.shape) - image.shape[0] // 2
    inside = image > 0.05 * image.max()
    assert volunteers.isophote(image, 0.05 * image.max())[0] == pytest.approx(ratio, abs=0.06)
    xx, yy, xy = ((a * b)[inside].mean() for a, b in ((x, x), (y, y), (x, y)))
    assert 0.5 * np.arctan2(2 * xy, xx - yy) % np.pi == pytest.approx(angle, abs=0.03)


def test_arms_are_the_difference_from_the_smooth_galaxy(conditions: Exposure) -> None:
    for galaxy in galaxies("S", 4, axis_ratio=0.8, bar_fraction=0.0, clumps=0, disk_scale=3.0):
        weak, strong = galaxy._replace(arm_contrast=0.1), galaxy._replace(arm_contrast=1.2)
        np.testing.assert_array_equal(draw(weak, conditions).reference, draw(strong, conditions).reference)
        assert structure(strong, conditions) > 2 * structure(weak, conditions) > 0


@pytest.mark.parametrize("change", [{"bar_fraction": 0.15}, {"clumps": 12}])
def test_bar_and_clumps_are_structure_too(change: dict[str, Any], conditions: Exposure) -> None:
    (plain,) = galaxies("S", 1, axis_ratio=0.8, bar_fraction=0.0, clumps=0, arm_contrast=0.02, flocculence=0.0)
    assert structure(plain._replace(**change), conditions) > 1.5 * structure(plain, conditions)


def test_winding_mirrors_the_arms(conditions: Exposure) -> None:
    """With the line of nodes along x and the arms' phase zero, the other winding is the mirror image in x."""
    (galaxy,) = galaxies(
        "S", 1, axis_ratio=0.9, position_angle=0.0, arm_phase=0.0, arm_wobble=0.0, lopsidedness=0.0, arm_raggedness=0.0,
        flocculence=0.0, bar_fraction=0.0, clumps=0, dust=0.0, arm_contrast=1.0, disk_scale=3.0,
    )  # fmt: skip

    class Symmetric:
        """Noise, and so patches, symmetric about the middle row."""

        def standard_normal(self, shape: tuple[int, int], dtype: Any) -> NDArray[Any]:
            noise = np.random.default_rng(0).standard_normal((shape[0] // 2 - 1, shape[1]), dtype=dtype)
            middle = np.zeros((1, shape[1]), dtype)
            return np.concatenate([middle, noise, middle, noise[::-1]])

        def normal(self, *_: Any) -> NDArray[Any]:
            return np.zeros(0)

    rng: Any = Symmetric()
    round_psf = replace(conditions, ellipticity=0.0)
    one, other = (
        drawing.draw(galaxy._replace(winding=winding), round_psf, (0.0, 0.0), rng).image[1:] for winding in (1, -1)
    )
    assert np.abs(one - other).max() > 0.05 * one.max()
    np.testing.assert_allclose(one, other[::-1], atol=2e-3 * one.max())


def test_the_largest_galaxies_still_fit_the_drawing_grid() -> None:
    galaxies = population.draw(20000, np.random.default_rng(8))
    needed = [drawing.grid_side(galaxy) for galaxy in galaxies.itertuples()]
    assert max(needed) <= drawing.SIDES[-1]
    assert np.median(needed) <= 256


@pytest.mark.parametrize("kind", ["E", "S"])
def test_a_tail_is_light_taken_from_the_galaxy_and_no_part_of_its_arms(kind: str, conditions: Exposure) -> None:
    for galaxy in galaxies(kind, 2, tail_fraction=0.2, companion_distance=2.0):
        drawn = draw(galaxy, conditions)
        flux = conditions.flux(galaxy.magnitude)
        assert drawn.image.sum() == pytest.approx(flux, rel=0.03)
        assert drawn.tail.sum() == pytest.approx(0.2 * flux, rel=0.03)
        with_tail = volunteers.measure(drawn, conditions)
        without = volunteers.measure(draw(galaxy._replace(tail_fraction=0.0), conditions), conditions)
        assert without["tail_visibility"] == 0 < with_tail["tail_visibility"]
        # An elliptical has no arms, whatever its tail looks like.
        assert kind == "S" or with_tail["arm_visibility"] < 1e-3
        # Most of it lies away from the companion.
        y, x = np.indices(drawn.tail.shape) - drawn.tail.shape[0] // 2
        away = np.cos(galaxy.companion_angle) * x + np.sin(galaxy.companion_angle) * y < 0
        assert drawn.tail[away].sum() > drawn.tail[~away].sum()


def test_raggedness_bends_the_arms_and_keeps_the_flux(conditions: Exposure) -> None:
    (galaxy,) = galaxies("S", 1, axis_ratio=0.9, disk_scale=3.0, arm_contrast=1.0, clumps=0)
    regular, ragged = (draw(galaxy._replace(arm_raggedness=r), conditions).image for r in (0.0, 0.6))
    assert np.abs(regular - ragged).max() > 0.03 * regular.max()
    assert ragged.sum() == pytest.approx(regular.sum(), rel=1e-3)
