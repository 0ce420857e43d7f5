import bz2
import gzip
import math
import shutil
from collections import Counter
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from astropy.coordinates import SkyCoord
from astropy.io import fits
from astropy.wcs import WCS, FITSFixedWarning

from galmorph.errors import GalmorphError
from galmorph.sdss.frames import read_frame
from galmorph.settings.survey import LocalSettings
from galmorph.sources import local
from tests.support.frames import (
    KINDS,
    catalogue_of,
    cut,
    files,
    objid,
    sky_position,
    table2_row,
    write_dr7,
    write_dr8,
    write_table2,
    write_tsfield,
)
from tests.support.parameters import sample


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    """Field 83 in the archive's layout, 84 and 87 flat and 87 unnamed by any id, a DR8+ frame of 86, and an i frame."""
    frames = tmp_path_factory.mktemp("written")
    write_dr7(frames, field=83)
    write_tsfield(frames, field=83)
    write_dr7(frames, field=84, flat=True)
    write_dr8(frames, np.zeros((50, 50)), run=1729, camcol=3, field=86, band="r")
    write_dr7(frames, field=83, band="i")
    write_dr7(frames, field=87, flat=True, cards={"CRVAL2": -40.0})
    write_dr7(frames, field=88, flat=True, cards={"CRVAL2": 60.0})
    return frames


@pytest.fixture
def survey(written, tmp_path):
    frames = tmp_path / "frames"
    shutil.copytree(written, frames)
    rows = [
        table2_row(objid(1, field=99), 10.0, 10.0),
        table2_row(objid(2, field=83), *sky_position(300, 300), "elliptical"),
        table2_row(objid(3, field=84), *sky_position(400, 300)),
        table2_row(objid(4, field=86), *sky_position(500, 300)),
        table2_row(objid(5, run=94), 150.0, -40.0, "uncertain"),
        table2_row(objid(6, field=98), 11.0, 10.0),
    ]
    catalogue = write_table2(tmp_path / "table2.csv", rows)
    redshifts = tmp_path / "z.csv"
    redshifts.write_text(
        f"objid_dr7,ra,dec,label,redshift\n{objid(2)},1,1,E,0.05\n,150.0,-40.0001,U,0.125\n,9,9,S,0.3\n"
    )
    return LocalSettings(frames=str(frames), catalogue=str(catalogue), redshifts=str(redshifts), band="r")


def test_in_frames_leaves_the_archive_of_its_sample(survey, raw):
    copied = local.acquire(survey, sample("in_frames"), raw)
    assert sorted([*copied, "GalaxyZoo1_DR_table2.csv", "redshifts.csv"]) == files(raw)
    assert files(raw) == [
        "GalaxyZoo1_DR_table2.csv",
        "frames/301/1729/3/frame-r-001729-3-0086.fits.bz2",
        "imaging/1729/0/corr/3/fpC-001729-r3-0087.fit.gz",
        "imaging/1729/40/calibChunks/3/tsField-001729-3-40-0083.fit",
        "imaging/1729/40/corr/3/fpC-001729-r3-0083.fit.gz",
        "imaging/1729/40/corr/3/fpC-001729-r3-0084.fit.gz",
        "redshifts.csv",
    ]
    original = Path(survey.catalogue).read_text().splitlines()
    assert (raw / "GalaxyZoo1_DR_table2.csv").read_text().splitlines() == [original[0], *original[2:6]]
    redshifts = pd.read_csv(raw / "redshifts.csv")
    assert redshifts.columns.tolist() == ["objid", "ra", "dec", "redshift"]
    assert redshifts["objid"].tolist() == [objid(2), objid(5, run=94)]
    assert redshifts["redshift"].tolist() == [0.05, 0.125]
    for relative in files(raw):
        if relative.startswith("imaging"):
            name = Path(relative).name
            source = next(Path(survey.frames).rglob(name))
            assert (raw / relative).read_bytes() == source.read_bytes()


def test_in_frames_takes_the_first_of_those_held(survey, raw):
    local.acquire(survey, sample("in_frames", 2), raw)
    original = Path(survey.catalogue).read_text().splitlines()
    assert (raw / "GalaxyZoo1_DR_table2.csv").read_text().splitlines() == [original[0], *original[2:4]]
    assert len(files(raw)) == 5
    with pytest.raises(GalmorphError, match="5 requested, 4 to choose from"):
        local.acquire(survey, sample("in_frames", 5), raw)


def test_first_rows_with_and_without_a_frame(survey, tmp_path, raw):
    local.acquire(survey.model_copy(update={"redshifts": None}), sample("first", 3), raw)
    original = Path(survey.catalogue).read_text().splitlines()
    assert (raw / "GalaxyZoo1_DR_table2.csv").read_text().splitlines() == original[:4]
    assert (raw / "redshifts.csv").read_text() == "objid,ra,dec,redshift\n"
    assert cut(raw) == (2, 1)
    rejected = pd.read_csv(tmp_path / "set" / "rejected.csv")
    assert rejected[["objid", "reason"]].to_numpy().tolist() == [[objid(1, field=99), "frame missing"]]


