"""Each number again, from plain Python: statistics and loops, no pandas aggregation."""

from __future__ import annotations

import dataclasses
import math
import statistics
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest

from galmorph.errors import GalmorphError
from galmorph.report import accuracy
from galmorph.report.study import ConditionResults, Study, check
from galmorph.settings.study import Settings
from tests.support.study import made_study

MakeSettings = Callable[..., Settings]
MakeResults = Callable[..., dict[str, ConditionResults]]


@pytest.fixture(scope="module")
def settings(make_settings: MakeSettings) -> Settings:
    return make_settings()


@pytest.fixture(scope="module")
def results(make_results: MakeResults, settings: Settings) -> dict[str, ConditionResults]:
    return make_results(settings)


def column(result: ConditionResults, phase: str, metric: str) -> list[float]:
    return [float(value) for value in getattr(result, phase).scores[metric]]


def test_summary_has_every_metric_once_and_agrees_with_plain_statistics(results: dict[str, ConditionResults]) -> None:
    table: Any = accuracy.summary(results)
    assert list(table.columns) == ["condition", "metric", "phase", "epoch", "runs", "mean", "std", "ste"]
    expected = {
        (name, metric, phase)
        for name, result in results.items()
        for phase in ("selected", "confirmed")
        for metric in getattr(result, phase).scores.columns
    }
    assert set(zip(table["condition"], table["metric"], table["phase"], strict=True)) == expected
    assert len(table) == len(expected)
    for row in table.itertuples():
        values = column(results[row.condition], row.phase, row.metric)
        assert row.runs == len(values) == 5
        assert row.epoch == results[row.condition].epoch
        assert row.mean == pytest.approx(statistics.fmean(values))
        assert row.std == pytest.approx(statistics.stdev(values))
        assert row.ste == pytest.approx(statistics.stdev(values) / math.sqrt(5))


def test_summary_keeps_the_order_of_conditions_then_metrics_then_phases(results: dict[str, ConditionResults]) -> None:
    table: Any = accuracy.summary(results)
    assert list(dict.fromkeys(table["condition"])) == list(results)
    of_one = table[table["condition"] == "three_class"]
    assert list(of_one["metric"] + " " + of_one["phase"]) == [
        "accuracy selected",
        "accuracy confirmed",
        "tss selected",
        "tss confirmed",
        "baseline selected",
        "baseline confirmed",
        "accuracy_restricted confirmed",
        "accuracy@common_natural confirmed",
        "tss@common_natural confirmed",
        "baseline@common_natural confirmed",
        "accuracy@common_balanced confirmed",
        "tss@common_balanced confirmed",
        "baseline@common_balanced confirmed",
    ]


def test_a_metric_missing_in_one_run_is_missing_in_the_mean(results: dict[str, ConditionResults]) -> None:
    result = results["two_class"]
    scores = result.confirmed.scores.copy()
    scores.loc[2, "tss"] = math.nan
    broken = dataclasses.replace(result, confirmed=dataclasses.replace(result.confirmed, scores=scores))
    table: Any = accuracy.summary({"two_class": broken}).set_index(["metric", "phase"])
    assert math.isnan(table.loc[("tss", "confirmed"), "mean"])
    assert not math.isnan(table.loc[("tss", "selected"), "mean"])


def test_table_4_1_sets_ours_beside_the_thesis(results: dict[str, ConditionResults]) -> None:
    table: Any = accuracy.table_4_1(results).set_index("condition")
    for name, result in results.items():
        selected, confirmed = (column(result, phase, "accuracy") for phase in ("selected", "confirmed"))
        row = table.loc[name]
        assert row["accuracy"] == pytest.approx(statistics.fmean(selected))
        assert row["two_std"] == pytest.approx(2 * statistics.stdev(selected))
        assert row["two_ste"] == pytest.approx(2 * statistics.stdev(selected) / math.sqrt(5))
        assert row["confirmed_accuracy"] == pytest.approx(statistics.fmean(confirmed))
        assert row["confirmed_two_std"] == pytest.approx(2 * statistics.stdev(confirmed))
        assert row["baseline"] == pytest.approx(statistics.fmean(column(result, "selected", "baseline")))
        assert row["epoch"] == result.epoch
    thesis = ["thesis_accuracy", "thesis_two_std", "thesis_two_ste", "thesis_epoch"]
    assert list(table.loc["three_class", thesis]) == [0.688, 0.062, 0.011, 148]
    assert list(table.loc["two_class", thesis]) == [0.931, 0.034, 0.006, 158]
    assert table.loc[["balanced", "two_class_small"], thesis].isna().all(axis=None)


