"""New galaxies, and what is wrong with some."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from astropy.coordinates import SkyCoord
from astropy.io import fits

from galmorph.classify.targets import frame_targets, stamp_targets
from galmorph.errors import GalmorphError
from galmorph.sdss.frames import read_frame
from galmorph.settings.study import CutoutSettings
from galmorph.sources.pictures import make_stamp
from galmorph.stamps.cutouts import frame_cutouts
from galmorph.stamps.stampset import Reject, Stamp
from tests.support.frames import add_galaxy, sky_image, sky_position, write_dr7
from tests.support.parameters import settings_with
from tests.support.trained_study import CUTOUTS

CUTTING = CutoutSettings.model_validate(CUTOUTS)
STAMPS = settings_with({}).stamps.model_copy(update={"field": "centre"})


def picture(side: int = 16, seed: int = 0) -> np.ndarray[tuple[int, int], np.dtype[np.float32]]:
    return np.random.default_rng(seed).normal(100, 5, (side, side)).astype(np.float32)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "new"
    made.mkdir()
    fits.PrimaryHDU(picture()).writeto(made / "a.fits")
    np.save(made / "b.npy", picture(20, 1))
    np.save(made / "c.npy", picture(12, 2))
    spoilt = picture(16, 3)
    spoilt[2, 2] = np.nan
    np.save(made / "d.npy", spoilt)
    (made / "notes.txt").write_text("no stamp")
    (made / ".#a.fits").symlink_to("somebody@somewhere.1234")  # an editor's lock
    (made / "._b.npy").write_bytes(b"of a file manager")
    return made


def test_stamps_are_read_as_those_of_the_source_are(folder: Path) -> None:
    targets = stamp_targets(folder, None, STAMPS, CUTTING)
    assert targets.table["name"].tolist() == ["a.fits", "b.npy", "c.npy", "d.npy"]
    assert targets.table[["ra", "dec", "pixel_scale"]].isna().all().all()
    first, second, third, fourth = targets.read(targets.table)
    expected = make_stamp(picture(20, 1), 1, "b.npy", math.nan, math.nan, STAMPS, CUTTING)
    assert isinstance(first, Stamp)
    assert isinstance(second, Stamp)
    np.testing.assert_array_equal(second.image, expected.image)
    assert second.image.shape == (16, 16)
    assert [result.row for result in (first, second, third, fourth)] == [0, 1, 2, 3]
    assert isinstance(third, Reject)
    assert isinstance(fourth, Reject)
    assert third.reason == "stamp too small: 12 x 12 pixels, cutouts.stamp_size is 16"
    assert fourth.reason == "non-finite pixels"


def test_a_sky_that_is_subtracted_already_is_left_alone(folder: Path) -> None:
    targets = stamp_targets(folder, None, STAMPS, CUTTING, sky_subtracted=True)
    first, *_, last = targets.read(targets.table)
    assert isinstance(first, Stamp)
    assert isinstance(last, Reject)
    np.testing.assert_allclose(first.image, picture(), rtol=1e-6)
    assert first.sky == 0


def test_labels_name_and_place_the_stamps(folder: Path, tmp_path: Path) -> None:
    labels = tmp_path / "labels.csv"
    labels.write_text("Stamp,objid,RA,dec,class,pixel_scale\nb.npy,7,12.5,-3,spiral,0.4\na.fits,8,,,,\n")
    table = stamp_targets(folder, labels, STAMPS.model_copy(update={"pixel_scale": 0.3}), CUTTING).table
    assert table["name"].tolist() == ["7", "8"]
    assert table["class"].tolist() == ["spiral", ""]
    np.testing.assert_array_equal(table["ra"], [12.5, np.nan])
    assert table["pixel_scale"].tolist() == [0.4, 0.3]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("name\na\n", "no column stamp"),
        ("stamp\nz.npy\n", "line 2: stamp 'z.npy' is no stamp in"),
        ("stamp\na.fits\na.fits\n", "line 3: stamp 'a.fits' is in the table twice"),
        ("stamp,name\na.fits,x\nb.npy,x\n", "line 3 .*name 'x' is in the table twice"),
        ("stamp,name\na.fits,\n", "line 2 .*name '' is empty"),
        ("stamp,class\na.fits,Spiral\n", "class 'Spiral' is not one of spiral, elliptical, uncertain"),
        ("stamp,pixel_scale\na.fits,-1\n", "pixel_scale '-1' is not a number from"),
        ("stamp,pixel_scale\na.fits,0.00011\n", r"pixel_scale '0\.00011' is not a number from 0\.01 to 60 arcsec"),
        ("stamp,ra\na.fits,400\n", "ra '400' is not a number from 0 to 360"),
    ],
)
def test_wrong_labels(folder: Path, tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "labels.csv").write_text(text)
    with pytest.raises(GalmorphError, match=message):
        stamp_targets(folder, tmp_path / "labels.csv", STAMPS, CUTTING)


def test_no_folder_and_no_stamps(tmp_path: Path) -> None:
    with pytest.raises(GalmorphError, match="no such folder; --stamps names"):
        stamp_targets(tmp_path / "gone", None, STAMPS, CUTTING)
    with pytest.raises(GalmorphError, match="no stamp in it"):
        stamp_targets(tmp_path, None, STAMPS, CUTTING)


@pytest.fixture(scope="module")
def frame(tmp_path_factory: pytest.TempPathFactory) -> Path:
    image = sky_image()
    add_galaxy(image, 400, 600)
    return write_dr7(tmp_path_factory.mktemp("frames"), image=image, flat=True)


def sexagesimal(ra: float, dec: float) -> str:
    position = SkyCoord(ra, dec, unit="deg")
    hours = position.ra.to_string(unit="hour", sep=":", precision=4, pad=True)
    return f"{hours},{position.dec.to_string(unit='deg', sep=':', precision=3, pad=True, alwayssign=True)}"


def test_positions_are_cut_as_a_surveys_galaxies_are(frame: Path, tmp_path: Path) -> None:
    places = [sky_position(400, 600), sky_position(5, 600), sky_position(-300, 600)]
    degrees, sexa = tmp_path / "degrees.csv", tmp_path / "sexagesimal.csv"
    degrees.write_text("name,ra,dec\n" + "".join(f"g{i},{ra},{dec}\n" for i, (ra, dec) in enumerate(places)))
    sexa.write_text("OBJID,RA,DEC\n" + "".join(f"{i},{sexagesimal(*place)}\n" for i, place in enumerate(places)))
    for path, names in ((degrees, ["g0", "g1", "g2"]), (sexa, ["0", "1", "2"])):
        targets = frame_targets(frame, path, CUTTING)
        assert targets.table["name"].tolist() == names
        np.testing.assert_allclose(targets.table[["ra", "dec"]], places, atol=1e-6)
        first, second, third = targets.read(targets.table)
        expected, *_ = frame_cutouts(read_frame(frame), pd.DataFrame(places, columns=["ra", "dec"]), CUTTING)
        assert isinstance(first, Stamp)
        assert isinstance(expected, Stamp)
        np.testing.assert_array_equal(first.image, expected.image)
        assert [second.reason, third.reason] == ["too near the edge", "off the frame"]  # type: ignore[union-attr]


def test_positions_without_names_are_numbered(frame: Path, tmp_path: Path) -> None:
    ra, dec = sky_position(400, 600)
    (tmp_path / "p.csv").write_text(f"ra,dec\n{ra},{dec}\n{ra},{dec}\n")
    assert frame_targets(frame, tmp_path / "p.csv", CUTTING).table["name"].tolist() == ["1", "2"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("name,ra\na,1\n", "no column dec"),
        ("ra,dec\n1,\n", "line 2: ra '1' and dec: one of them is empty"),
        ("ra,dec\n1,95\n", "dec '95' is not a number from -90 to 90"),
        ("ra,dec\n00:00:01,5\n3.5,5\n", r"line 3: ra '3\.5' is not hours:minutes:seconds"),
        ("ra,dec\n25:00:00,5\n", "ra '25:00:00' is not hours:minutes:seconds"),
        ("ra,dec\n1,-95:00:00\n", "dec '-95:00:00' is not degrees:minutes:seconds"),
        ("ra,dec\n", "a header and no rows"),
    ],
)
def test_wrong_positions(frame: Path, tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "p.csv").write_text(text)
    with pytest.raises(GalmorphError, match=message):
        frame_targets(frame, tmp_path / "p.csv", CUTTING)


def test_a_frame_that_is_none(tmp_path: Path) -> None:
    (tmp_path / "p.csv").write_text("ra,dec\n1,1\n")
    with pytest.raises(GalmorphError, match="not named as a frame"):
        frame_targets(tmp_path / "picture.fits", tmp_path / "p.csv", CUTTING)
    with pytest.raises(GalmorphError, match="cannot be read"):
        frame_targets(tmp_path / "fpC-001729-r3-0083.fit.gz", tmp_path / "p.csv", CUTTING)