def test_the_band_asked_for(survey, raw):
    local.acquire(survey.model_copy(update={"band": "i"}), sample("in_frames", 1), raw)
    assert "imaging/1729/40/corr/3/fpC-001729-i3-0083.fit.gz" in files(raw)
    with pytest.raises(GalmorphError, match=r"no frame of band z .*correct local\.frames or local\.band"):
        local.acquire(survey.model_copy(update={"band": "z"}), sample("in_frames"), raw)


def test_what_stops(survey, tmp_path, raw):
    nowhere = survey.model_copy(update={"frames": str(tmp_path / "nowhere")})
    with pytest.raises(GalmorphError, match="nowhere: no such folder"):
        local.acquire(nowhere, sample("first"), raw)
    far = write_table2(tmp_path / "far.csv", [table2_row(objid(1, run=5), 10.0, 10.0)])
    with pytest.raises(GalmorphError, match=r"none of its 5 frames contains a galaxy of .*far\.csv"):
        local.acquire(survey.model_copy(update={"catalogue": str(far)}), sample("in_frames"), raw)
    assert not files(raw)


def test_check_compares_ids_with_the_frames_at_hand(survey, tmp_path):
    # Of the frame of field 86 there are 50 x 50 pixels.
    assert "1 of 3 object ids disagree with the position of their row" in str(local.check(survey))
    away = [table2_row(objid(number), *sky_position(3000, 600)) for number in (1, 3)]
    catalogue = write_table2(tmp_path / "away.csv", [*away, table2_row(objid(2), *sky_position(300, 300))])
    changed = survey.model_copy(update={"catalogue": str(catalogue)})
    assert "away.csv: 2 of 3 object ids disagree with the position of their row" in str(local.check(changed))
    assert local.check(survey.model_copy(update={"catalogue": str(tmp_path / "later.csv")})) is None


def test_two_copies_of_a_frame(survey, tmp_path, raw):
    write_dr7(Path(survey.frames) / "a", field=83, flat=True)
    # One is named by an id and its rerun, the other is the first to hold a position.
    rows = [table2_row(objid(1), *sky_position(300, 300)), table2_row(objid(1, run=9), *sky_position(300, 300))]
    catalogue = write_table2(tmp_path / "two.csv", rows)
    with pytest.raises(GalmorphError, match=r"fpC-001729-r3-0083\.fit\.gz: there are two such files .* remove one"):
        local.acquire(survey.model_copy(update={"catalogue": str(catalogue)}), sample("in_frames"), raw)


@pytest.mark.fault
def test_a_frame_that_is_a_link_to_a_file_of_another_name_is_refused(survey, tmp_path, raw):
    (frame,) = Path(survey.frames).rglob("fpC-001729-r3-0084.fit.gz")
    elsewhere = tmp_path / "disk" / frame.name
    elsewhere.parent.mkdir()
    frame.rename(elsewhere)
    frame.symlink_to(elsewhere)
    local.acquire(survey, sample("in_frames"), raw)
    assert (raw / "imaging/1729/40/corr/3" / frame.name).read_bytes() == elsewhere.read_bytes()
    frame.unlink()
    frame.symlink_to(elsewhere.rename(tmp_path / "private"))
    (tmp_path / "again").mkdir()
    with pytest.raises(GalmorphError, match=r"0084\.fit\.gz: a link to .*private, a file of another name"):
        local.acquire(survey, sample("in_frames"), tmp_path / "again")


def test_a_decompressed_frame_is_compressed_again(survey, tmp_path, raw):
    (frame,) = Path(survey.frames).rglob("fpC-001729-r3-0084.fit.gz")
    content = gzip.decompress(frame.read_bytes())
    frame.with_suffix("").write_bytes(content)
    frame.unlink()
    (frame,) = Path(survey.frames).rglob("frame-r-001729-3-0086.fits.bz2")
    frame.with_suffix("").write_bytes(bz2.decompress(frame.read_bytes()))
    frame.unlink()
    local.acquire(survey, sample("in_frames"), raw)
    stored = raw / "imaging/1729/40/corr/3/fpC-001729-r3-0084.fit.gz"
    assert gzip.decompress(stored.read_bytes()) == content
    assert read_frame(raw / "frames/301/1729/3/frame-r-001729-3-0086.fits.bz2").name.field == 86
    assert stored.read_bytes()[4:8] == bytes(4)  # no time


def test_an_unreadable_frame_is_never_passed_over(survey, tmp_path, raw):
    frames = Path(survey.frames)
    named = next(frames.rglob("fpC-001729-r3-0084.fit.gz"))
    named.write_bytes(b"<html>")
    local.acquire(survey, sample("in_frames"), raw)
    assert cut(raw) == (2, 2)
    assert "frame unreadable: a web page" in (tmp_path / "set" / "rejected.csv").read_text()
    unnamed = next(frames.rglob("fpC-001729-r3-0088.fit.gz"))
    unnamed.write_bytes(b"<html>")
    with pytest.raises(GalmorphError, match=r"0088\.fit\.gz: the header cannot be read.*fetch it again or remove it"):
        local.acquire(survey, sample("in_frames"), raw)


