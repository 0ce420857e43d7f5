"""Series of conditions along an axis: lines, numbers, figure."""

from __future__ import annotations

import math
import statistics
from collections.abc import Callable
from pathlib import Path

import pytest
from scipy import stats

from galmorph.report import series
from galmorph.report.page import Book
from galmorph.report.study import Study
from galmorph.scores.predictions import predictions
from galmorph.scores.statistics import score_overlap
from galmorph.settings.study import Settings
from tests.support.parameters import committed, settings_with
from tests.support.study import study_of

CURVE = {"curve": {"x": "training galaxies", "conditions": ["three_class", "two_class", "two_class_small"]}}


def declared(blocks: dict[str, object]) -> Settings:
    """The quick preset with a smaller draw of the control, and two learning rates of one condition."""
    conditions = committed()["conditions"]
    conditions["small"] = conditions["two_class_small"] | {"draw": 100}
    for name, rate in (("rate_1", 0.001), ("rate_2", 0.01)):
        conditions[name] = conditions["two_class"] | {"training": {"learning_rate": rate}}
    return settings_with({"conditions": conditions, "series": blocks})


def test_conditions_that_differ_in_the_axis_alone_are_one_line() -> None:
    settings = declared(
        {
            "curve": {"x": "training galaxies", "conditions": ["three_class", "two_class_small", "small"]},
            "rates": {"x": "training.learning_rate", "conditions": ["rate_1", "rate_2"]},
            "mixed": {"x": "draw", "conditions": ["two_class", "balanced"]},
        }
    )
    found = {name: series.lines(settings, block) for name, block in settings.series.items()}
    assert found["curve"] == {"3 classes": ["three_class"], "2 classes": ["two_class_small", "small"]}
    assert found["rates"] == {"": ["rate_1", "rate_2"]}
    assert found["mixed"] == {"natural": ["two_class"], "balanced": ["balanced"]}


def test_epochs_may_differ_along_training_galaxies_and_the_caption_says_so(tmp_path: Path) -> None:
    two_class = committed()["conditions"]["two_class"]
    conditions = {
        "many": two_class | {"training": {"epochs": 2}},
        "few": two_class | {"draw": 150, "training": {"epochs": 3}},
    }
    blocks = {
        "protocol.runs": 2,
        "report.png_dpi": 50,
        "conditions": conditions,
        "comparisons": {},
        "series": {"curve": {"x": "training galaxies", "conditions": list(conditions)}},
    }
    study = study_of(settings_with(blocks))
    assert series.lines(study.settings, study.settings.series["curve"]) == {"": ["many", "few"]}
    (made,) = series.sections(Book(study.settings, tmp_path), study)
    assert "The number of epochs to select from differs: 2 to 3." in made.tables[0].caption


def test_numbers_of_each_class_are_one_line_along_training_galaxies() -> None:
    two_class = committed()["conditions"]["two_class"]
    added = {f"plus_{n}": two_class | {"mix": {"spiral": n, "elliptical": 50}, "draw": n + 50} for n in (50, 150)}
    curve = {"added": {"x": "training galaxies", "conditions": list(added)}}
    settings = settings_with({"conditions": added, "comparisons": {}, "series": curve})
    assert series.lines(settings, settings.series["added"]) == {"": ["plus_50", "plus_150"]}


def test_lines_that_differ_in_a_key_are_named_with_it(tmp_path: Path) -> None:
    two_class = committed()["conditions"]["two_class"]
    changes = {"plain": {}, "slow": {"learning_rate": 0.0001}, "weighted": {"class_weight": "balanced"}}
    blocks = {
        "protocol.runs": 2,
        "report.png_dpi": 50,
        "conditions": {name: two_class | {"training": keys} for name, keys in changes.items()},
        "comparisons": {},
        "series": {"rates": {"x": "training.learning_rate", "conditions": list(changes)}},
    }
    study = study_of(settings_with(blocks))
    (made,) = series.sections(Book(study.settings, tmp_path), study)
    named = "differ in more than that: training.class_weight none; training.class_weight balanced."
    assert named in made.tables[0].caption
    assert named in made.pictures[0].caption
    shown = made.tables[0].shown
    assert dict(zip(shown["Condition"], shown["Line"], strict=True)) == {
        "slow": "training.class_weight none",
        "plain": "training.class_weight none",
        "weighted": "training.class_weight balanced",
    }


@pytest.fixture(scope="module")
def study(make_settings: Callable[..., Settings]) -> Study:
    return study_of(make_settings(series=CURVE))


def test_points_are_means_on_the_common_set_with_corrected_intervals(study: Study) -> None:
    data = series.points(study, "curve").set_index("condition")
    scores = [float(value) for value in study.results["two_class"].confirmed.scores["tss@common_natural"]]
    overlap = score_overlap("tss", predictions(study.records["two_class"], "confirmed", "common_natural"))
    half = float(stats.t.ppf(0.975, 4)) * statistics.stdev(scores) * math.sqrt(1 / 5 + overlap / (1 - overlap))
    row = data.loc["two_class"]
    assert (row["tss_mean"], row["tss_std"]) == pytest.approx((statistics.fmean(scores), statistics.stdev(scores)))
    assert row["tss_half"] == pytest.approx(half)
    assert data["runs"].tolist() == [5, 5, 5]


def test_the_page_has_a_figure_and_a_table_of_each_series(study: Study, tmp_path: Path) -> None:
    (made,) = series.sections(Book(study.settings, tmp_path), study)
    (table,) = made.tables
    assert "The lines differ in more than that: 3 classes and drawn among 3 classes" in table.caption
    assert list(table.shown) == [
        "Condition",
        "Line",
        "Spirals and ellipticals that a run trains on",
        "Runs",
        "Accuracy ± std",
        "accuracy, half of its 95 % interval",
        "TSS ± std",
        "TSS, half of its 95 % interval",
        "Majority baseline",
        *(f"{baseline}, accuracy ± std" for baseline in ("Magnitude and size", "Principal components", "Shape")),
    ]
    scores = [float(value) for value in study.results["two_class"].baselines["pca"].scores["accuracy@common_natural"]]
    shown = dict(zip(table.data["condition"], table.shown["Principal components, accuracy ± std"], strict=True))
    assert shown["two_class"] == f"{statistics.fmean(scores):.3f} ± {statistics.stdev(scores):.3f}"
    assert (tmp_path / "figures/series_curve.svg").exists()
    assert (tmp_path / "tables/series_curve.csv").exists()
