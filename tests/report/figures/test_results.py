from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest

from galmorph.report.figures.results import confusion_matrix, learning_curve, mean_curves
from galmorph.report.study import ConditionResults
from galmorph.settings.study import Settings


@pytest.fixture(scope="module")
def result(
    make_settings: Callable[..., Settings], make_results: Callable[..., dict[str, ConditionResults]]
) -> ConditionResults:
    return make_results(make_settings())["three_class"]


def test_the_lines_are_the_means_and_the_mark_is_on_the_test_curve(result: ConditionResults) -> None:
    history = result.selected.history
    figure = learning_curve(history, "accuracy", selected_epoch=result.epoch, baseline=0.624, title="Three classes")
    (axes,) = figure.axes
    lines: dict[str, Any] = {str(line.get_label()): line for line in axes.get_lines()}
    assert set(lines) >= {"training, mean ± 1 σ", "test, mean ± 1 σ", f"selected epoch, {result.epoch}"}
    by_epoch = [history.loc[history["epoch"] == epoch, "test_accuracy"].to_numpy() for epoch in range(1, 13)]
    np.testing.assert_allclose(lines["test, mean ± 1 σ"].get_ydata(), [values.mean() for values in by_epoch])
    mark = lines[f"selected epoch, {result.epoch}"]
    assert list(mark.get_xdata()) == [result.epoch]
    np.testing.assert_allclose(mark.get_ydata(), by_epoch[result.epoch - 1].mean())
    assert list(lines["baseline, 0.624"].get_ydata()) == [0.624, 0.624]
    assert axes.get_ylabel() == "accuracy"
    band = axes.collections[1].get_paths()[0].get_extents()
    highest = max(values.mean() + values.std(ddof=1) for values in by_epoch)
    assert band.y1 == pytest.approx(highest)


def test_loss_has_no_baseline(result: ConditionResults) -> None:
    figure = learning_curve(result.selected.history, "loss", selected_epoch=3, baseline=None, title="")
    labels = [str(line.get_label()) for line in figure.axes[0].get_lines()]
    assert not any(label.startswith("baseline") for label in labels)
    assert figure.axes[0].get_ylim()[0] == 0


def test_one_run_has_lines_and_no_band(result: ConditionResults) -> None:
    one: pd.DataFrame = result.selected.history.query("run == 1")
    assert mean_curves(one)["test_loss", "std"].isna().all()
    figure = learning_curve(one, "loss", selected_epoch=3, baseline=None, title="")
    assert not figure.axes[0].collections
    assert {"training, one run", "test, one run"} <= {str(line.get_label()) for line in figure.axes[0].get_lines()}


def test_cells_print_mean_and_std_with_rows_true_and_columns_predicted() -> None:
    matrices = np.array([[[40, 4], [3, 13]], [[42, 2], [7, 9]]])
    axes: Any = confusion_matrix(matrices, ("spiral", "elliptical"), "Two classes").axes[0]
    printed: dict[tuple[int, int], list[str]] = {}
    for text in axes.texts:
        column, row = (round(place) for place in text.get_position())
        printed.setdefault((column, row), []).append(text.get_text())
    # Keys are (column, row): the spirals called elliptical stand in the first row, second column.
    assert printed == {
        (0, 0): ["41.0 ± 1.4", "93 %"],
        (1, 0): ["3.0 ± 1.4", "7 %"],
        (0, 1): ["5.0 ± 2.8", "31 %"],
        (1, 1): ["11.0 ± 2.8", "69 %"],
    }
    assert [label.get_text() for label in axes.get_xticklabels()] == ["spiral", "elliptical"]
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("predicted class", "true class")
    np.testing.assert_allclose(axes.images[0].get_array(), [[41 / 44, 3 / 44], [5 / 16, 11 / 16]])


def test_one_run_and_an_absent_class() -> None:
    axes = confusion_matrix(np.array([[[9, 1], [0, 0]]]), ("spiral", "elliptical"), "").axes[0]
    texts = [text.get_text() for text in axes.texts]
    assert texts == ["9", "90 %", "1", "10 %", "0", "no galaxy", "0", "no galaxy"]
