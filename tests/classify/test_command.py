"""galmorph classify, from the command's arguments to its files."""

from __future__ import annotations

import logging
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from astropy.io import fits
from numpy.typing import NDArray
from PIL import Image

from galmorph.classify import Ensemble, command
from galmorph.classify.command import FILES, Asked, classify
from galmorph.errors import GalmorphError
from galmorph.training.records import load_record
from tests.support.frames import sky_position
from tests.support.trained_study import PLACE


@pytest.fixture(scope="module")
def new_stamps(study_images: NDArray[np.float32], tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("new stamps")
    for number, image in enumerate(study_images[:30]):
        fits.PrimaryHDU(image[: 12 if number == 3 else 16]).writeto(folder / f"{number:02d}.fits")
    return folder


def asked(output: Path | None, **changes: object) -> Asked:
    values: dict[str, object] = dict.fromkeys(Asked.__dataclass_fields__)
    return Asked(**values | {"condition": "three_class", "sky_subtracted": True, "output": output} | changes)  # type: ignore[arg-type]


def test_stamps_to_tables_and_a_sheet(
    study: Path, new_stamps: Path, tmp_path: Path, ensemble: Ensemble, study_images: NDArray[np.float32]
) -> None:
    text = classify(asked(tmp_path / "answers", stamps=new_stamps), study)
    assert {path.name for path in (tmp_path / "answers").iterdir()} == set(FILES)
    table = pd.read_parquet(tmp_path / "answers/galaxies.parquet")
    written = pd.read_csv(tmp_path / "answers/galaxies.csv", keep_default_na=False, na_values={"ra": "", "dec": ""})
    assert table["name"].tolist() == [f"{number:02d}.fits" for number in range(30) if number != 3]
    assert written["predicted"].tolist() == table["predicted"].tolist()
    np.testing.assert_allclose(written["p_spiral"], table["p_spiral"], rtol=1e-8)
    expected = ensemble.classify(study_images[:30]).drop(index=3)
    np.testing.assert_allclose(table["p_spiral"], expected["p_spiral"], atol=1e-5)
    rejected = pd.read_csv(tmp_path / "answers/rejected.csv")
    assert rejected["name"].tolist() == ["03.fits"]
    with Image.open(tmp_path / "answers/sheet.png") as sheet:
        assert sheet.width > 1000
    assert "classified  29: " in text
    assert "rejected    1: 1 stamp too small\n" in text
    assert "networks    2 of three_class\n" in text
    assert "labelled" not in text


def test_the_same_bytes_again_in_the_place_of_the_earlier_answer(study: Path, new_stamps: Path, tmp_path: Path) -> None:
    wanted = asked(tmp_path / "answers", stamps=new_stamps)
    first: dict[str, bytes] = {}
    second: dict[str, bytes] = {}
    for found in (first, second):
        classify(wanted, study)
        found.update({path.name: path.read_bytes() for path in (tmp_path / "answers").iterdir()})
    assert first == second


def test_positions_on_a_frame_as_the_survey_would_cut_them(study: Path, tmp_path: Path) -> None:
    (frame,) = (study / "data/raw").rglob("fpC-*")
    ra, dec = sky_position(*PLACE)
    far = sky_position(-500, 10)
    (tmp_path / "p.csv").write_text(f"objid,ra,dec,class\n5,{ra},{dec},spiral\n6,{far[0]},{far[1]},\n")
    text = classify(asked(tmp_path / "answers", frame=frame, positions=tmp_path / "p.csv"), study)
    table = pd.read_csv(tmp_path / "answers/galaxies.csv")
    assert table["name"].tolist() == [5]
    assert (table["x"][0], table["y"][0]) == pytest.approx(PLACE, abs=1e-3)
    assert "rejected    1: 1 off the frame\n" in text
    assert "labelled    1 as one of these classes; " in text


def test_all_positions_off_the_frame_says_where_the_frame_is(study: Path, tmp_path: Path) -> None:
    (frame,) = (study / "data/raw").rglob("fpC-*")
    (tmp_path / "p.csv").write_text("ra,dec\n10,5\n11,5\n")
    with pytest.raises(GalmorphError, match=r"2 off the frame; the middle of the frame is at RA 150\.0.*Dec \+20\.0"):
        classify(asked(tmp_path / "answers", frame=frame, positions=tmp_path / "p.csv"), study)
    assert not (tmp_path / "answers").exists()


def test_a_folder_that_holds_something_else_is_not_replaced(study: Path, new_stamps: Path, tmp_path: Path) -> None:
    (tmp_path / "thesis.tex").write_text("ten years of work")
    with pytest.raises(GalmorphError, match="holds something else than an earlier answer"):
        classify(asked(tmp_path, stamps=new_stamps), study)
    assert (tmp_path / "thesis.tex").exists()
    with pytest.raises(GalmorphError, match="holds something else"):
        classify(asked(tmp_path / "thesis.tex", stamps=new_stamps), study)
    with pytest.raises(GalmorphError, match="a file, in which there can be no folder"):
        classify(asked(tmp_path / "thesis.tex" / "answers", stamps=new_stamps), study)


def test_what_fails_half_way_leaves_nothing(
    study: Path, new_stamps: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*arguments: object) -> None:
        raise GalmorphError("the disk is full")

    monkeypatch.setattr(command, "save_png", full)
    with pytest.raises(GalmorphError, match="the disk is full"):
        classify(asked(tmp_path / "answers", stamps=new_stamps), study)
    assert list(tmp_path.iterdir()) == []


def test_unknown_pixel_scales_are_said(
    study: Path, new_stamps: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING, logger="galmorph"):
        classify(asked(tmp_path / "answers", stamps=new_stamps), study)
    assert "stamps of unknown pixel scale: 29; it must be that of the training, 0.396 arcsec" in caplog.text


def test_the_commands_probabilities_are_those_of_the_training(
    study: Path, study_images: NDArray[np.float32], tmp_path: Path
) -> None:
    test = load_record(study / "models/three_class/confirmed/run-001.npz").sets["test"]
    (tmp_path / "npy").mkdir()
    for place, row in enumerate(test.rows.tolist()):
        np.save(tmp_path / "npy" / f"{place:03d}.npy", study_images[row])
    classify(asked(tmp_path / "answers", stamps=tmp_path / "npy"), study)
    table = pd.read_parquet(tmp_path / "answers/galaxies.parquet")
    # Of two networks: their mean and spread give back the one and the other.
    half = table["std_spiral"] / np.sqrt(2)
    either = np.stack([table["p_spiral"] - half, table["p_spiral"] + half])
    # A sky that was measured and given back leaves a rounding of the pixels.
    assert np.abs(either - test.probabilities[:, 0]).min(axis=0).max() < 1e-5
