"""galmorph classify, from the command's arguments to its files."""

from __future__ import annotations

import logging
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from astropy.io import fits
from matplotlib.figure import Figure
from numpy.typing import NDArray
from PIL import Image

from galmorph.classify import Ensemble, command
from galmorph.classify.command import FILES, classify
from galmorph.errors import GalmorphError
from tests.support.frames import sky_position
from tests.support.trained_study import PLACE


@pytest.fixture(scope="module")
def new_stamps(study_images: NDArray[np.float32], tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("new stamps")
    for number, image in enumerate(study_images[:30]):
        fits.PrimaryHDU(image[: 12 if number == 3 else 16]).writeto(folder / f"{number:02d}.fits")
    return folder


@pytest.fixture
def no_sheet(monkeypatch: pytest.MonkeyPatch) -> None:
    """Write an empty sheet, because drawing takes longest."""
    monkeypatch.setattr(command, "contact_sheet", lambda *arguments: Figure())
    monkeypatch.setattr(command, "save_png", lambda figure, path: path.touch())


def test_stamps_to_tables_and_a_sheet(
    study: Path,
    new_stamps: Path,
    tmp_path: Path,
    ensemble: Ensemble,
    study_images: NDArray[np.float32],
    caplog: pytest.LogCaptureFixture,
) -> None:
    with caplog.at_level(logging.WARNING, logger="galmorph"):
        text = classify("three_class", stamps=new_stamps, sky_subtracted=True, output=tmp_path / "out", project=study)
    assert {path.name for path in (tmp_path / "out").iterdir()} == set(FILES)
    table = pd.read_parquet(tmp_path / "out/galaxies.parquet")
    written = pd.read_csv(tmp_path / "out/galaxies.csv", keep_default_na=False, na_values={"ra": "", "dec": ""})
    assert table["name"].tolist() == [f"{number:02d}.fits" for number in range(30) if number != 3]
    assert written["predicted"].tolist() == table["predicted"].tolist()
    np.testing.assert_allclose(written["p_spiral"], table["p_spiral"], rtol=1e-8)
    expected = ensemble.classify(study_images[:30]).drop(index=3)
    np.testing.assert_allclose(table["p_spiral"], expected["p_spiral"], atol=1e-5)
    rejected = pd.read_csv(tmp_path / "out/rejected.csv")
    assert rejected["name"].tolist() == ["03.fits"]
    with Image.open(tmp_path / "out/sheet.png") as sheet:
        assert sheet.width > 1000
    assert "classified  29: " in text
    assert "rejected    1: 1 stamp too small\n" in text
    assert "networks    2 of three_class\n" in text
    assert "labelled" not in text
    assert "stamps of unknown pixel scale: 29; it must be that of the training, 0.396 arcsec" in caplog.text
    # The same bytes again, in the place of the earlier results.
    before = {path.name: path.read_bytes() for path in (tmp_path / "out").iterdir()}
    classify("three_class", stamps=new_stamps, sky_subtracted=True, output=tmp_path / "out", project=study)
    assert {path.name: path.read_bytes() for path in (tmp_path / "out").iterdir()} == before


@pytest.mark.usefixtures("no_sheet")
def test_two_at_once_into_one_folder_do_not_mix(
    study: Path, new_stamps: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The second starts and ends while the first, of other stamps, writes; the folder is then all of the first."""
    few = tmp_path / "few"
    few.mkdir()
    shutil.copy(new_stamps / "05.fits", few)

    def classify_into_one_folder(stamps: Path) -> None:
        classify("three_class", stamps=stamps, sky_subtracted=True, output=tmp_path / "out", project=study)

    def save_png(figure: Figure, path: Path) -> None:
        monkeypatch.setattr(command, "save_png", lambda figure, path: path.write_text("few"))
        classify_into_one_folder(few)
        assert (tmp_path / "out/sheet.png").read_text() == "few"
        path.write_text("many")

    monkeypatch.setattr(command, "save_png", save_png)
    classify_into_one_folder(new_stamps)
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == sorted(FILES)
    assert (tmp_path / "out/sheet.png").read_text() == "many"
    for file, rows in (("galaxies.csv", 29), ("rejected.csv", 1)):
        assert len(pd.read_csv(tmp_path / "out" / file)) == rows
    assert sorted(path.name for path in tmp_path.iterdir()) == ["few", "out"]


@pytest.mark.usefixtures("no_sheet")
def test_positions_on_a_frame_as_the_survey_would_cut_them(study: Path, tmp_path: Path) -> None:
    (frame,) = (study / "data/raw").rglob("fpC-*")
    positions = tmp_path / "p.csv"
    ra, dec = sky_position(*PLACE)
    far = sky_position(-500, 10)
    positions.write_text(f"objid,ra,dec,class\n5,{ra},{dec},spiral\n6,{far[0]},{far[1]},\n")
    text = classify("three_class", frame=frame, positions=positions, output=tmp_path / "out", project=study)
    table = pd.read_csv(tmp_path / "out/galaxies.csv")
    assert table["name"].tolist() == [5]
    assert (table["x"][0], table["y"][0]) == pytest.approx(PLACE, abs=1e-3)
    assert "rejected    1: 1 off the frame\n" in text
    assert "labelled    1 as one of these classes; " in text


def test_all_positions_off_the_frame_says_where_the_frame_is(study: Path, tmp_path: Path) -> None:
    (frame,) = (study / "data/raw").rglob("fpC-*")
    positions = tmp_path / "p.csv"
    positions.write_text("ra,dec\n10,5\n11,5\n")
    with pytest.raises(GalmorphError, match=r"2 off the frame; the middle of the frame is at RA 150\.0.*Dec \+20\.0"):
        classify("three_class", frame=frame, positions=positions, output=tmp_path / "out", project=study)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("output", "message"),
    [
        (".", "holds more than the results of galmorph classify"),
        ("thesis.tex", "holds more than"),
        ("thesis.tex/out", r"thesis\.tex: not a folder"),
    ],
)
def test_an_output_that_holds_something_else_is_not_replaced(
    study: Path, new_stamps: Path, tmp_path: Path, output: str, message: str
) -> None:
    (tmp_path / "thesis.tex").write_text("ten years of work")
    with pytest.raises(GalmorphError, match=message):
        classify("three_class", stamps=new_stamps, output=tmp_path / output, project=study)
    assert (tmp_path / "thesis.tex").exists()


def test_a_failure_half_way_leaves_nothing(
    study: Path, new_stamps: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*arguments: object) -> None:
        raise GalmorphError("the disk is full")

    monkeypatch.setattr(command, "contact_sheet", full)
    with pytest.raises(GalmorphError, match="the disk is full"):
        classify("three_class", stamps=new_stamps, output=tmp_path / "out", project=study)
    assert list(tmp_path.iterdir()) == []
