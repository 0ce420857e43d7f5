import shutil

import numpy as np
import pandas as pd
import pytest

from galmorph.errors import GalmorphError
from galmorph.sdss.frame_index import REDSHIFTS_NAME, TABLE2_NAME
from galmorph.sdss.frames import Frame
from galmorph.sdss.names import FrameName
from galmorph.stamps.cutouts import cut_survey, frame_cutouts
from galmorph.stamps.stampset import Reject, Stamp
from tests.support.frames import (
    CUTOUTS,
    NOISE,
    RA,
    SKY,
    add_galaxy,
    frame_wcs,
    objid,
    sky_image,
    sky_position,
    table2_row,
    write_dr7,
    write_dr8,
    write_table2,
    write_tsfield,
)
from tests.support.interrupted import stopped_before_the_blocks_are_joined

SETTINGS = CUTOUTS.model_copy(update={"max_rejected_fraction": 0.05})
LENIENT = CUTOUTS.model_copy(update={"max_rejected_fraction": 0.9})


def made_frame(image):
    return Frame(image.astype(np.float32), frame_wcs(), FrameName("dr7", 1729, 3, 83, "r"))


def positions(*pixels):
    return pd.DataFrame([sky_position(*pixel) for pixel in pixels], columns=["ra", "dec"])


def test_frame_cutouts_measure_what_was_put_in():
    image = sky_image()
    add_galaxy(image, 400.0, 600.0, peak=1000.0)
    add_galaxy(image, 50.0, 700.0, peak=500.0)
    first, second = frame_cutouts(made_frame(image), positions((400, 600), (50, 700)), SETTINGS, psf_fwhm=1.4)
    assert isinstance(first, Stamp)
    assert isinstance(second, Stamp)
    assert (first.x, first.y) == pytest.approx((400, 600), abs=1e-6)
    assert first.pixel_scale == pytest.approx(0.396, abs=1e-6)
    assert (first.psf_fwhm, first.row, second.row) == (1.4, 0, 1)
    assert (first.sky, first.noise) == pytest.approx((SKY, NOISE), abs=0.3)
    np.testing.assert_array_equal(first.image, image.astype(np.float32)[568:632, 368:432] - np.float32(first.sky))
    assert first.image.dtype == np.float32
    assert np.unravel_index(first.image.argmax(), (64, 64)) == pytest.approx((32, 32), abs=1)
    assert first.image.sum() == pytest.approx(1000 * 2 * np.pi * 36, rel=0.02)
    assert first.wide is not None
    np.testing.assert_array_equal(first.wide[32:96, 32:96], first.image)
    assert second.wide is None


def test_a_frame_with_every_reason_for_rejection():
    image = sky_image()
    image[610, 420] = np.nan
    image[800:960, 800:1000] = np.nan
    image[848:912, 848:912] = 200.0
    image[880, 880] = 300.0
    image[1185, 1245] = np.nan
    image[168:232, 368:432] = 7.0
    frame = made_frame(image)
    pixels = [(400, 600), (880, 880), (20, 600), (-30, 600), (1000, 1488.6), (1200, 1200), (400, 200)]
    table = pd.concat([positions(*pixels), pd.DataFrame({"ra": [RA - 180], "dec": [-20.0]})], ignore_index=True)
    table.index = table.index + 10
    results = list(frame_cutouts(frame, table, SETTINGS))
    reasons = [result.reason if isinstance(result, Reject) else None for result in results]
    assert reasons == [
        "non-finite pixels",
        "too little sky",
        "too near the edge",
        "off the frame",
        "off the frame",
        None,
        "all pixels the same",
        "off the frame",
    ]
    assert [result.row for result in results] == list(range(10, 18))
    accepted = results[5]
    assert isinstance(accepted, Stamp)
    assert accepted.wide is None


@pytest.fixture(scope="module")
def survey(tmp_path_factory):
    """Two intact frames, and one example of every reason for rejection."""
    folder = tmp_path_factory.mktemp("survey")
    image = sky_image()
    for pixel in ((400, 600), (900, 700)):
        add_galaxy(image, *pixel)
    write_dr7(folder, field=83, image=image)
    write_tsfield(folder, field=83)
    write_dr7(folder, field=84, swapped=True)
    damaged = write_dr7(folder, field=85, rerun=41)
    damaged.write_bytes(damaged.read_bytes()[:-8])
    write_dr7(folder, field=86, rerun=41, cards={"CTYPE1": "XPIXEL", "CTYPE2": "YPIXEL"})
    away = (RA + 90, -30.0)
    rows = [
        table2_row(objid(1, field=84), *sky_position(300, 300), "elliptical"),
        table2_row(objid(2, field=83), *sky_position(400, 600)),
        table2_row(objid(3, field=85), *sky_position(500, 500)),
        table2_row(objid(4, field=83), *away),
        table2_row(objid(5, field=83), *sky_position(10, 10)),
        table2_row(objid(6, field=90), *away),
        table2_row(objid(7, field=86), *sky_position(500, 500)),
        table2_row(objid(8, field=83), *sky_position(900, 700), "uncertain"),
    ]
    write_table2(folder / TABLE2_NAME, rows)
    (folder / REDSHIFTS_NAME).write_text(f"objid,ra,dec,redshift\n{objid(2)},,,0.07\n")
    return folder


