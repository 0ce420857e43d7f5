from __future__ import annotations

import json
import statistics
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest

from galmorph.report import plots
from galmorph.report.study import Study
from galmorph.settings.study import Settings
from tests.support.study import study_of


def test_metrics_of_a_condition_are_few_and_rounded(study: Study) -> None:
    result = study.results["three_class"]
    values = [float(value) for value in result.confirmed.scores["tss"]]
    metrics = plots.metrics(result)
    # `dvc metrics show` prints a column for each.
    assert list(metrics) == ["epoch", "accuracy", "accuracy_std", "tss", "tss_std", "selected_accuracy"]
    assert metrics["epoch"] == result.epoch
    assert metrics["tss"] == round(statistics.fmean(values), 6)
    assert metrics["tss_std"] == round(statistics.stdev(values), 6)
    assert metrics["selected_accuracy"] == round(statistics.fmean(result.selected.scores["accuracy"]), 6)


def test_one_run_has_a_mean_and_no_std_in_valid_json(make_settings: Callable[..., Settings], tmp_path: Path) -> None:
    plots.write(study_of(make_settings(runs=1, conditions=("balanced",))).results, tmp_path)
    text = (tmp_path / "metrics/balanced.json").read_text()
    assert "NaN" not in text
    assert set(json.loads(text)) == {"epoch", "accuracy", "tss", "selected_accuracy"}


def test_curves_are_the_mean_over_the_runs(study: Study) -> None:
    result = study.results["two_class"]
    table = plots.curve(result, "loss")
    assert list(table.columns) == ["epoch", "train", "test", "train_std", "test_std"]
    assert list(table["epoch"]) == list(range(1, 13))
    history = result.selected.history
    values = [float(value) for value in history[history["epoch"] == 4]["test_loss"]]
    assert len(values) == 5
    assert table.loc[3, "test"] == pytest.approx(statistics.fmean(values))
    assert table.loc[3, "test_std"] == pytest.approx(statistics.stdev(values))


def test_confusion_has_one_row_per_test_galaxy(study: Study) -> None:
    result = study.results["three_class"]
    counted = Counter(plots.confusion_items(result).itertuples(index=False, name=None))
    total = result.confirmed.confusion.sum(axis=0)
    for i, actual in enumerate(result.classes):
        for j, predicted in enumerate(result.classes):
            assert counted[(actual, predicted)] == total[i, j]


def test_every_condition_has_the_same_columns(study: Study, tmp_path: Path) -> None:
    plots.write(study.results, tmp_path)
    for kind in ("loss", "accuracy", "confusion"):
        files = sorted((tmp_path / "plots" / kind).iterdir())
        assert [path.stem for path in files] == sorted(study.results)
        assert len({tuple(pd.read_csv(path).columns) for path in files}) == 1
    assert {path.stem for path in (tmp_path / "metrics").iterdir()} == set(study.results)