def test_section_4_3_is_two_class_and_balanced(results: dict[str, ConditionResults]) -> None:
    table: Any = accuracy.section_4_3(results)
    assert list(zip(table["condition"], table["drawn"], table["phase"], strict=True)) == [
        ("two_class", "imbalanced", "selected"),
        ("two_class", "imbalanced", "confirmed"),
        ("balanced", "balanced", "selected"),
        ("balanced", "balanced", "confirmed"),
    ]
    tss = column(results["balanced"], "confirmed", "tss")
    assert table.loc[3, "tss"] == pytest.approx(statistics.fmean(tss))
    assert table.loc[3, "tss_two_ste"] == pytest.approx(2 * statistics.stdev(tss) / math.sqrt(5))


def test_section_4_3_is_empty_where_nothing_belongs_in_it(
    make_settings: MakeSettings, make_results: MakeResults
) -> None:
    assert accuracy.section_4_3(make_results(make_settings(conditions=("three_class",)))).empty


def _drop_condition(results: dict[str, ConditionResults]) -> dict[str, ConditionResults]:
    return {name: result for name, result in results.items() if name != "balanced"}


def _add_condition(results: dict[str, ConditionResults]) -> dict[str, ConditionResults]:
    return results | {"extra": dataclasses.replace(results["balanced"], name="extra")}


def _other_classes(results: dict[str, ConditionResults]) -> dict[str, ConditionResults]:
    return results | {"balanced": dataclasses.replace(results["balanced"], classes=("elliptical", "spiral"))}


def _confirmed(results: dict[str, ConditionResults], **parts: object) -> dict[str, ConditionResults]:
    result = results["balanced"]
    changed = dataclasses.replace(result.confirmed, **parts)  # type: ignore[arg-type]
    return results | {"balanced": dataclasses.replace(result, confirmed=changed)}


def _lost_run(results: dict[str, ConditionResults]) -> dict[str, ConditionResults]:
    return _confirmed(results, scores=results["balanced"].confirmed.scores.iloc[:-1])


def _lost_matrix(results: dict[str, ConditionResults]) -> dict[str, ConditionResults]:
    return _confirmed(results, confusion=results["balanced"].confirmed.confusion[:-1])


def _other_matrix(results: dict[str, ConditionResults]) -> dict[str, ConditionResults]:
    matrices = results["balanced"].confirmed.confusion.copy()
    matrices[3] += np.array([[1, 0], [0, 0]])
    return _confirmed(results, confusion=matrices)


def _lost_curve(results: dict[str, ConditionResults]) -> dict[str, ConditionResults]:
    history: pd.DataFrame = results["balanced"].confirmed.history
    return _confirmed(results, history=history[history["run"] != 3])


def _late_epoch(results: dict[str, ConditionResults]) -> dict[str, ConditionResults]:
    return results | {"balanced": dataclasses.replace(results["balanced"], epoch=999)}


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (_drop_condition, "condition balanced: declared"),
        (_add_condition, "condition extra: has results"),
        (_other_classes, "condition balanced: results for"),
        (_lost_run, "balanced, confirmed phase: the runs are not 1 to 5"),
        (_lost_matrix, "balanced, confirmed phase: confusion matrices of shape"),
        (_other_matrix, "balanced, confirmed phase, run 4: its accuracy is not that of its confusion matrix"),
        (_lost_curve, "balanced, confirmed phase: learning curves and scores"),
        (_late_epoch, "condition balanced: the selected epoch 999"),
    ],
)
def test_check_refuses_what_is_not_declared_or_does_not_agree(
    results: dict[str, ConditionResults],
    settings: Settings,
    spoil: Callable[[dict[str, ConditionResults]], dict[str, ConditionResults]],
    message: str,
) -> None:
    study = Study(settings, made_study(settings), results)
    check(study)
    with pytest.raises(GalmorphError, match=message):
        check(dataclasses.replace(study, results=spoil(results)))
