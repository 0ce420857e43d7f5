"""Which galaxies most runs get wrong, counted by hand."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from galmorph.report.hardest import all_predictions, by_classes, hardest, legend, section
from galmorph.report.page import Book
from galmorph.scores.evaluation import ConditionRecords
from galmorph.settings.study import Settings
from galmorph.training.records import Evaluation, Record
from tests.support.records import made_record


def record(run: int, condition: str = "two_class", **sets: list[tuple[int, int, float]]) -> Record:
    """A record whose sets hold (row, truth, probability of class 0)."""
    made = {
        name: Evaluation(
            np.array([row for row, _, _ in members]),
            np.array([truth for _, truth, _ in members], np.uint8),
            np.array([[p, 1 - p] for _, _, p in members], np.float32),
        )
        for name, members in sets.items()
    }
    return dataclasses.replace(made_record(condition, "confirmed", run), sets=made)


def confirmed(*records: Record) -> ConditionRecords:
    return ConditionRecords(records[0].condition, 1, {"confirmed": records}, {})


def test_a_galaxy_of_two_sets_of_a_run_answers_once() -> None:
    given = all_predictions(
        [record(1, test=[(3, 0, 0.9)], common_natural=[(7, 1, 0.2)], common_balanced=[(7, 1, 0.2)])]
    )
    assert given["row"].tolist() == [3, 7]
    assert given["predicted"].tolist() == [0, 1]
    assert given["probability"].tolist() == pytest.approx([0.9, 0.8])


def test_three_of_three_comes_before_three_of_nine() -> None:
    runs = [record(run, test=[(1, 0, 0.1), (2, 0, 0.1 if run < 4 else 0.8)]) for run in range(1, 4)]
    runs += [record(run, test=[(2, 0, 0.8)]) for run in range(4, 10)]
    runs.append(record(1, "balanced", test=[(5, 1, 0.7), (6, 1, 0.01)]))
    table = hardest(all_predictions(runs), 10)
    # Class by class: of class 0 three of three and three of nine, of class 1 one of one.
    assert table["row"].tolist() == [1, 2, 5]
    assert table["tested"].tolist() == [3, 9, 1]
    assert table["wrong"].tolist() == [3, 3, 1]
    assert table["called"].tolist() == [1, 1, 0]
    assert table["probability"].tolist() == pytest.approx([0.9, 0.9, 0.7])
    # Wilson: k = n = 3, z = 1.96: n / (n + z**2).
    assert table["lower"][0] == pytest.approx(3 / (3 + 1.959964**2))


def test_nothing_wrong_and_no_more_than_asked() -> None:
    assert hardest(all_predictions([record(1, test=[(1, 0, 0.9)])]), 5).empty
    assert len(hardest(all_predictions([record(1, test=[(row, 0, 0.2) for row in range(9)])]), 5)) == 5


def test_networks_of_other_classes_stand_apart() -> None:
    three = made_record("three_class", "confirmed", classes=("spiral", "elliptical", "uncertain"))
    grouped = by_classes(
        {"a": confirmed(record(1), record(2)), "b": confirmed(three), "c": confirmed(record(1, "balanced"))}
    )
    assert [len(group) for group in grouped.values()] == [3, 1]


def test_the_section_shows_who_they_are_and_what_they_are_called(
    make_settings: Callable[..., Settings], tmp_path: Path
) -> None:
    rng = np.random.default_rng(2)
    images = rng.normal(0, 5, (9, 64, 64)).astype(np.float32)
    galaxies = pd.DataFrame(
        {
            "objid": 587722981736906800 + np.arange(9),
            "ra": 10.0,
            "dec": 0.5,
            "class": ["spiral", "elliptical"] * 4 + ["spiral"],
            "nvote": 30,
            "p_cs": 0.9,
            "p_el": 0.06,
            "redshift": 0.05,
            "frame": "a.fits",
        }
    )
    runs = [record(run, test=[(2, 0, 0.1), (3, 1, 0.2)], common_natural=[(8, 0, 0.3)]) for run in (1, 2)]
    made = section(Book(make_settings(), tmp_path), {"two_class": confirmed(*runs)}, galaxies, images)
    assert made is not None
    (table,) = made.tables
    assert table.name == "hardest_spiral_elliptical"
    assert table.data["objid"].tolist() == [587722981736906802, 587722981736906808]
    row = {str(key): str(value) for key, value in table.shown.iloc[0].items()}
    assert (row["Class"], row["Called"], row["Wrong"]) == ("spiral", "elliptical", "2 of 2")
    assert legend(table.data.to_dict("records")[0]) == (
        "587722981736906802\n30 votes: 90 % S, 6 % E\nspiral, called\nelliptical: 2 of 2"
    )
    assert (tmp_path / "figures" / "hardest_spiral_elliptical.png").stat().st_size > 5000
    right = confirmed(record(1, test=[(2, 0, 0.9)]))
    assert section(Book(make_settings(), tmp_path), {"two_class": right}, galaxies, images) is None
