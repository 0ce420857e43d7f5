from dataclasses import replace
from typing import Any

import galsim
import numpy as np
import pytest
from numpy.typing import NDArray

from galmorph.sdss.names import PIXEL_SCALE
from galmorph.sources.simulated import drawing, exposure, measures, population
from galmorph.sources.simulated.exposure import Exposure

OFFSET = (0.11, -0.07)


@pytest.fixture(scope="module")
def taken() -> Exposure:
    return exposure.draw(1, 1.43, np.random.default_rng(3))[0]


def galaxies(kind: str, count: int, **changes: float) -> list[Any]:
    table = population.draw(40 * count, np.random.default_rng(4))
    chosen = table[table["kind"] == kind].iloc[:count].assign(**({"tail_fraction": 0.0} | changes))
    assert len(chosen) == count
    return list(chosen.itertuples())


def centroid(image: NDArray[np.float32]) -> NDArray[np.float64]:
    """In arcsec from the middle pixel, in a window that is moved onto it until it stays."""
    n = image.shape[0] // 2
    y, x = np.indices(image.shape) - n
    cx = cy = 0.0
    for _ in range(40):
        weight = image * np.exp(-((x - cx) ** 2 + (y - cy) ** 2) / (2 * 5.0**2))
        cx, cy = (x * weight).sum() / weight.sum(), (y * weight).sum() / weight.sum()
    return np.array([cx, cy]) * PIXEL_SCALE


@pytest.mark.parametrize("kind", ["E", "S0", "S"])
def test_flux_is_that_of_the_magnitude(kind: str, taken: Exposure) -> None:
    for galaxy in galaxies(kind, 12):
        stamp = drawing.draw(galaxy, taken, OFFSET, np.random.default_rng(0))
        flux = 10 ** (-0.4 * (galaxy.magnitude - 20)) * taken.flux20
        assert stamp.image.sum() == pytest.approx(flux, rel=0.02)
        assert stamp.reference.sum() == pytest.approx(flux, rel=0.02)
        # The stamp is large enough: next to nothing is left at its border.
        border = np.concatenate([stamp.image[0], stamp.image[-1], stamp.image[:, 0], stamp.image[:, -1]])
        assert np.abs(border).max() < 0.02 * stamp.image.max()
        assert stamp.image.min() > -0.3


def test_an_elliptical_is_what_galsim_draws(taken: Exposure) -> None:
    """One PSF, one pixel response, and the centre where it was asked for: a second pixel would be seen at 3 %."""
    for galaxy in galaxies("E", 5):
        stamp = drawing.draw(galaxy, taken, OFFSET, np.random.default_rng(0))
        radius = galaxy.bulge_radius
        profile = galsim.Sersic(galaxy.bulge_index, half_light_radius=radius, trunc=8 * radius)
        profile = profile.shear(q=galaxy.axis_ratio, beta=galaxy.position_angle * galsim.radians).shift(*OFFSET)
        n = stamp.image.shape[0] + 1
        seen = galsim.Convolve(profile.withFlux(taken.flux(galaxy.magnitude)), taken.psf)
        expected = seen.drawImage(nx=n, ny=n, scale=PIXEL_SCALE).array[:-1, :-1]
        np.testing.assert_allclose(stamp.image, expected, atol=2e-3 * expected.max())


def test_bulge_and_disk_share_one_centre(taken: Exposure) -> None:
    """A disk off its bulge by a tenth of an arcsec would tell spirals from ellipticals without a look at the arms."""
    for fraction in (0.0, 1.0):
        for galaxy in galaxies("S0", 3, bulge_fraction=fraction, axis_ratio=0.8, bulge_axis_ratio=0.8):
            for offset in ((0.0, 0.0), OFFSET):
                image = drawing.draw(galaxy, taken, offset, np.random.default_rng(0)).image
                np.testing.assert_allclose(centroid(image), offset, atol=0.004)


def test_a_disk_has_the_inclination_and_angle_of_its_row(taken: Exposure) -> None:
    sharp = replace(taken, fwhm=1.0, _transfers={})
    for ratio, angle in ((0.35, 0.4), (0.7, 2.5)):
        changes = {"disk_scale": 4.0, "bulge_fraction": 0.0, "axis_ratio": ratio, "position_angle": angle}
        galaxy = galaxies("S0", 1, **changes)[0]
        image = drawing.draw(galaxy, sharp, (0.0, 0.0), np.random.default_rng(0)).image
        y, x = np.indices(image.shape) - image.shape[0] // 2
        inside = image > 0.05 * image.max()
        assert measures.isophote(image, 0.05 * image.max())[0] == pytest.approx(ratio, abs=0.06)
        xx, yy, xy = ((a * b)[inside].mean() for a, b in ((x, x), (y, y), (x, y)))
        measured = 0.5 * np.arctan2(2 * xy, xx - yy) % np.pi
        assert measured == pytest.approx(angle, abs=0.03)


