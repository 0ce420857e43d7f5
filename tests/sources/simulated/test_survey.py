import gzip
import hashlib
import re
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from astropy import units as u
from astropy.coordinates import SkyCoord
from astropy.io import fits
from astropy.wcs import WCS
from numpy.typing import NDArray

from galmorph.errors import GalmorphError
from galmorph.sdss import galaxyzoo
from galmorph.sdss import names as sdss
from galmorph.sdss.frames import FRAME_SHAPE, read_frame
from galmorph.sdss.redshifts import join_redshifts, read_redshifts
from galmorph.settings.survey import SimulatedSettings
from galmorph.sources.simulated import acquire, archive, frames, pointing, survey, volunteers

SETTINGS = SimulatedSettings(seed=7, galaxies=13, galaxies_per_frame=2, band="r", seeing=1.43, types=None)
FRAMES = [(0, 0), (0, 1), (1, 0), (1, 1), (2, 0), (2, 1), (3, 0)]  # strip and part
KNOWN_WARNINGS = re.compile(r"RADECSYS|MJD-OBS")


def rows_of(table: pd.DataFrame) -> list[Any]:
    return list(table.itertuples())


def made(folder: Path, workers: int, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("GALMORPH_WORKERS", str(workers))
    folder.mkdir()
    acquire(SETTINGS, folder)
    return folder


def digests(folder: Path) -> dict[str, str]:
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    with pytest.MonkeyPatch.context() as patch:
        return made(tmp_path_factory.mktemp("survey") / "raw", 2, patch)


@pytest.fixture(scope="module")
def catalogue(root: Path) -> pd.DataFrame:
    return galaxyzoo.read_table2(root / "GalaxyZoo1_DR_table2.csv")


def frame_of(objid: int, root: Path) -> Path:
    name = sdss.ObjectId.decode(objid)
    return root / sdss.FrameName("dr7", *name.place, "r").path(name.rerun)


def test_bytes_do_not_depend_on_the_number_of_workers(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    again = digests(made(tmp_path / "again", 1, monkeypatch))
    assert again == digests(root)
    assert len(again) == 2 * 7 + 3


def test_every_object_id_names_a_frame_and_its_calibration(root: Path, catalogue: pd.DataFrame) -> None:
    assert len(catalogue) == 13
    for objid in catalogue["objid"]:
        name = sdss.ObjectId.decode(objid)
        assert frame_of(objid, root).is_file()
        assert (root / sdss.tsfield_path(name.run, name.rerun, name.camcol, name.field)).is_file()
    named = set(catalogue["objid"].map(lambda objid: frame_of(objid, root)))
    assert named <= {root / archive.frame_file(pointing.pointing(*place)) for place in FRAMES}
    assert len(named) >= 5


def centroid(image: NDArray[np.float32], x: float, y: float) -> tuple[float, float]:
    i, j = round(x), round(y)
    part = image[j - 20 : j + 21, i - 20 : i + 21]
    rows, columns = np.indices(part.shape) + np.array([j - 20, i - 20])[:, None, None]
    for _ in range(25):
        weight = (part * np.exp(-((columns - x) ** 2 + (rows - y) ** 2) / (2 * 2.5**2))).clip(0)
        x, y = (columns * weight).sum() / weight.sum(), (rows * weight).sum() / weight.sum()
    return float(x), float(y)


@pytest.mark.parametrize("place", [(0, 0), (2, 0)])
def test_galaxies_are_where_table_2_says(place: tuple[int, int], root: Path, catalogue: pd.DataFrame) -> None:
    """In both kinds of header, by the position as printed and the public reader."""
    truth = pd.read_parquet(root / "truth.parquet")
    look = pointing.pointing(*place)
    frame = read_frame(root / archive.frame_file(look))
    here = catalogue["objid"].map(lambda objid: frame_of(objid, root).name == frame.name.file)
    smooth = truth["kind"].ne("S") & (truth["merger_appearance"] < 0.05)
    chosen = catalogue[here & smooth]
    assert here.sum() > 0
    for row in rows_of(catalogue[here]):
        x, y = frame.wcs.world_to_pixel(SkyCoord(row.ra * u.deg, row.dec * u.deg))
        exact = truth[truth["objid"] == row.objid].iloc[0]
        assert np.hypot(x - exact["x"], y - exact["y"]) < 0.35
        # Nothing is at the place where the axes would be if they were exchanged or mirrored.
        assert 0 <= x < 2048
        assert 0 <= y < 1489
    for row in rows_of(chosen):
        x, y = (float(v) for v in frame.wcs.world_to_pixel(SkyCoord(row.ra * u.deg, row.dec * u.deg)))
        mx, my = centroid(frame.image - np.median(frame.image), x, y)
        assert np.hypot(mx - x, my - y) < 0.6
    assert here.sum() > 0


def test_flux_in_a_frame_is_that_of_the_magnitude() -> None:
    """The brightest compact galaxies of some frames, in an aperture of 12 arcsec."""
    ratios = []
    rows, columns = np.indices(FRAME_SHAPE)
    for strip in range(3):
        (seen,) = frames.observe(SETTINGS.model_copy(update={"galaxies_per_frame": 20}), strip, 0, 20)
        bright = seen.sources[seen.sources["magnitude"] < 21]
        for galaxy in rows_of(seen.truth):
            alone = (np.hypot(bright["x"] - galaxy.x, bright["y"] - galaxy.y) > 50).all()
            if alone and galaxy.half_light_radius < 2.5 and galaxy.magnitude < 17.2 and galaxy.kind != "E":
                distance = np.hypot(columns - galaxy.x, rows - galaxy.y)
                sky = np.median(seen.pixels[(distance > 40) & (distance < 55)])
                flux = (seen.pixels[distance < 30] - sky).sum()
                ratios.append(flux / (10 ** (-0.4 * (galaxy.magnitude - 20)) * seen.exposure.flux20))
    assert len(ratios) >= 4
    assert np.median(ratios) == pytest.approx(1, abs=0.02)


def test_frames_have_the_headers_and_the_flavours_of_the_archive(root: Path) -> None:
    for strip, part in FRAMES:
        path = root / archive.frame_file(pointing.pointing(strip, part))
        assert path.read_bytes()[4:8] == bytes(4)
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            with fits.open(path) as hdus:
                header, data = hdus[0].header, hdus[0].data
                WCS(header)
        assert caught
        assert all(KNOWN_WARNINGS.search(str(warning.message)) for warning in caught)
        assert data.shape == (1489, 2048)
        assert data.dtype == np.uint16
        assert header["BZERO"] == 32768
        assert header["SOFTBIAS"] == 1000
        assert isinstance(header["EXPTIME"], str)
        assert header["FILTER"] == "r"
        assert f"fpC-{header['RUN']:06d}-r{header['CAMCOL']}-{header['FRAME']:04d}.fit.gz" == path.name
        assert ("SKY" in header) == ("FLUX20" in header) == ((strip + part) % 2 == 0)
        assert header["CTYPE1"] == ("DEC--TAN" if (strip, part) == (2, 0) else "RA---TAN")
        assert 1000 + 90 < np.median(data) < 1000 + 230


@pytest.mark.real
def test_headers_and_calibration_resemble_real_ones(root: Path, real_data: Path) -> None:
    look = pointing.pointing(0, 0)
    with gzip.open(root / archive.frame_file(look)) as stream:
        ours = fits.Header.fromfile(stream)
    with gzip.open(real_data / "frames_dr7_r" / "fpC-006377-r4-0399.fit.gz") as stream:
        theirs = fits.Header.fromfile(stream)
    # Every keyword of ours is one of theirs, of the same type.
    for keyword in ours:
        assert keyword in theirs, keyword
        # 32768 and 32768.0 are one to every reader.
        if keyword not in ("BZERO", "BSCALE"):
            assert type(ours[keyword]) is type(theirs[keyword]), keyword
    with (
        fits.open(root / archive.tsfield_file(look)) as made,
        fits.open(real_data / "calibration" / "tsField-006377-4-40-0399.fit") as real,
    ):
        for column in made[1].columns:
            assert made[1].data[column.name].shape == real[1].data[column.name].shape
            assert column.format == real[1].columns[column.name].format
        for name in ("gain", "dark_variance", "aa", "kk", "airmass", "sky", "psf_width"):
            np.testing.assert_allclose(made[1].data[name], real[1].data[name], rtol=0.8, err_msg=name)


def test_calibration_tells_the_truth_about_the_frame(root: Path) -> None:
    truth = pd.read_parquet(root / "truth.parquet")
    for row in rows_of(truth):
        name = sdss.ObjectId.decode(row.objid)
        with fits.open(root / sdss.tsfield_path(name.run, name.rerun, name.camcol, name.field)) as hdus:
            data = hdus[1].data[0]
            assert data["psf_width"][2] == pytest.approx(row.psf_width)
            magnitude = -2.5 * np.log10(row.flux20 / 53.907456) - (data["aa"] + data["kk"] * data["airmass"])[2]
            assert magnitude == pytest.approx(20, abs=1e-4)
            assert data["gain"][2] == pytest.approx(4.72)
            assert data["dark_variance"][2] == pytest.approx(1.21)


def test_tables_have_the_formats_of_the_originals(root: Path, catalogue: pd.DataFrame) -> None:
    lines = (root / "GalaxyZoo1_DR_table2.csv").read_text().splitlines()
    assert lines[0] == ",".join(galaxyzoo.COLUMNS)
    share = r"(?:0|1|0\.\d{1,2}[1-9]|0\.\d?[1-9])"
    row = re.compile(
        rf"\d{{18}},\d\d:\d\d:\d\d\.\d\d,[+-]\d\d:\d\d:\d\d\.\d,\d\d,(?:{share},){{9}}(?:1,0,0|0,1,0|0,0,1)"
    )
    for line in lines[1:]:
        assert row.fullmatch(line), line
    assert catalogue["ra"].is_monotonic_increasing
    redshifts = read_redshifts(root / "redshifts.csv")
    assert (redshifts["objid"] != 0).sum() == 13
    joined = join_redshifts(catalogue, redshifts)
    truth = pd.read_parquet(root / "truth.parquet")
    np.testing.assert_allclose(joined["redshift"], truth["redshift"], atol=1e-5)
    assert truth["objid"].tolist() == catalogue["objid"].tolist()
    assert set(volunteers.VOTED_ON) <= set(truth.columns)
    assert truth.notna().all().all()


def test_votes_in_table_2_are_a_function_of_the_truth(root: Path, catalogue: pd.DataFrame) -> None:
    truth = pd.read_parquet(root / "truth.parquet")
    for strip in range(4):
        names = {archive.frame_file(pointing.pointing(strip, part)) for part in (0, 1)}
        here = truth[truth["objid"].map(lambda objid, names=names: str(frame_of(objid, Path())) in names)]
        votes = volunteers.poll(here.sort_values("objid"), frames.stream(SETTINGS.seed, strip, frames.VOTES))
        printed = catalogue.set_index("objid").loc[here["objid"].sort_values()]
        np.testing.assert_array_equal(votes["NVOTE"], printed["nvote"])
        np.testing.assert_array_equal(votes["P_EL_DEBIASED"], printed["p_el_debiased"])


@pytest.mark.parametrize(
    ("value", "decimals", "text"),
    [(0.0, 2, "00:00:00.00"), (23.99999999, 2, "24:00:00.00"), (-0.5, 1, "-00:30:00.0"), (14.5166722, 1, "14:31:00.0"),
     (12.5826, 1, "12:34:57.4")],
)  # fmt: skip
def test_sexagesimal(value: float, decimals: int, text: str) -> None:
    assert archive.sexagesimal(value, decimals) == text


def test_a_right_ascension_that_rounds_to_24_hours_begins_anew(tmp_path: Path, root: Path) -> None:
    truth = pd.read_parquet(root / "truth.parquet").iloc[:1]
    votes = volunteers.poll(truth, np.random.default_rng(0))
    row = pd.concat([truth, votes], axis=1).assign(ra=359.99999999, dec=-0.00001)
    archive.write_table2(row, tmp_path / "t.csv")
    line = (tmp_path / "t.csv").read_text().splitlines()[1]
    assert line.split(",")[1:3] == ["00:00:00.00", "-00:00:00.0"]


def test_impossible_sizes_are_refused_before_anything_is_drawn(tmp_path: Path) -> None:
    too_many = SETTINGS.model_copy(update={"galaxies": 10**6, "galaxies_per_frame": 1})
    with pytest.raises(GalmorphError, match=r"simulated\.galaxies"):
        acquire(too_many, tmp_path)
    assert not list(tmp_path.iterdir())


def test_galaxies_that_do_not_fit_are_refused_before_anything_is_drawn(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(frames, "CLEAR", 2000)
    with pytest.raises(GalmorphError, match=r"simulated\.galaxies_per_frame: no room for 4 galaxies"):
        acquire(SETTINGS, tmp_path)
    assert not list(tmp_path.iterdir())


def test_classes_come_in_the_proportions_of_the_real_table(tmp_path: Path) -> None:
    settings = SETTINGS.model_copy(update={"seed": 20081101, "galaxies_per_frame": 30})
    votes = pd.concat([survey.take(settings, strip, 60 * strip, 60, str(tmp_path))[1] for strip in range(10)])
    share = votes[["SPIRAL", "ELLIPTICAL", "UNCERTAIN"]].mean()
    assert 0.20 < share["SPIRAL"] < 0.33
    assert 0.06 < share["ELLIPTICAL"] < 0.15
    assert votes[["P_EL", "P_CS"]].mean().tolist() == pytest.approx([0.55, 0.35], abs=0.06)
