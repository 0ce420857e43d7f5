from typing import Any

import numpy as np
import pytest
from astropy import units as u
from astropy.coordinates import SkyCoord
from astropy.stats import sigma_clip

from galmorph.errors import GalmorphError
from galmorph.sdss.frames import FRAME_SHAPE
from galmorph.sdss.names import PIXEL_SCALE
from galmorph.settings.survey import SimulatedSettings
from galmorph.sources.simulated import frames
from galmorph.sources.simulated.exposure import Exposure
from galmorph.sources.simulated.pointing import FIELD_ROWS

HEIGHT, WIDTH = FRAME_SHAPE


def test_empty_sky_has_the_level_and_noise_of_sky_and_gain(strip: list[frames.Observation]) -> None:
    seen = strip[0]
    empty = np.ones(FRAME_SHAPE, bool)
    # Rows that the frame shares with the next hold some of the next one's sources.
    empty[-140:] = False
    for table, reach in ((seen.sources, 15), (seen.truth, 60)):
        for x, y in table[["x", "y"]].to_numpy(int).clip(reach):
            empty[y - reach : y + reach, x - reach : x + reach] = False
    assert empty.mean() > 0.3
    pixels = sigma_clip(seen.pixels[empty], 2.5, maxiters=8, masked=False)
    # Clipping at 2.5 sigma leaves 0.95 of a Gaussian's deviation.
    assert pixels.std() / 0.952 == pytest.approx(seen.exposure.sky_noise, rel=0.03)
    assert np.median(pixels) == pytest.approx(seen.exposure.sky, rel=0.03)
    # White: neighbouring pixels are not correlated.
    residual = np.where(empty, seen.pixels - seen.exposure.sky, 0)[:-1]
    both = empty[:-1, 1:] & empty[:-1, :-1]
    assert abs(np.mean((residual[:, 1:] * residual[:, :-1])[both])) < 0.03 * seen.exposure.sky_noise**2


def test_flux_in_a_frame_is_that_of_the_magnitude(strip: list[frames.Observation]) -> None:
    """Bright compact galaxies in an aperture of 12 arcsec."""
    ratios = []
    rows, columns = np.indices(FRAME_SHAPE)
    for seen in strip:
        bright = seen.sources[seen.sources["magnitude"] < 21]
        compact: Any = seen.truth.query("half_light_radius < 2.5 and magnitude < 17.3 and kind != 'E'")
        for galaxy in compact.itertuples():
            if (np.hypot(bright["x"] - galaxy.x, bright["y"] - galaxy.y) > 50).all():
                distance = np.hypot(columns - galaxy.x, rows - galaxy.y)
                sky = np.median(seen.pixels[(distance > 40) & (distance < 55)])
                ratios.append((seen.pixels[distance < 30] - sky).sum() / seen.exposure.flux(galaxy.magnitude))
    assert len(ratios) >= 4
    assert np.median(ratios) == pytest.approx(1, abs=0.02)


def test_galaxies_lie_clear_of_each_other_and_of_most_edges() -> None:
    rng = np.random.default_rng(3)
    radius = rng.uniform(1, 6, 60)
    near_edge = np.arange(60) % 10 == 9
    x, y = frames.place(radius, near_edge, FRAME_SHAPE, rng)
    depth = np.minimum.reduce([x, y, WIDTH - 1 - x, HEIGHT - 1 - y])
    assert (depth >= 0).all()
    np.testing.assert_array_equal(depth < 64, near_edge)
    distance = np.hypot(x[:, None] - x, y[:, None] - y) + np.diag(np.full(60, np.inf))
    assert distance.min() > 90
    # 2.5 half-light radii of the larger of two stay out of the 45 pixels around the other.
    reach = 2.5 * np.maximum(radius[:, None], radius) / PIXEL_SCALE
    assert (distance > 45 + reach).all()
    # Anywhere within a pixel.
    assert np.ptp(x % 1) > 0.8