def independent_pixel(frame, ra, dec):
    header = fits.getheader(frame)
    with pytest.warns(FITSFixedWarning):
        x, y = WCS(header).world_to_pixel(SkyCoord(ra, dec, unit="deg"))
    return math.floor(float(x) + 0.5), math.floor(float(y) + 0.5)


@pytest.mark.real
def test_the_ten_real_frames(real_data, tmp_path, raw, known):
    known = known[known["frame"].str.startswith("fpC")].reset_index(drop=True)
    assert len(known) == 16
    folder = real_data / "frames_dr7_r"
    settings = LocalSettings(
        frames=str(real_data), catalogue=str(catalogue_of(known, tmp_path / "t.csv")), redshifts=None, band="r"
    )
    local.acquire(settings, sample("in_frames"), raw)
    assert cut(raw) == (14, 2)

    table = pd.read_parquet(tmp_path / "set" / "galaxies.parquet")
    rejected = pd.read_csv(tmp_path / "set" / "rejected.csv")
    inside = known[known["cutout64_inside"]]
    assert table["objid"].tolist() == inside["objid_dr7"].tolist()
    assert table["frame"].tolist() == inside["frame"].tolist()
    assert table["class"].tolist() == inside["label"].map(KINDS).tolist()
    np.testing.assert_allclose(table["x"], inside["x0"], atol=0.6)
    np.testing.assert_allclose(table["y"], inside["y0"], atol=0.6)
    assert rejected["objid"].tolist() == known.loc[~known["cutout64_inside"], "objid_dr7"].tolist()
    assert Counter(rejected["reason"]) == {"too near the edge": 2}
    swapped = table["frame"] == "fpC-003325-r5-0108.fit.gz"
    assert swapped.sum() == 3

    # Of these fields one has its tsField at hand.
    calibrated = table["frame"] == "fpC-005754-r3-0280.fit.gz"
    np.testing.assert_allclose(table["psf_fwhm"], np.where(calibrated, 1.7659, np.nan), atol=1e-3)
    np.testing.assert_allclose(table["pixel_scale"], 0.396, atol=0.0002)
    assert table["noise"].between(5, 10).all()
    assert table["sky"].between(100, 400).all()
    images = np.load(tmp_path / "set" / "images.npy")
    for row, galaxy in enumerate(table.itertuples()):
        path = folder / str(galaxy.frame)
        x, y = independent_pixel(path, float(galaxy.ra), float(galaxy.dec))  # type: ignore[arg-type]
        pixels = fits.getdata(path).astype(np.int64)[y - 32 : y + 32, x - 32 : x + 32] - 1000
        np.testing.assert_array_equal(images[row] + np.float32(galaxy.sky), pixels)  # type: ignore[arg-type]
    # The galaxy is in the middle: there is more light within 8 pixels of it than in the same area anywhere else.
    middle = images[:, 24:40, 24:40].mean(axis=(1, 2))
    corners = images[:, :16, :16].mean(axis=(1, 2))
    assert (middle > corners + 3).all()


@pytest.mark.real
def test_the_real_dr12_frame(real_data, tmp_path, raw, known):
    known = known[known["frame"].str.startswith("frame-g")].reset_index(drop=True)
    known["objid_dr7"] = known["objid_dr7"].fillna(5)
    settings = LocalSettings(
        frames=str(real_data / "frames_dr8plus"),
        catalogue=str(catalogue_of(known, tmp_path / "t.csv")),
        redshifts=None,
        band="g",
    )
    local.acquire(settings, sample("in_frames"), raw)
    assert files(raw)[1] == "frames/301/94/1/frame-g-000094-1-0131.fits.bz2"
    assert cut(raw) == (2, 0)
    table = pd.read_parquet(tmp_path / "set" / "galaxies.parquet")
    np.testing.assert_allclose(table["x"], known["x0"], atol=0.6)
    np.testing.assert_allclose(table["y"], known["y0"], atol=0.6)
    assert table["sky"].abs().max() < 2
    assert table["noise"].between(2, 8).all()


@pytest.mark.real
def test_real_rows_in_the_real_frames(real_data, raw):
    settings = LocalSettings(
        frames=str(real_data),
        catalogue=str(real_data / "galaxyzoo1" / "GalaxyZoo1_DR_table2_first6185.csv"),
        redshifts=str(real_data / "redshift" / "gz1_redshifts.csv"),
        band="r",
    )
    local.acquire(settings, sample("in_frames"), raw)
    lines = (raw / "GalaxyZoo1_DR_table2.csv").read_text().splitlines()
    original = Path(settings.catalogue).read_text().splitlines()
    assert len(lines) == 14
    assert lines == [line for line in original if line in set(lines)]
    assert "imaging/3325/41/corr/5/fpC-003325-r5-0108.fit.gz" in files(raw)
