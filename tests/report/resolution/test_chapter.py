"""The section of the page: what it holds, and what is written."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest
from matplotlib.figure import Figure

from galmorph.report.figures import style
from galmorph.report.page import SIMULATED, Book
from galmorph.report.resolution.chapter import Examples, section
from galmorph.report.resolution.results import ResolutionResults
from galmorph.report.study import Study
from galmorph.settings.study import Settings
from tests.support.parameters import settings_with
from tests.support.resolution import made_resolution

SETTINGS = settings_with({})


@pytest.fixture
def book(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Book:
    """Return folders in which figures are empty files, because drawing takes seconds."""

    def save(figure: Figure, folder: Path, name: str, dpi: int, note: str | None) -> None:
        for ending in ("png", "svg"):
            (folder / f"{name}.{ending}").touch()

    monkeypatch.setattr(style, "save", save)
    return Book(SETTINGS, tmp_path)


def study(results: ResolutionResults | None) -> Study:
    return Study(SETTINGS, {}, {}, results)


def test_everything_named_is_written(book: Book, tmp_path: Path) -> None:
    results = made_resolution(levels=3)
    rng = np.random.default_rng(8)
    images = {level.name: rng.normal(0, 5, (2, 64, 64)).astype(np.float32) for level in results.tested}
    examples: Examples = (images, ("spiral", "elliptical"), ("a.fits", "b.fits"))
    chapter = section(book, study(results), examples)
    assert chapter is not None
    assert (chapter.anchor, chapter.title) == ("resolution", "Different spatial resolution (chapter 5)")
    names = [f"resolution_{name}" for name in ("levels", "matrix", "recalibrated", "confusion", "remedies", "ablation")]
    assert [table.name for table in chapter.tables] == names
    assert [table.results for table in chapter.tables] == [False, True, True, True, True, True]
    scores = ("accuracy", "tss", "auc", "accuracy_recalibrated", "tss_recalibrated")
    pictures = [f"resolution_{name}" for name in ("stamps", *scores, "loss", "recall", "corners")]
    assert [picture.name for picture in chapter.pictures] == pictures
    assert [picture.results for picture in chapter.pictures] == [False, *[True] * 8]
    written = {path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*.*")}
    assert written == {f"tables/{name}.{ending}" for name in names for ending in ("csv", "md", "tex")} | {
        f"figures/{name}.{ending}" for name in pictures for ending in ("png", "svg")
    }
    assert "The same 12,345 galaxies" in chapter.paragraphs[0]
    assert "Remedies (mixed) are trained" in chapter.paragraphs[0]
    assert SIMULATED in (tmp_path / "tables" / "resolution_matrix.md").read_text(encoding="utf-8")
    assert SIMULATED not in (tmp_path / "tables" / "resolution_levels.md").read_text(encoding="utf-8")


def test_without_stamps_and_ablations(book: Book) -> None:
    chapter = section(book, study(made_resolution(runs=1, ablations=False, mixed=False)), None)
    assert chapter is not None
    assert len(chapter.tables) == 5
    assert "resolution_stamps" not in {picture.name for picture in chapter.pictures}
    assert "no stamps were given" in chapter.paragraphs[-1]
    assert "spread of a score" not in chapter.paragraphs[0]


def test_augmentation_at_levels_is_said_with_its_key_and_that_of_another_survey_too(book: Book) -> None:
    of_one_survey = made_resolution(levels=3, ablations=False)
    levels = [
        dataclasses.replace(level, role="survey") if level.name == "coarse" else level for level in of_one_survey.levels
    ]
    with_another = dataclasses.replace(of_one_survey, levels=tuple(levels), surveys={"coarse": 300})
    augmented = settings_with({"training.augmentation": "flips_and_turns"})

    def said(settings: Settings, results: ResolutionResults) -> str:
        chapter = section(book, Study(settings, {}, {}, results), None)
        assert chapter is not None
        return chapter.paragraphs[0]

    key = "drawn anew in each epoch (training.augmentation: flips_and_turns), at every level"
    assert key in said(augmented, with_another)
    assert "So are the galaxies of coarse: that the images of another survey" in said(augmented, with_another)
    assert key in said(augmented, of_one_survey)
    assert "So are" not in said(augmented, of_one_survey)
    assert "orientation" not in said(SETTINGS, with_another)


def test_a_study_without_levels_has_no_chapter(book: Book) -> None:
    assert section(book, study(None), None) is None
