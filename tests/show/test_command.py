"""galmorph show, from the object id to the picture and the words."""

from __future__ import annotations

import logging
import shutil
from pathlib import Path

import pytest
from PIL import Image

from galmorph.errors import GalmorphError
from galmorph.show.command import show
from tests.support.trained_study import REJECTED


def test_a_picture_and_words(study: Path, tmp_path: Path) -> None:
    text = show(17, tmp_path / "galaxy.png", study)
    assert text.startswith("17\n  class     ")
    assert text.endswith(f"\nPicture: {tmp_path / 'galaxy.png'}\n")
    with Image.open(tmp_path / "galaxy.png") as picture:
        assert picture.width > 1000


def test_a_rejected_galaxy_has_words_only(study: Path, tmp_path: Path) -> None:
    text = show(REJECTED, tmp_path / "galaxy.png", study)
    assert "  rejected  too near the edge\n" in text
    assert list(tmp_path.iterdir()) == []


def test_without_the_frames_the_stamp_is_drawn_alone(
    own_study: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    shutil.rmtree(own_study / "data/raw")
    with caplog.at_level(logging.WARNING, logger="galmorph"):
        show(17, tmp_path / "galaxy.png", own_study)
    assert "the frame is not drawn; dvc pull data/raw brings it" in caplog.text
    assert (tmp_path / "galaxy.png").exists()


@pytest.mark.parametrize(("name", "message"), [("gone/a.png", "no such folder; make it"), ("a.jpg", "is a PNG")])
def test_a_place_that_cannot_be(study: Path, tmp_path: Path, name: str, message: str) -> None:
    with pytest.raises(GalmorphError, match=message):
        show(17, tmp_path / name, study)
