import gzip
import re
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from astropy import units as u
from astropy.coordinates import SkyCoord
from astropy.io import fits
from astropy.stats import SigmaClip, sigma_clipped_stats
from astropy.wcs import WCS
from numpy.typing import NDArray
from photutils.background import Background2D, MedianBackground
from photutils.centroids import centroid_sources
from photutils.detection import DAOStarFinder
from photutils.psf import fit_fwhm

from galmorph.errors import GalmorphError
from galmorph.sdss import galaxyzoo
from galmorph.sdss.frames import FRAME_SHAPE, read_frame, read_psf_width
from galmorph.sdss.names import PIXEL_SCALE, ObjectId
from galmorph.sdss.redshifts import join_redshifts, read_redshifts
from galmorph.settings.survey import SimulatedSettings
from galmorph.sources.simulated import acquire, exposure, frames, survey, volunteers
from galmorph.sources.simulated.pointing import pointing

SETTINGS = SimulatedSettings(seed=7, galaxies=13, galaxies_per_frame=2, band="r", seeing=1.43, types=None)
FRAMES = [(0, 0), (0, 1), (1, 0), (1, 1), (2, 0), (2, 1), (3, 0)]  # strip and part


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("survey")
    looks = [pointing(*place) for place in FRAMES]
    assert acquire(SETTINGS, folder) == [path for look in looks for path in (look.frame_path, look.tsfield_path)]
    return folder


@pytest.fixture(scope="module")
def catalogue(root: Path) -> pd.DataFrame:
    return galaxyzoo.read_table2(root / "GalaxyZoo1_DR_table2.csv")


@pytest.fixture(scope="module")
def truth(root: Path) -> pd.DataFrame:
    """The truth table, and the pointing of each galaxy's frame."""
    looks: dict[Any, Any] = {
        (look.run, look.camcol, look.field): look for look in (pointing(*place) for place in FRAMES)
    }
    table = pd.read_parquet(root / "truth.parquet")
    return table.assign(look=[looks[ObjectId.decode(objid).place] for objid in table["objid"]])


def calibration_in_r(path: Path) -> dict[str, float]:
    """Return the columns of a tsField file that have five bands."""
    data = fits.getdata(path)
    return {name: float(data[name][0][2]) for name in data.names if data[name].ndim == 2}


def test_files_are_those_of_every_frame_and_the_tables(root: Path, truth: pd.DataFrame) -> None:
    looks = [pointing(*place) for place in FRAMES]
    archive = {look.frame_path for look in looks} | {look.tsfield_path for look in looks}
    tables = {"GalaxyZoo1_DR_table2.csv", "redshifts.csv", "truth.parquet"}
    assert {str(path.relative_to(root)) for path in root.rglob("*") if path.is_file()} == archive | tables
    assert len(truth) == 13
    assert truth["look"].nunique() >= 5


