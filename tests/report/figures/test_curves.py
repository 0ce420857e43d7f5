from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest

from galmorph.report.figures.results import learning_curve, mean_curves
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
