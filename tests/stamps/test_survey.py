from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from galmorph.errors import GalmorphError
from galmorph.sdss.frame_index import REDSHIFTS_NAME, TABLE2_NAME
from galmorph.settings.study import CutoutSettings
from galmorph.stamps.survey import cut_survey
from tests.support.frames import (
    RA,
    add_galaxy,
    cut_in_this_process,
    objid,
    sky_image,
    sky_position,
    table2_row,
    write_dr7,
    write_dr8,
    write_table2,
    write_tsfield,
)

SETTINGS = CutoutSettings(stamp_size=64, wide_size=128, sky_inner=80, sky_outer=160, max_rejected_fraction=0.05)
LENIENT = SETTINGS.model_copy(update={"max_rejected_fraction": 0.9})


@pytest.fixture(scope="module")
def survey(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two sound frames, and one example of everything that can go wrong with a galaxy."""
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


def test_a_survey_with_every_fault(survey: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GALMORPH_WORKERS", "2")
    assert cut_survey(survey, tmp_path / "two", LENIENT, tmp_path / "partial") == (3, 5)
    cut_in_this_process(monkeypatch)
    assert cut_survey(survey, tmp_path / "one", LENIENT, tmp_path / "partial") == (3, 5)
    made = [{path.name: path.read_bytes() for path in (tmp_path / name).iterdir()} for name in ("one", "two")]
    assert made[0] == made[1]
    table = pd.read_parquet(tmp_path / "two" / "galaxies.parquet")
    assert table["objid"].tolist() == [objid(1, field=84), objid(2), objid(8)]
    assert table["class"].tolist() == ["elliptical", "spiral", "uncertain"]
    assert table["frame"].tolist() == ["fpC-001729-r3-0084.fit.gz"] + ["fpC-001729-r3-0083.fit.gz"] * 2
    assert table["x"].tolist() == pytest.approx([300, 400, 900], abs=0.01)
    assert table["y"].tolist() == pytest.approx([300, 600, 700], abs=0.01)
    np.testing.assert_allclose(table["psf_fwhm"], [np.nan, 1.3, 1.3], rtol=1e-6)
    np.testing.assert_array_equal(table["redshift"], [np.nan, 0.07, np.nan])
    images = np.load(tmp_path / "two" / "images.npy")
    assert (images[1:, 28:36, 28:36].mean(axis=(1, 2)) > 1000).all()
    assert abs(images[0].mean()) < 0.5
    rejected = pd.read_csv(tmp_path / "two" / "rejected.csv", keep_default_na=False)
    named = [(3, 85), (4, 83), (5, 83), (6, 90), (7, 86)]
    assert rejected["objid"].tolist() == [objid(number, field=field) for number, field in named]
    reasons = rejected["reason"].tolist()
    assert reasons[0].startswith("frame unreadable: damaged or cut short")
    assert reasons[1:3] == ["off the frame", "too near the edge"]
    assert reasons[3] == "frame missing: 1 of the frames at hand cannot be read, nor searched"
    assert reasons[4].startswith("frame unreadable: the header has no right ascension and declination")
    assert str(survey) not in rejected.to_csv()


def test_a_survey_with_too_many_faults_leaves_nothing(
    survey: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cut_in_this_process(monkeypatch)
    with pytest.raises(GalmorphError, match=r"5 of 8 galaxies rejected \(2 frame unreadable, 1 frame missing, 1 off"):
        cut_survey(survey, tmp_path / "set", SETTINGS, tmp_path / "partial")
    assert [path.name for path in tmp_path.iterdir()] == ["partial"]


def test_two_bands_in_one_folder(tmp_path: Path) -> None:
    write_dr7(tmp_path)
    write_dr8(tmp_path, np.zeros((50, 50)))
    write_table2(tmp_path / TABLE2_NAME, [table2_row(objid(1), RA, 20.0)])
    (tmp_path / REDSHIFTS_NAME).write_text("objid,ra,dec,redshift\n")
    with pytest.raises(GalmorphError, match="frames of the bands g, r"):
        cut_survey(tmp_path, tmp_path / "set", SETTINGS, tmp_path / "partial")