def test_a_strip_made_alone_with_other_votes_has_the_same_frames(
    root: Path, catalogue: pd.DataFrame, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(frames, "VOTES", 77)
    made = survey.make_strip(SETTINGS, 2, str(tmp_path)).set_index("objid")
    files = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert len(files) == 4
    for path in files:
        assert path.read_bytes() == (root / path.relative_to(tmp_path)).read_bytes()
    assert made["NVOTE"].ne(catalogue.set_index("objid").loc[made.index, "nvote"]).any()


def test_votes_in_table_2_are_a_function_of_the_truth(truth: pd.DataFrame, catalogue: pd.DataFrame) -> None:
    for strip in range(4):
        here = truth[[look in (pointing(strip, 0), pointing(strip, 1)) for look in truth["look"]]].sort_values("objid")
        votes = volunteers.poll(here, frames.stream(SETTINGS.seed, strip, frames.VOTES))
        printed = catalogue.set_index("objid").loc[here["objid"]]
        np.testing.assert_array_equal(votes["NVOTE"], printed["nvote"])
        np.testing.assert_array_equal(votes["P_EL_DEBIASED"], printed["p_el_debiased"])


@pytest.mark.parametrize("place", [(0, 0), (2, 0)])
def test_galaxies_are_where_table_2_says(
    place: tuple[int, int], root: Path, truth: pd.DataFrame, catalogue: pd.DataFrame
) -> None:
    """With both orders of the axes in the header, by the printed position and astropy."""
    here = truth["look"] == pointing(*place)
    assert here.any()
    frame = read_frame(root / pointing(*place).frame_path)
    printed = SkyCoord(catalogue["ra"][here].to_numpy() * u.deg, catalogue["dec"][here].to_numpy() * u.deg)
    x, y = frame.wcs.world_to_pixel(printed)
    assert np.hypot(x - truth["x"][here], y - truth["y"][here]).max() < 0.35
    smooth = (truth["kind"].ne("S") & (truth["merger_appearance"] < 0.05))[here].to_numpy()
    image = frame.image - np.median(frame.image)
    seen = centroid_sources(image, x[smooth], y[smooth], box_size=11) if smooth.any() else np.empty((2, 0))
    assert (np.hypot(seen[0] - x[smooth], seen[1] - y[smooth]) < 0.6).all()


@pytest.mark.parametrize("place", [(0, 0), (0, 1), (2, 0)])
def test_headers_are_as_in_the_archive(place: tuple[int, int], root: Path) -> None:
    path = root / pointing(*place).frame_path
    assert path.read_bytes()[4:8] == bytes(4)  # no time in the gzip header
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        with fits.open(path) as hdus:
            header, data = hdus[0].header, hdus[0].data
            WCS(header)
    assert caught
    assert all(re.search("RADECSYS|MJD-OBS", str(warning.message)) for warning in caught)
    assert data.shape == FRAME_SHAPE
    assert data.dtype == np.uint16
    assert header["BZERO"] == 32768
    assert header["SOFTBIAS"] == 1000
    assert isinstance(header["EXPTIME"], str)
    assert header["FILTER"] == "r"
    assert f"fpC-{header['RUN']:06d}-r{header['CAMCOL']}-{header['FRAME']:04d}.fit.gz" == path.name
    assert ("SKY" in header) == ("FLUX20" in header) == (sum(place) % 2 == 0)
    assert header["CTYPE1"] == ("DEC--TAN" if place == (2, 0) else "RA---TAN")
    assert 1000 + 90 < np.median(data) < 1000 + 230


@pytest.mark.real
def test_headers_and_calibration_resemble_real_ones(root: Path, real_data: Path) -> None:
    look = pointing(0, 0)
    with gzip.open(root / look.frame_path) as stream:
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
        fits.open(root / look.tsfield_path) as made,
        fits.open(real_data / "calibration" / "tsField-006377-4-40-0399.fit") as real,
    ):
        for column in made[1].columns:
            assert made[1].data[column.name].shape == real[1].data[column.name].shape
            assert column.format == real[1].columns[column.name].format
        for name in ("gain", "dark_variance", "aa", "kk", "airmass", "sky", "psf_width"):
            np.testing.assert_allclose(made[1].data[name], real[1].data[name], rtol=0.8, err_msg=name)


def test_calibration_is_that_of_the_frame(root: Path, truth: pd.DataFrame) -> None:
    rows: Any = truth.drop_duplicates("psf_width").itertuples()
    for row in rows:
        r = calibration_in_r(root / row.look.tsfield_path)
        assert r["psf_width"] == pytest.approx(row.psf_width)
        magnitude = -2.5 * np.log10(row.flux20 / 53.907456) - (r["aa"] + r["kk"] * r["airmass"])
        assert magnitude == pytest.approx(20, abs=1e-4)
        assert r["gain"] == pytest.approx(4.72)
        assert r["dark_variance"] == pytest.approx(1.21)


def test_tables_have_the_formats_of_the_originals(root: Path, truth: pd.DataFrame, catalogue: pd.DataFrame) -> None:
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
    np.testing.assert_allclose(joined["redshift"], truth["redshift"], atol=1e-5)
    assert truth["objid"].tolist() == catalogue["objid"].tolist()
    assert set(volunteers.VOTED_ON) <= set(truth.columns)
    assert truth.notna().all().all()


@pytest.mark.parametrize(
    ("value", "decimals", "text"),
    [(0.0, 2, "00:00:00.00"), (23.99999999, 2, "24:00:00.00"), (-0.5, 1, "-00:30:00.0"), (14.5166722, 1, "14:31:00.0"),
     (12.5826, 1, "12:34:57.4")],
)  # fmt: skip
def test_sexagesimal(value: float, decimals: int, text: str) -> None:
    assert survey.sexagesimal(value, decimals) == text


def test_a_right_ascension_that_rounds_to_24_hours_is_0(tmp_path: Path, truth: pd.DataFrame) -> None:
    votes = volunteers.poll(truth, np.random.default_rng(0))
    row = pd.concat([truth, votes], axis=1).iloc[:1].assign(ra=359.99999999, dec=-0.00001)
    survey.write_table2(row, tmp_path / "t.csv")
    assert (tmp_path / "t.csv").read_text().splitlines()[1].split(",")[1:3] == ["00:00:00.00", "-00:00:00.0"]