def test_too_many_galaxies_for_a_frame_are_refused() -> None:
    with pytest.raises(GalmorphError, match=r"simulated\.galaxies_per_frame"):
        frames.place(np.full(300, 6.0), np.zeros(300, bool), FRAME_SHAPE, np.random.default_rng(0))


def test_one_galaxy_in_fifty_is_near_an_edge_of_its_strip(settings: SimulatedSettings) -> None:
    few = settings.model_copy(update={"galaxies": 60, "galaxies_per_frame": 10})
    for strip, expected in enumerate((0, 0, 1)):
        scene = frames.compose(few, strip)
        x, y = scene.truth["x"], scene.truth["y"]
        depth = np.minimum.reduce([x, y, scene.shape[1] - 1 - x, scene.shape[0] - 1 - y])
        assert (depth < 64).sum() == expected


@pytest.mark.parametrize(("seed", "number"), [(12, 0), (11, 1)])
def test_a_strip_depends_on_its_seed_and_number(
    seed: int, number: int, settings: SimulatedSettings, strip: list[frames.Observation]
) -> None:
    other = frames.compose(settings.model_copy(update={"seed": seed}), number)
    assert other.exposures[0] != strip[0].exposure
    assert not set(other.truth["redshift"]) & set(strip[0].truth["redshift"])


def test_two_fields_of_a_strip_share_rows_and_what_is_in_them(strip: list[frames.Observation]) -> None:
    first, second = strip
    overlap = HEIGHT - FIELD_ROWS
    assert overlap == 128
    np.testing.assert_array_equal(first.pixels[-overlap:], second.pixels[:overlap])
    assert len(first.truth) + len(second.truth) == 60
    # A galaxy belongs to the frame that has room for a stamp of 64 pixels on the shared side.
    assert (first.truth["y"] < HEIGHT - overlap / 2).all()
    assert (second.truth["y"] >= overlap / 2).all()
    # Both headers put a galaxy at the same place of the sky.
    position = SkyCoord(first.truth["ra"].to_numpy() * u.deg, first.truth["dec"].to_numpy() * u.deg)
    x, y = second.pointing.wcs().world_to_pixel(position)
    np.testing.assert_allclose(x, first.truth["x"], atol=0.02)
    np.testing.assert_allclose(y, first.truth["y"] - FIELD_ROWS, atol=0.02)


def test_sources_have_the_expected_density_and_number_counts(strip: list[frames.Observation]) -> None:
    rng = np.random.default_rng(2)
    tables = [frames.draw_sources(strip[0].truth.iloc[:0], FRAME_SHAPE, rng) for _ in range(30)]
    assert np.mean([len(table) for table in tables]) == pytest.approx(0.75 / 64**2 * WIDTH * HEIGHT, rel=0.05)
    magnitudes = np.concatenate([table["magnitude"] for table in tables])
    assert (magnitudes < 21.5).mean() == pytest.approx(10**-0.33, rel=0.05)


@pytest.mark.parametrize(("star", "flip"), [(True, 0), (False, 1), (False, 2), (False, 3)])
def test_a_painted_source_has_its_flux_and_place(
    star: bool, flip: int, strip: list[frames.Observation], conditions: Exposure
) -> None:
    source = strip[0].sources.iloc[:1].assign(x=100.3, y=120.6, magnitude=17.0, is_star=star, flip=flip)
    scene = np.zeros((240, 200), np.float32)
    frames.paint_sources(scene, source, conditions, np.random.default_rng(4))
    assert scene.sum() == pytest.approx(conditions.flux(17.0), rel=0.02)
    y, x = np.nonzero(scene > 0.02 * scene.max())
    assert np.average(x, weights=scene[y, x]) == pytest.approx(100.3, abs=0.2)
    assert np.average(y, weights=scene[y, x]) == pytest.approx(120.6, abs=0.2)


def test_stamps_are_cut_off_at_the_edge() -> None:
    scene = np.zeros((20, 30), np.float32)
    frames.add_stamp(scene, np.ones((5, 5), np.float32), -2, 18)
    frames.add_stamp(scene, np.ones((5, 5), np.float32), 40, 5)
    assert scene.sum() == 3 * 2
    assert scene[18:, :3].all()