def test_arms_are_the_difference_from_the_smooth_galaxy(taken: Exposure) -> None:
    for galaxy in galaxies("S", 6, axis_ratio=0.8, bar_fraction=0.0, clumps=0, disk_scale=3.0):
        weak, strong = (
            drawing.draw(galaxy._replace(arm_contrast=contrast), taken, OFFSET, np.random.default_rng(1))
            for contrast in (0.1, 1.2)
        )
        np.testing.assert_array_equal(weak.reference, strong.reference)
        seen = [measures.visibility(s.image, s.reference, taken) for s in (weak, strong)]
        assert seen[1] > 2 * seen[0] > 0


def test_bar_and_clumps_are_structure_too(taken: Exposure) -> None:
    plain = galaxies("S", 1, axis_ratio=0.8, bar_fraction=0.0, clumps=0, arm_contrast=0.02, flocculence=0.0)[0]
    for change in ({"bar_fraction": 0.15}, {"clumps": 12}):
        stamps = [drawing.draw(g, taken, OFFSET, np.random.default_rng(1)) for g in (plain, plain._replace(**change))]
        seen = [measures.visibility(s.image, s.reference, taken) for s in stamps]
        assert seen[1] > 1.5 * seen[0]


def test_winding_mirrors_the_arms(taken: Exposure) -> None:
    """With the lines of nodes along x and the arms' phase zero, the other winding is the mirror image in x."""
    changes = {
        "axis_ratio": 0.9, "position_angle": 0.0, "arm_phase": 0.0, "arm_wobble": 0.0, "lopsidedness": 0.0,
        "arm_raggedness": 0.0,
        "flocculence": 0.0, "bar_fraction": 0.0, "clumps": 0, "dust": 0.0, "arm_contrast": 1.0, "disk_scale": 3.0,
    }  # fmt: skip
    galaxy = galaxies("S", 1, **changes)[0]
    flat = np.random.default_rng(0)
    round_psf = replace(taken, ellipticity=0.0, _transfers={})

    class Still:
        """Patches that are the same everywhere: only the arms are to be compared."""

        def standard_normal(self, shape: tuple[int, int], dtype: Any) -> NDArray[Any]:
            noise = flat.standard_normal((shape[0] // 2 - 1, shape[1]), dtype=dtype)
            middle = np.zeros((1, shape[1]), dtype)
            # Symmetric about the middle row, as the mirror is.
            return np.concatenate([middle, noise, middle, noise[::-1]])

        def normal(self, *_: Any) -> NDArray[Any]:
            return np.zeros(0)

    images = []
    for winding in (1, -1):
        flat = np.random.default_rng(0)
        still: Any = Still()
        images.append(drawing.draw(galaxy._replace(winding=winding), round_psf, (0.0, 0.0), still).image)
    there, mirrored = images[0][1:], images[1][1:][::-1]
    assert np.abs(there - images[1][1:]).max() > 0.05 * there.max()
    np.testing.assert_allclose(there, mirrored, atol=2e-3 * there.max())


def test_the_largest_galaxies_still_fit_the_drawing_grid() -> None:
    table = population.draw(20000, np.random.default_rng(8))
    rows: Any = table.itertuples()
    needed = [drawing.side(galaxy) for galaxy in rows]
    assert max(needed) <= drawing.SIDES[-1]
    assert np.median(needed) <= 256


def test_a_tail_is_light_taken_from_the_galaxy_and_no_part_of_its_arms(taken: Exposure) -> None:
    for kind in ("E", "S"):
        for galaxy in galaxies(kind, 3, tail_fraction=0.2, companion_distance=2.0):
            stamp = drawing.draw(galaxy, taken, OFFSET, np.random.default_rng(1))
            assert stamp.tidal is not None
            flux = taken.flux(galaxy.magnitude)
            assert stamp.image.sum() == pytest.approx(flux, rel=0.03)
            assert stamp.tidal[::2, ::2].sum() == pytest.approx(0.2 * flux, rel=0.03)
            without = drawing.draw(galaxy._replace(tail_fraction=0.0), taken, OFFSET, np.random.default_rng(1))
            seen, plain = measures.measure(stamp, taken), measures.measure(without, taken)
            assert plain["tail_visibility"] == 0 < seen["tail_visibility"]
            # An elliptical has no arms, whatever its tail looks like.
            assert kind == "S" or seen["arm_visibility"] < 1e-3
            # Most of it lies away from the companion.
            side = np.cos(galaxy.companion_angle), np.sin(galaxy.companion_angle)
            y, x = np.indices(stamp.tidal.shape) - stamp.tidal.shape[0] // 2
            away = (side[0] * x + side[1] * y) < 0
            assert stamp.tidal[away].sum() > stamp.tidal[~away].sum()


def test_raggedness_bends_the_arms_and_moves_no_light_in_or_out(taken: Exposure) -> None:
    smooth, ragged = (
        galaxies("S", 1, axis_ratio=0.9, disk_scale=3.0, arm_contrast=1.0, arm_raggedness=0.0, clumps=0)[0],
        0.6,
    )
    images = [
        drawing.draw(smooth._replace(arm_raggedness=r), taken, OFFSET, np.random.default_rng(1)).image
        for r in (0.0, ragged)
    ]
    assert np.abs(images[0] - images[1]).max() > 0.03 * images[0].max()
    assert images[1].sum() == pytest.approx(images[0].sum(), rel=1e-3)
