"""Each number again, from plain Python: statistics and loops, no pandas aggregation."""

from __future__ import annotations

import dataclasses
import math
import statistics
from typing import Any

import numpy as np
import pandas as pd
import pytest

from galmorph.baselines import BASELINES
from galmorph.report import accuracy, conditions
from galmorph.report.study import ConditionResults, PhaseResults, Results, Study

TWO = ("spiral", "elliptical")


@pytest.fixture(scope="module")
def results(study: Study) -> Results:
    return study.results


def column(result: ConditionResults, phase: str, metric: str) -> list[float]:
    return [float(value) for value in result.phases[phase].scores[metric]]


def condition(name: str, matrices: list[list[list[int]]], classes: tuple[str, ...] = TWO) -> ConditionResults:
    part = PhaseResults(pd.DataFrame(), pd.DataFrame(), np.array(matrices, dtype=np.int64))
    return ConditionResults(name, classes, 3, part, part)


def test_summary_has_every_metric_once_and_agrees_with_plain_statistics(study: Study, results: Results) -> None:
    table: Any = accuracy.summary(study)
    numbers = ["mean", "std", "binomial", "ste"]
    assert list(table.columns) == ["condition", "metric", "phase", "epoch", "runs", *numbers]
    expected = {
        (name, metric, phase)
        for name, result in results.items()
        for phase, part in result.with_baselines.items()
        for metric in part.scores.columns
        if phase in result.phases or not metric.startswith("baseline")
    }
    assert set(zip(table["condition"], table["metric"], table["phase"], strict=True)) == expected
    assert len(table) == len(expected)
    for row in table.itertuples():
        result = results[row.condition]
        part = result.with_baselines[row.phase]
        values = [float(value) for value in part.scores[row.metric]]
        assert row.runs == len(values) == 5
        assert pd.isna(row.epoch) if row.phase in result.baselines else row.epoch == result.epoch
        assert row.mean == pytest.approx(statistics.fmean(values))
        assert row.std == pytest.approx(statistics.stdev(values))
        assert row.ste == pytest.approx(statistics.stdev(values) / math.sqrt(5))


def test_a_standard_deviation_has_the_binomial_one_beside_it(study: Study, results: Results) -> None:
    table: Any = accuracy.summary(study).set_index(["condition", "metric", "phase"])
    mean = statistics.fmean(column(results["two_class"], "confirmed", "accuracy"))
    expected = math.sqrt(mean * (1 - mean) / 60)
    assert table.loc[("two_class", "accuracy", "confirmed"), "binomial"] == pytest.approx(expected)
    # On the common balanced set TPR and FPR are shares of 30 galaxies each.
    matrices = [run.confusions["common_balanced"] for run in study.records["two_class"].scored["confirmed"]]
    recalls = [statistics.fmean(float(m[i, i] / m[i].sum()) for m in matrices) for i in (0, 1)]
    expected = math.sqrt(sum(p * (1 - p) / 30 for p in recalls))
    assert table.loc[("two_class", "tss@common_balanced", "confirmed"), "binomial"] == pytest.approx(expected)
    # Among three classes only the spirals and ellipticals count, of which each test part has another number.
    tested = results["three_class"].confirmed.confusion[:, :2].sum(axis=(1, 2))
    mean = statistics.fmean(column(results["three_class"], "confirmed", "accuracy_restricted"))
    expected = math.sqrt(mean * (1 - mean) * statistics.fmean(1 / float(n) for n in tested))
    assert table.loc[("three_class", "accuracy_restricted", "confirmed"), "binomial"] == pytest.approx(expected)
    assert math.isnan(table.loc[("two_class", "baseline", "confirmed"), "binomial"])


def test_summary_is_in_the_order_of_conditions_then_metrics_then_phases(study: Study, results: Results) -> None:
    table: Any = accuracy.summary(study)
    assert list(dict.fromkeys(table["condition"])) == list(results)
    of_one = table[(table["condition"] == "three_class") & ~table["phase"].isin(BASELINES)]
    own = [f"{metric} {phase}" for metric in ("accuracy", "tss", "baseline") for phase in ("selected", "confirmed")]
    common = [
        f"{metric}@{where} confirmed"
        for where in ("common_natural", "common_balanced")
        for metric in ("accuracy", "tss", "baseline")
    ]
    assert list(of_one["metric"] + " " + of_one["phase"]) == [*own, "accuracy_restricted confirmed", *common]


