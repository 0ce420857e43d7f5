import numpy as np
import pytest
from numpy.typing import NDArray

from galmorph.errors import GalmorphError
from galmorph.sdss import FRAME_SHAPE
from galmorph.sources.simulated import exposure, field, frames, pointing, volunteers
from galmorph.sources.simulated.exposure import PIXEL_SCALE


@pytest.fixture(scope="module")
def seen() -> frames.Observation:
    return frames.observe(11, 0, 0, 30)


def clipped(values: NDArray[np.float32]) -> NDArray[np.float32]:
    for _ in range(8):
        values = values[np.abs(values - np.median(values)) < 2.5 * values.std()]
    return values


def test_empty_sky_has_the_level_and_noise_of_sky_and_gain(seen: frames.Observation) -> None:
    taken = seen.exposure
    empty = np.ones(FRAME_SHAPE, bool)
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
    taken = exposure.draw(np.random.default_rng(1))
    for level in (0.0, 300.0, 20000.0):
        pixels = exposure.expose(np.full((400, 400), level, np.float32), taken, np.random.default_rng(2))
        assert pixels.mean() == pytest.approx(level + taken.sky, rel=1e-3)
        assert pixels.var() == pytest.approx((level + taken.sky) / taken.gain + taken.dark_variance, rel=0.02)


def test_galaxies_lie_clear_of_each_other_and_of_most_edges() -> None:
    rng = np.random.default_rng(3)
    radius = rng.uniform(1, 6, 60)
    near_edge = np.arange(60) % 10 == 9
    x, y = frames.place(radius, near_edge, rng)
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
        frames.place(np.full(600, 3.0), np.zeros(600, bool), np.random.default_rng(0))


def test_one_galaxy_in_fifty_is_near_an_edge() -> None:
    rows = [frames.observe(11, index, first, 10).truth for index, first in ((0, 40), (1, 50))]
    height, width = FRAME_SHAPE
    near = [
        int((np.minimum.reduce([t["x"], t["y"], width - 1 - t["x"], height - 1 - t["y"]]) < 64).sum()) for t in rows
    ]
    assert near == [1, 0]


def test_a_frame_depends_on_its_seed_and_number_alone(seen: frames.Observation) -> None:
    again = frames.observe(11, 0, 0, 30)
    np.testing.assert_array_equal(again.pixels, seen.pixels)
    for seed, index in ((12, 0), (11, 1)):
        other = frames.observe(seed, index, 0, 3)
        assert other.exposure != seen.exposure
        assert not np.array_equal(other.truth["redshift"], seen.truth["redshift"][:3])


def test_the_vote_seed_changes_no_pixel(seen: frames.Observation, monkeypatch: pytest.MonkeyPatch) -> None:
    votes = volunteers.poll(seen.truth, frames.stream(11, 0, frames.VOTES))
    monkeypatch.setattr(frames, "VOTES", 77)
    again = frames.observe(11, 0, 0, 30)
    np.testing.assert_array_equal(again.pixels, seen.pixels)
    assert not votes.equals(volunteers.poll(again.truth, frames.stream(11, 0, frames.VOTES)))


def test_sources_have_the_density_the_slope_and_the_flux_they_should() -> None:
    rng = np.random.default_rng(2)
    truth = frames.observe(11, 3, 0, 2).truth
    tables = [field.draw(truth.iloc[:0], rng) for _ in range(30)]
    counts = np.array([len(table) for table in tables])
    assert counts.mean() == pytest.approx(0.75 / 64**2 * 2048 * 1489, rel=0.05)
    magnitudes = np.concatenate([table["magnitude"] for table in tables])
    assert (magnitudes < 21.5).mean() == pytest.approx(10**-0.33, rel=0.05)
    taken = exposure.draw(rng)
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


def test_pointings_do_not_overlap_and_name_valid_frames() -> None:
    looks = [pointing.pointing(index) for index in range(0, 400)]
    assert len({(look.run, look.camcol, look.field) for look in looks}) == 400
    assert np.mean([look.dec_first for look in looks]) == pytest.approx(0.1)
    ra, dec = (np.array([getattr(look, axis) for look in looks]) for axis in ("ra", "dec"))
    east = np.abs((ra[:, None] - ra + 180) % 360 - 180) * np.cos(np.radians(dec))[:, None]
    north = np.abs(dec[:, None] - dec)
    apart = (east > 1489 * 1.1e-4 * 1.03) | (north > 2048 * 1.1e-4 * 1.03)
    assert (apart | np.eye(400, dtype=bool)).all()
    last = pointing.pointing(pointing.FRAMES - 1)
    assert last.run < 2**16
    assert abs(last.dec) < 30


def test_a_survey_larger_than_the_sky_is_refused() -> None:
    with pytest.raises(GalmorphError, match=r"simulated\.galaxies"):
        pointing.pointing(pointing.FRAMES)


@pytest.mark.parametrize("index", [0, 5])
def test_x_runs_north_and_y_east(index: int) -> None:
    look = pointing.pointing(index)
    assert look.dec_first == (index == 5)
    ra, dec = look.sky(np.array([1023.5, 1123.5, 1023.5]), np.array([743.5, 743.5, 843.5]))
    assert ra[0] == pytest.approx(look.ra, abs=1e-7)
    assert dec[0] == pytest.approx(look.dec, abs=1e-7)
    assert (dec[1] - dec[0]) * 3600 == pytest.approx(39.6, rel=0.01)
    assert (ra[2] - ra[0]) * np.cos(np.radians(dec[0])) * 3600 == pytest.approx(39.6, rel=0.01)