@pytest.mark.parametrize(
    ("change", "clear", "message"),
    [({"galaxies": 10**6, "galaxies_per_frame": 1}, 45, r"simulated\.galaxies: frame"),
     ({}, 2000, r"simulated\.galaxies_per_frame: no room for 4 galaxies")],
)  # fmt: skip
def test_impossible_surveys_are_refused_before_anything_is_drawn(
    change: dict[str, int], clear: int, message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(frames, "CLEAR", clear)
    with pytest.raises(GalmorphError, match=message):
        acquire(SETTINGS.model_copy(update=change), tmp_path)
    assert not list(tmp_path.iterdir())


@dataclass(frozen=True)
class Measured:
    """A frame's sky and its noise (DN), and the widths of its stars (arcsec), as photutils measures them."""

    sky: float
    noise: float
    fitted_width: float  # FWHM of Gaussians fitted to the cores
    effective_width: float  # FWHM of the Gaussian with the same effective area


def measured(image: NDArray[np.float32]) -> Measured:
    clip = SigmaClip(2.5, maxiters=20)
    model = Background2D(image, (128, 128), filter_size=3, sigma_clip=clip, bkg_estimator=MedianBackground())
    image = image - model.background
    # What is left of a Gaussian's standard deviation when it is clipped at 2.5 of its own.
    noise = sigma_clipped_stats(image, sigma=2.5, maxiters=20)[2] / 0.9517
    found = DAOStarFinder(30 * noise, fwhm=3.5)(image)
    x, y = np.array(found["x_centroid"]), np.array(found["y_centroid"])
    alone = np.array([(np.hypot(x - a, y - b) < 25).sum() == 1 for a, b in zip(x, y, strict=True)])
    inside = (np.minimum(x, image.shape[1] - x) > 24) & (np.minimum(y, image.shape[0] - y) > 24)
    peak = np.array(found["peak"])
    good = np.flatnonzero(alone & inside & (peak > 60 * noise) & (peak < 20000))
    widths = PIXEL_SCALE * np.array(fit_fwhm(image, xypos=np.column_stack([x[good], y[good]]), fit_shape=7))
    # Stars are the narrow ones, and all alike.
    stars = np.abs(widths / np.nanquantile(widths, 0.2) - 1) < 0.12
    assert stars.sum() >= 10
    areas = [effective_area(image, float(x[k]), float(y[k]), noise) for k in good[stars]]
    effective = PIXEL_SCALE * np.sqrt(2 * np.log(2) / np.pi * np.median(areas))
    return Measured(model.background_median, noise, float(np.median(widths[stars])), float(effective))


def effective_area(image: NDArray[np.float32], x: float, y: float, noise: float) -> float:
    """Return a star's (sum of its flux)^2 over the sum of its square, in pixels."""
    i, j = round(x), round(y)
    part = image[j - 20 : j + 21, i - 20 : i + 21].astype(np.float64)
    radius = np.hypot(*(np.indices(part.shape) - 20))
    part -= np.median(part[radius > 17])
    near = radius <= 14
    return float(part[near].sum() ** 2 / ((part[near] ** 2).sum() - near.sum() * noise**2))


@pytest.mark.parametrize("place", [(0, 0), (1, 1)])
def test_sky_noise_and_seeing_are_those_of_the_calibration(place: tuple[int, int], root: Path) -> None:
    look = pointing(*place)
    found = measured(read_frame(root / look.frame_path).image[:, :1280])  # enough stars, in less time
    r = calibration_in_r(root / look.tsfield_path)
    assert found.noise == pytest.approx(np.sqrt(found.sky / r["gain"] + r["dark_variance"]), rel=0.03)
    assert found.effective_width == pytest.approx(r["psf_width"], rel=0.03)
    assert found.sky == pytest.approx(frames.compose(SETTINGS, place[0]).exposures[place[1]].sky, rel=0.03)


@pytest.mark.real
@pytest.mark.parametrize(("field", "tolerance"), [("006377-4-40-0399", 0.03), ("005754-3-40-0280", 0.06)])
def test_stars_of_a_real_and_a_simulated_frame_of_equal_width_fit_alike(
    real_data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, field: str, tolerance: float
) -> None:
    run, camcol, _, number = field.split("-")
    real = read_frame(real_data / "frames_dr7_r" / f"fpC-{run}-r{camcol}-{number}.fit.gz")
    width = read_psf_width(real_data / "calibration" / f"tsField-{field}.fit", "r")
    monkeypatch.setattr(exposure, "SEEING_SCATTER", 0.0)
    monkeypatch.setattr(exposure, "SEEING_DRIFT", 0.0)
    survey.make_strip(SETTINGS.model_copy(update={"seeing": width}), 0, str(tmp_path))
    made = read_frame(tmp_path / pointing(0, 0).frame_path)
    assert measured(made.image).fitted_width == pytest.approx(measured(real.image).fitted_width, rel=tolerance)