def test_a_metric_missing_in_one_run_is_missing_in_the_mean(study: Study) -> None:
    result = study.results["two_class"]
    scores = result.confirmed.scores.copy()
    scores.loc[2, "tss"] = math.nan
    broken = dataclasses.replace(result, confirmed=dataclasses.replace(result.confirmed, scores=scores))
    table: Any = accuracy.summary(dataclasses.replace(study, results={"two_class": broken}))
    table = table.set_index(["metric", "phase"])
    assert math.isnan(table.loc[("tss", "confirmed"), "mean"])
    assert not math.isnan(table.loc[("tss", "selected"), "mean"])


def test_table_4_1_sets_ours_beside_the_thesis(results: Results) -> None:
    table: Any = accuracy.table_4_1(results).set_index("condition")
    for name, result in results.items():
        row = table.loc[name]
        for prefix, phase in (("", "selected"), ("confirmed_", "confirmed")):
            values = column(result, phase, "accuracy")
            assert row[f"{prefix}accuracy"] == pytest.approx(statistics.fmean(values))
            assert row[f"{prefix}two_std"] == pytest.approx(2 * statistics.stdev(values))
            assert row[f"{prefix}two_ste"] == pytest.approx(2 * statistics.stdev(values) / math.sqrt(5))
        assert row["baseline"] == pytest.approx(statistics.fmean(column(result, "selected", "baseline")))
        assert row["epoch"] == result.epoch
        for baseline, part in result.baselines.items():
            values = [float(value) for value in part.scores["accuracy"]]
            assert row[f"{baseline}_accuracy"] == pytest.approx(statistics.fmean(values))
            assert row[f"{baseline}_two_std"] == pytest.approx(2 * statistics.stdev(values))
    thesis = ["thesis_accuracy", "thesis_two_std", "thesis_two_ste", "thesis_epoch"]
    assert list(table.loc["three_class", thesis]) == [0.688, 0.062, 0.011, 148]
    assert list(table.loc["two_class", thesis]) == [0.931, 0.034, 0.006, 158]
    assert table.loc["two_class", "two_binomial"] == pytest.approx(
        2 * math.sqrt(table.loc["two_class", "accuracy"] * (1 - table.loc["two_class", "accuracy"]) / 60)
    )
    for name, implied, binomial in (("three_class", 0.652, 0.0535), ("two_class", 0.872, 0.0293)):
        assert table.loc[name, "thesis_implied"] == pytest.approx(implied, abs=5e-4)
        assert table.loc[name, "thesis_two_binomial"] == pytest.approx(binomial, abs=5e-5)
    thesis += ["thesis_implied", "thesis_two_binomial"]
    assert table.loc[["balanced", "two_class_small"], thesis].isna().all(axis=None)


def test_section_4_3_is_two_class_and_balanced(results: Results) -> None:
    table: Any = accuracy.section_4_3(results)
    assert table[["condition", "drawn", "phase"]].to_numpy().tolist() == [
        [name, drawn, phase]
        for name, drawn in (("two_class", "imbalanced"), ("balanced", "balanced"))
        for phase in ("selected", "confirmed", *BASELINES)
    ]
    rows = table.set_index(["drawn", "phase"])
    tss = column(results["balanced"], "confirmed", "tss")
    assert rows.loc[("balanced", "confirmed"), "tss"] == pytest.approx(statistics.fmean(tss))
    assert rows.loc[("balanced", "confirmed"), "tss_ste"] == pytest.approx(statistics.stdev(tss) / math.sqrt(5))
    shape = [float(value) for value in results["balanced"].baselines["shape"].scores["tss"]]
    assert rows.loc[("balanced", "shape"), "tss"] == pytest.approx(statistics.fmean(shape))
    assert pd.isna(rows.loc[("balanced", "shape"), "epoch"])
    assert accuracy.section_4_3({"three_class": results["three_class"]}).empty


