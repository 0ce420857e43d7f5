import numpy as np
import pytest
from astropy import units as u
from astropy.coordinates import SkyCoord
from numpy.typing import NDArray

from galmorph.errors import GalmorphError
from galmorph.sdss.frames import FRAME_SHAPE
from galmorph.sdss.names import PIXEL_SCALE
from galmorph.settings.survey import SimulatedSettings
from galmorph.sources.simulated import exposure, field, frames, pointing, volunteers

SETTINGS = SimulatedSettings(seed=11, galaxies=300, galaxies_per_frame=30, band="r", seeing=1.43, types=None)


@pytest.fixture(scope="module")
def strip() -> list[frames.Observation]:
    return frames.observe(SETTINGS, 0, 0, 60)


@pytest.fixture(scope="module")
def seen(strip: list[frames.Observation]) -> frames.Observation:
    return strip[0]


def clipped(values: NDArray[np.float32]) -> NDArray[np.float32]:
    for _ in range(8):
        values = values[np.abs(values - np.median(values)) < 2.5 * values.std()]
    return values


def test_empty_sky_has_the_level_and_noise_of_sky_and_gain(seen: frames.Observation) -> None:
    taken = seen.exposure
    empty = np.ones(FRAME_SHAPE, bool)
    # Rows that the frame shares with the next hold some of the next one's sources.
    empty[-140:] = False
    for table, reach in ((seen.sources, 15), (seen.truth, 60)):
        for cx, cy in table[["x", "y"]].to_numpy():
            rows = slice(max(int(cy) - reach, 0), max(int(cy) + reach, 0))
            columns = slice(max(int(cx) - reach, 0), max(int(cx) + reach, 0))
            empty[rows, columns] = False
    assert empty.mean() > 0.3
    pixels = clipped(seen.pixels[empty])
    # Clipping at 2.5 sigma leaves 0.95 of a Gaussian's deviation.
    assert pixels.std() / 0.952 == pytest.approx(np.sqrt(taken.sky / taken.gain + 1.1**2), rel=0.03)
    assert np.median(pixels) == pytest.approx(taken.sky, rel=0.03)
    # White: neighbouring pixels know nothing of each other.
    residual = np.where(empty, seen.pixels - taken.sky, 0)[:-1]
    both = empty[:-1, 1:] & empty[:-1, :-1]
    assert abs(np.mean((residual[:, 1:] * residual[:, :-1])[both])) < 0.03 * taken.sky_noise**2


def test_bright_pixels_have_the_noise_of_their_photons() -> None:
    (taken,) = exposure.draw(1, 1.43, np.random.default_rng(1))
    for level in (0.0, 300.0, 20000.0):
        pixels = exposure.expose(np.full((400, 400), level, np.float32), taken, np.random.default_rng(2))
        assert pixels.mean() == pytest.approx(level + taken.sky, rel=1e-3)
        assert pixels.var() == pytest.approx((level + taken.sky) / taken.gain + taken.dark_variance, rel=0.02)


def test_galaxies_lie_clear_of_each_other_and_of_most_edges() -> None:
    rng = np.random.default_rng(3)
    radius = rng.uniform(1, 6, 60)
    near_edge = np.arange(60) % 10 == 9
    x, y = frames.place(radius, near_edge, FRAME_SHAPE, rng)
    height, width = FRAME_SHAPE
    depth = np.minimum.reduce([x, y, width - 1 - x, height - 1 - y])
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
        frames.place(np.full(600, 3.0), np.zeros(600, bool), FRAME_SHAPE, np.random.default_rng(0))


def test_one_galaxy_in_fifty_is_near_an_edge_of_its_strip() -> None:
    near = []
    for strip, first in ((0, 40), (1, 50)):
        truth = frames.compose(SETTINGS, strip, first, 10).truth
        height, width = FRAME_SHAPE
        x, y = truth["x"], truth["y"]
        near.append(int((np.minimum.reduce([x, y, width - 1 - x, height - 1 - y]) < 64).sum()))
    assert near == [1, 0]


def test_a_strip_depends_on_its_seed_and_number_alone(strip: list[frames.Observation]) -> None:
    for one, two in zip(strip, frames.observe(SETTINGS, 0, 0, 60), strict=True):
        np.testing.assert_array_equal(one.pixels, two.pixels)
    for seed, number in ((12, 0), (11, 1)):
        other = frames.compose(SETTINGS.model_copy(update={"seed": seed}), number, 0, 3)
        assert other.exposures[0] != strip[0].exposure
        assert not np.array_equal(other.truth["redshift"], strip[0].truth["redshift"][:3])


