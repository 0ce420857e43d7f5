"""ROC and calibration, against scikit-learn and by hand."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pytest
from matplotlib.patches import Rectangle
from sklearn.metrics import roc_auc_score

from galmorph.report import probabilities
from galmorph.report.figures.results import roc_and_reliability
from galmorph.report.study import Study
from galmorph.scores.predictions import predictions


def test_areas_are_scikit_learns_run_by_run(study: Study) -> None:
    data: Any = probabilities.scores(study).set_index(["condition", "evaluated_on"])
    assert set(data.index.get_level_values(0)) == {"two_class", "balanced", "two_class_small"}
    areas = [
        roc_auc_score(record.sets["common_natural"].truth == 0, record.sets["common_natural"].probabilities[:, 0])
        for record in study.records["balanced"].phases["confirmed"]
    ]
    row = data.loc[("balanced", "common_natural")]
    assert row["auc_mean"] == pytest.approx(np.mean(areas))
    assert row["auc_std"] == pytest.approx(np.std(areas, ddof=1))
    assert row["galaxies"] == 5 * 60


def test_the_area_under_the_mean_curve_is_the_mean_area(study: Study) -> None:
    given = predictions(study.records["two_class"], "confirmed")
    curves = probabilities.roc_curves(given)
    assert curves.shape == (5, 101)
    assert (curves[:, 0] == 0).all()
    assert (curves[:, -1] == 1).all()
    assert (np.diff(curves, axis=1) >= 0).all()
    areas = probabilities.by_run(given, lambda true, p: float(roc_auc_score(true, p)))
    trapezoids = np.trapezoid(curves, probabilities.FALSE_POSITIVE_RATES, axis=1)
    np.testing.assert_allclose(trapezoids, areas, atol=0.02)


def test_calibration_error_by_hand() -> None:
    probability = np.array([0.05, 0.05, 0.95, 0.95, 0.95, 0.95])
    true = np.array([False, True, True, True, True, False])
    # Two galaxies at 0.05, of which a half are spirals; four at 0.95, of which three quarters are.
    expected = (2 * abs(0.5 - 0.05) + 4 * abs(0.75 - 0.95)) / 6
    assert probabilities.expected_calibration_error(true, probability) == pytest.approx(expected)
    table = probabilities.reliability(true, probability)
    assert table["galaxies"].tolist() == [2, 0, 0, 0, 0, 0, 0, 0, 0, 4]
    assert table["frequency"].dropna().tolist() == [0.5, 0.75]


def test_probabilities_that_are_frequencies_have_no_error_and_constant_ones_the_whole() -> None:
    rng = np.random.default_rng(1)
    probability = rng.random(200_000)
    true = rng.random(200_000) < probability
    assert probabilities.expected_calibration_error(true, probability) < 0.01
    assert probabilities.expected_calibration_error(np.array([True, False]), np.array([1.0, 1.0])) == 0.5


def test_a_run_of_one_class_has_no_area(study: Study) -> None:
    given = predictions(study.records["two_class"], "confirmed")
    spirals = given.truth == 0
    parts = ("run", "galaxy", "truth", "predicted", "probabilities")
    chosen = dataclasses.replace(given, **{name: getattr(given, name)[spirals] for name in parts})
    assert np.isnan(probabilities.by_run(chosen, lambda true, p: float(roc_auc_score(true, p)))).all()


def test_tables_and_figure(study: Study) -> None:
    tables = probabilities.curve_tables(study)
    assert tables is not None
    roc, bins = tables
    assert len(roc.data) == 3 * 21
    assert len(bins.data) == 3 * 10
    assert bins.shown["Probability given"].iloc[9] == "0.95 ± 0.05"
    alone = dataclasses.replace(study, results={"three_class": study.results["three_class"]})
    assert probabilities.curve_tables(alone) is None
    given = predictions(study.records["two_class"], "confirmed")
    left, right = roc_and_reliability(given, (0.91, 0.02), 0.05, "Two classes").axes
    (curve,) = (line for line in left.get_lines() if "area 0.910 ± 0.020" in str(line.get_label()))
    np.testing.assert_allclose(np.asarray(curve.get_ydata()), probabilities.roc_curves(given).mean(axis=0))
    (points,) = (line for line in right.get_lines() if "0.050" in str(line.get_label()))
    diagram = probabilities.reliability(*probabilities.positives(given)).dropna()
    np.testing.assert_allclose(np.asarray(points.get_ydata()), diagram["frequency"])
    assert sum(bar.get_height() for bar in right.patches if isinstance(bar, Rectangle)) == pytest.approx(1)