def test_cells_are_mean_std_and_fraction_of_the_true_class() -> None:
    table: Any = accuracy.confusion_cells(condition("two_class", [[[40, 4], [3, 13]], [[42, 2], [7, 9]]]))
    assert len(table) == 2 * 4
    assert set(table["runs"]) == {2}
    cells: Any = table[table["phase"] == "confirmed"].set_index(["actual", "predicted"])
    expected = {"mean": 3, "std": pytest.approx(math.sqrt(2)), "fraction": pytest.approx(6 / 88)}
    expected["binomial"] = pytest.approx(math.sqrt(60 * 0.05 * 0.95))
    assert cells.loc[("spiral", "elliptical"), list(expected)].to_dict() == expected
    assert cells.loc[("elliptical", "spiral"), ["mean", "fraction"]].tolist() == [5, pytest.approx(10 / 32)]


def test_class_scores_are_means_over_the_runs_written_out_by_hand() -> None:
    result = condition("two_class", [[[40, 4], [3, 13]], [[42, 2], [8, 8]]])
    table: Any = accuracy.class_scores({"two_class": result}).set_index(["phase", "class"])
    row: Any = table.loc[("confirmed", "elliptical")]
    for score, values in (("recall", [13 / 16, 8 / 16]), ("precision", [13 / 17, 8 / 10]), ("f1", [26 / 33, 16 / 26])):
        assert row[f"{score}_mean"] == pytest.approx(statistics.fmean(values))
        assert row[f"{score}_std"] == pytest.approx(statistics.stdev(values))
        assert row[f"{score}_runs"] == 2
    assert row["recall_binomial"] == pytest.approx(math.sqrt(21 / 32 * 11 / 32 / 16))
    precision = (13 / 17 + 8 / 10) / 2
    assert row["precision_binomial"] == pytest.approx(math.sqrt(precision * (1 - precision) * (1 / 17 + 1 / 10) / 2))
    assert row["thesis_recall"] == 0.80
    assert table.loc[("selected", "spiral"), "thesis_recall"] == 0.90


def test_a_run_without_the_class_or_the_answer_is_left_out_and_counted() -> None:
    results = {"own": condition("own", [[[9, 1], [0, 0]], [[10, 0], [4, 0]], [[8, 2], [2, 2]]])}
    row: Any = accuracy.class_scores(results).set_index(["phase", "class"]).loc[("confirmed", "elliptical")]
    assert (row["runs"], row["recall_runs"], row["precision_runs"], row["f1_runs"]) == (3, 2, 2, 3)
    assert row["recall_mean"] == pytest.approx((0 / 4 + 2 / 4) / 2)
    assert row["precision_mean"] == pytest.approx((0 / 1 + 2 / 4) / 2)
    assert row["f1_mean"] == pytest.approx((0 + 0 + 4 / 8) / 3)
    assert math.isnan(row["thesis_recall"])
    shown = conditions.class_scores(results).shown
    assert list(shown["Recall ± std"].str.contains("runs")) == [False, True]
    assert shown["Precision ± std"].iloc[1].endswith("(2 runs)")


def test_one_run_without_a_class_has_no_recall_no_fraction_and_no_spread() -> None:
    result = condition("own", [[[9, 1], [0, 0]]])
    table: Any = accuracy.class_scores({"own": result}).set_index(["phase", "class"])
    assert table.loc[("confirmed", "elliptical"), "recall_runs"] == 0
    assert math.isnan(table.loc[("confirmed", "elliptical"), "recall_mean"])
    assert table["recall_std"].isna().all()
    cells: Any = accuracy.confusion_cells(result).set_index(["phase", "actual", "predicted"])
    assert math.isnan(cells.loc[("confirmed", "elliptical", "spiral"), "fraction"])
    assert cells["std"].isna().all()


def test_the_three_forms_of_tss_of_the_literature() -> None:
    # The contingency tables of Jolliffe and of Wilks, a run each.
    jolliffe, wilks = [[7, 4, 4], [14, 9, 8], [14, 16, 24]], [[50, 47, 54], [91, 2364, 205], [71, 170, 3288]]
    three = condition("own", [jolliffe, wilks], (*TWO, "uncertain"))
    two = condition("other", [[[9, 1], [2, 8]]])
    table: Any = accuracy.tss_forms({"own": three, "other": two})
    assert set(table["condition"]) == {"own"}
    means: Any = table[table["phase"] == "confirmed"].set_index("form")["mean"]
    assert means["adjusted"] == pytest.approx((0.1007 + 0.5758) / 2, abs=1e-4)
    assert means["peirce"] == pytest.approx((0.1072 + 0.8107) / 2, abs=1e-4)
    assert conditions.tss_forms({"other": two}) is None