@pytest.mark.fault
def test_a_tsfield_that_changes_after_an_interruption_is_read_again(survey, tmp_path, monkeypatch):
    raw = tmp_path / "raw"
    shutil.copytree(survey, raw)
    stopped_before_the_blocks_are_joined(monkeypatch, cut_survey, raw, tmp_path, LENIENT)
    (tsfield,) = raw.rglob("tsField*")
    tsfield.unlink()
    write_tsfield(raw, field=83, psf_width=[1.9] * 5)
    cut_survey(raw, tmp_path / "set", LENIENT, tmp_path / "partial")
    table = pd.read_parquet(tmp_path / "set/galaxies.parquet")
    assert table["psf_fwhm"].tolist()[1:] == pytest.approx([1.9, 1.9])


def test_a_survey_with_every_reason_for_rejection(survey, tmp_path, caplog):
    assert cut_survey(survey, tmp_path / "set", LENIENT, tmp_path / "partial") == (3, 5)
    table = pd.read_parquet(tmp_path / "set" / "galaxies.parquet")
    assert table["objid"].tolist() == [objid(1, field=84), objid(2), objid(8)]
    assert table["class"].tolist() == ["elliptical", "spiral", "uncertain"]
    assert table["frame"].tolist() == ["fpC-001729-r3-0084.fit.gz"] + ["fpC-001729-r3-0083.fit.gz"] * 2
    assert table["x"].tolist() == pytest.approx([300, 400, 900], abs=0.01)
    assert table["y"].tolist() == pytest.approx([300, 600, 700], abs=0.01)
    np.testing.assert_allclose(table["psf_fwhm"], [np.nan, 1.3, 1.3], rtol=1e-6)
    np.testing.assert_array_equal(table["redshift"], [np.nan, 0.07, np.nan])
    images = np.load(tmp_path / "set" / "images.npy")
    assert (images[1:, 28:36, 28:36].mean(axis=(1, 2)) > 1000).all()
    assert abs(images[0].mean()) < 0.5
    rejected = pd.read_csv(tmp_path / "set" / "rejected.csv", keep_default_na=False)
    named = [(3, 85), (4, 83), (5, 83), (6, 90), (7, 86)]
    assert rejected["objid"].tolist() == [objid(number, field=field) for number, field in named]
    reasons = rejected["reason"].tolist()
    assert reasons[0].startswith("frame unreadable: damaged or cut short")
    disagree = "id and position disagree: the object id names this frame, the position lies off it"
    assert reasons[1:3] == [disagree, "too near the edge"]
    assert "1 of 8 galaxies: object id and position disagree; are the ids right?" in caplog.text
    assert reasons[3] == "frame missing: 1 of the frames cannot be read, and may contain it"
    assert reasons[4].startswith("frame unreadable: the header has no right ascension and declination")
    assert str(survey) not in rejected.to_csv()


def test_too_many_rejected_galaxies_leave_no_stamps(survey, tmp_path):
    with pytest.raises(GalmorphError, match=r"5 of 8 galaxies rejected \(2 frame unreadable, 1 frame missing, 1 id"):
        cut_survey(survey, tmp_path / "set", SETTINGS, tmp_path / "partial")
    assert [path.name for path in tmp_path.iterdir()] == ["partial"]


def test_frames_of_two_bands_are_refused(tmp_path):
    write_dr7(tmp_path)
    write_dr8(tmp_path, np.zeros((50, 50)))
    write_table2(tmp_path / TABLE2_NAME, [table2_row(objid(1), RA, 20.0)])
    (tmp_path / REDSHIFTS_NAME).write_text("objid,ra,dec,redshift\n")
    with pytest.raises(GalmorphError, match="frames of the bands g, r"):
        cut_survey(tmp_path, tmp_path / "set", SETTINGS, tmp_path / "partial")