def test_the_vote_seed_changes_no_pixel(seen: frames.Observation, monkeypatch: pytest.MonkeyPatch) -> None:
    votes = volunteers.poll(seen.truth, frames.stream(11, 0, frames.VOTES))
    monkeypatch.setattr(frames, "VOTES", 77)
    again = frames.observe(SETTINGS, 0, 0, 60)[0]
    np.testing.assert_array_equal(again.pixels, seen.pixels)
    assert not votes.equals(volunteers.poll(again.truth, frames.stream(11, 0, frames.VOTES)))


def test_two_fields_of_a_strip_share_rows_and_what_is_in_them(strip: list[frames.Observation]) -> None:
    first, second = strip
    overlap = FRAME_SHAPE[0] - pointing.FIELD_ROWS
    assert overlap == 128
    np.testing.assert_array_equal(first.pixels[-overlap:], second.pixels[:overlap])
    assert len(first.truth) + len(second.truth) == 60
    # A galaxy is its own frame's where a stamp of 64 pixels fits into it on the side that the two share.
    assert (first.truth["y"] < FRAME_SHAPE[0] - overlap / 2).all()
    assert (second.truth["y"] >= overlap / 2).all()
    # Both headers put a galaxy at the same place of the sky.
    position = SkyCoord(first.truth["ra"].to_numpy() * u.deg, first.truth["dec"].to_numpy() * u.deg)
    x, y = second.pointing.wcs().world_to_pixel(position)
    np.testing.assert_allclose(x, first.truth["x"], atol=0.02)
    np.testing.assert_allclose(y, first.truth["y"] - pointing.FIELD_ROWS, atol=0.02)
    # One scan: one sky and one zero point; the seeing drifts.
    assert (first.exposure.sky, first.exposure.flux20) == (second.exposure.sky, second.exposure.flux20)
    assert 0 < abs(np.log(first.exposure.fwhm / second.exposure.fwhm)) < 0.15


def test_seeing_has_the_quartiles_of_dr7() -> None:
    rng = np.random.default_rng(5)
    widths = [exposure.draw(1, 1.43, rng)[0].psf_width for _ in range(4000)]
    np.testing.assert_allclose(np.quantile(widths, [0.25, 0.5, 0.75]), [1.30, 1.43, 1.58], atol=0.02)


def test_sources_have_the_density_the_slope_and_the_flux_they_should() -> None:
    rng = np.random.default_rng(2)
    truth = frames.compose(SETTINGS, 3, 0, 2).truth
    tables = [field.draw(truth.iloc[:0], FRAME_SHAPE, rng) for _ in range(30)]
    counts = np.array([len(table) for table in tables])
    assert counts.mean() == pytest.approx(0.75 / 64**2 * 2048 * 1489, rel=0.05)
    magnitudes = np.concatenate([table["magnitude"] for table in tables])
    assert (magnitudes < 21.5).mean() == pytest.approx(10**-0.33, rel=0.05)
    (taken,) = exposure.draw(1, 1.43, rng)
    source = tables[0].iloc[:1].assign(x=700.3, y=500.6, magnitude=17.0)
    for star in (True, False):
        for flip in range(4):
            scene = np.zeros(FRAME_SHAPE, np.float32)
            field.paint(scene, source.assign(is_star=star, flip=flip), taken, np.random.default_rng(4))
            assert scene.sum() == pytest.approx(taken.flux(17.0), rel=0.02)
            y, x = np.nonzero(scene > 0.02 * scene.max())
            weight = scene[y, x]
            assert (x * weight).sum() / weight.sum() == pytest.approx(700.3, abs=0.2)
            assert (y * weight).sum() / weight.sum() == pytest.approx(500.6, abs=0.2)


def test_stamps_over_the_edge_are_cut_off() -> None:
    scene = np.zeros((20, 30), np.float32)
    field.add(scene, np.ones((5, 5), np.float32), -2, 18)
    field.add(scene, np.ones((5, 5), np.float32), 40, 5)
    assert scene.sum() == 3 * 2
    assert scene[18:, :3].all()


def test_only_fields_of_one_strip_overlap_and_frames_have_valid_names() -> None:
    looks = [pointing.pointing(strip, part) for strip in range(200) for part in (0, 1)]
    assert len({(look.run, look.camcol, look.field) for look in looks}) == 400
    assert np.mean([look.dec_first for look in looks]) == pytest.approx(0.1)
    ra, dec = (np.array([getattr(look, axis) for look in looks]) for axis in ("ra", "dec"))
    east = np.abs((ra[:, None] - ra + 180) % 360 - 180) * np.cos(np.radians(dec))[:, None]
    north = np.abs(dec[:, None] - dec)
    apart = (east > 1489 * 1.1e-4 * 1.03) | (north > 2048 * 1.1e-4 * 1.03)
    same_strip = np.arange(400)[:, None] // 2 == np.arange(400) // 2
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
