"""The section of the page: what it holds, and what is written."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from galmorph.errors import GalmorphError
from galmorph.report.page import SIMULATED, Book
from galmorph.report.resolution.chapter import section
from galmorph.report.resolution.results import ResolutionResults, levels_tested
from galmorph.settings.study import Settings

MakeResolution = Callable[..., ResolutionResults]


@pytest.fixture
def book(make_settings: Callable[..., Settings], tmp_path: Path) -> Book:
    return Book(make_settings(), tmp_path)


def test_everything_named_is_written(book: Book, make_resolution: MakeResolution, tmp_path: Path) -> None:
    results = make_resolution(levels=3)
    rng = np.random.default_rng(8)
    images = {level.name: rng.normal(0, 5, (2, 64, 64)).astype(np.float32) for level in levels_tested(results)}
    chapter = section(book, results, (images, ("spiral", "elliptical")))
    assert (chapter.anchor, chapter.title) == ("resolution", "Different spatial resolution (chapter 5)")
    names = [f"resolution_{name}" for name in ("levels", "matrix", "confusion", "remedies", "ablation")]
    assert [table.name for table in chapter.tables] == names
    assert [table.results for table in chapter.tables] == [False, True, True, True, True]
    pictures = [f"resolution_{name}" for name in ("stamps", "accuracy", "tss", "loss", "recall", "corners")]
    assert [picture.name for picture in chapter.pictures] == pictures
    assert [picture.results for picture in chapter.pictures] == [False, True, True, True, True, True]
    written = {path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*.*")}
    assert written == {f"tables/{name}.{ending}" for name in names for ending in ("csv", "md", "tex")} | {
        f"figures/{name}.{ending}" for name in pictures for ending in ("png", "svg")
    }
    assert "The same 12,345 galaxies" in chapter.paragraphs[0]
    assert "Remedies (mixed) are trained" in chapter.paragraphs[0]
    assert SIMULATED in (tmp_path / "tables" / "resolution_matrix.md").read_text(encoding="utf-8")
    assert SIMULATED not in (tmp_path / "tables" / "resolution_levels.md").read_text(encoding="utf-8")


def test_without_stamps_and_ablations(book: Book, make_resolution: MakeResolution) -> None:
    chapter = section(book, make_resolution(runs=1, ablations=False, mixed=False), None)
    assert len(chapter.tables) == 4
    assert "resolution_stamps" not in {picture.name for picture in chapter.pictures}
    assert "no stamps were given" in chapter.paragraphs[-1]
    assert "spread here" not in chapter.paragraphs[0]


def test_incomplete_results_are_refused(book: Book, make_resolution: MakeResolution) -> None:
    results = make_resolution()
    broken = dataclasses.replace(results, epochs={})
    with pytest.raises(GalmorphError, match="no selected epoch"):
        section(book, broken, None)
