from __future__ import annotations

import math
import statistics
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest

from galmorph.report import accuracy, conditions
from galmorph.report.study import ConditionResults, PhaseResults
from galmorph.settings.study import Settings

NOTHING = pd.DataFrame()


def condition(name: str, matrices: list[list[list[int]]], classes: tuple[str, ...]) -> ConditionResults:
    part = PhaseResults(NOTHING, NOTHING, np.array(matrices, dtype=np.int64))
    return ConditionResults(name, classes, 3, part, part)


def test_cells_are_mean_std_and_fraction_of_the_true_class() -> None:
    result = condition("two_class", [[[40, 4], [3, 13]], [[42, 2], [7, 9]]], ("spiral", "elliptical"))
    table: Any = accuracy.confusion_cells(result)
    cells: Any = table[table["phase"] == "confirmed"].set_index(["actual", "predicted"])
    assert cells.loc[("spiral", "elliptical"), "mean"] == 3
    assert cells.loc[("spiral", "elliptical"), "std"] == pytest.approx(math.sqrt(2))
    assert cells.loc[("spiral", "elliptical"), "fraction"] == pytest.approx(6 / 88)
    assert cells.loc[("elliptical", "spiral"), "mean"] == 5
    assert cells.loc[("elliptical", "spiral"), "fraction"] == pytest.approx(10 / 32)
    assert set(table["runs"]) == {2}
    assert len(table) == 2 * 4


def test_class_scores_are_means_over_the_runs_written_out_by_hand() -> None:
    result = condition("two_class", [[[40, 4], [3, 13]], [[42, 2], [8, 8]]], ("spiral", "elliptical"))
    table: Any = accuracy.class_scores({"two_class": result}).set_index(["phase", "class"])
    row: Any = table.loc[("confirmed", "elliptical")]
    for score, values in (
        ("recall", [13 / 16, 8 / 16]),
        ("precision", [13 / 17, 8 / 10]),
        ("f1", [26 / 33, 16 / 26]),
    ):
        assert row[f"{score}_mean"] == pytest.approx(statistics.fmean(values))
        assert row[f"{score}_std"] == pytest.approx(statistics.stdev(values))
        assert row[f"{score}_runs"] == 2
    assert row["thesis_recall"] == 0.80
    assert table.loc[("selected", "spiral"), "thesis_recall"] == 0.90


def test_a_run_without_the_class_or_the_answer_is_left_out_and_counted() -> None:
    matrices = [[[9, 1], [0, 0]], [[10, 0], [4, 0]], [[8, 2], [2, 2]]]
    table: Any = accuracy.class_scores({"own": condition("own", matrices, ("spiral", "elliptical"))}).set_index(
        ["phase", "class"]
    )
    row: Any = table.loc[("confirmed", "elliptical")]
    assert (row["runs"], row["recall_runs"], row["precision_runs"], row["f1_runs"]) == (3, 2, 2, 3)
    assert row["recall_mean"] == pytest.approx((0 / 4 + 2 / 4) / 2)
    assert row["precision_mean"] == pytest.approx((0 / 1 + 2 / 4) / 2)
    assert row["f1_mean"] == pytest.approx((0 + 0 + 4 / 8) / 3)
    assert math.isnan(row["thesis_recall"])
    shown = conditions.class_scores({"own": condition("own", matrices, ("spiral", "elliptical"))}).shown
    assert list(shown["Recall ± 2 std"].str.contains("runs")) == [False, True]
    assert shown["Precision ± 2 std"].iloc[1].endswith("(2 runs)")


def test_a_class_that_no_run_holds_has_no_recall_and_no_fraction() -> None:
    result = condition("own", [[[9, 1], [0, 0]]], ("spiral", "elliptical"))
    recall: Any = accuracy.class_scores({"own": result}).set_index(["phase", "class"]).loc[("confirmed", "elliptical")]
    assert recall["recall_runs"] == 0
    assert math.isnan(recall["recall_mean"])
    cells: Any = accuracy.confusion_cells(result).set_index(["phase", "actual", "predicted"])
    assert math.isnan(cells.loc[("confirmed", "elliptical", "spiral"), "fraction"])


def test_the_three_forms_of_tss_of_the_literature() -> None:
    # The contingency tables of Jolliffe and of Wilks, a run each.
    jolliffe, wilks = [[7, 4, 4], [14, 9, 8], [14, 16, 24]], [[50, 47, 54], [91, 2364, 205], [71, 170, 3288]]
    three = condition("own", [jolliffe, wilks], ("spiral", "elliptical", "uncertain"))
    two = condition("other", [[[9, 1], [2, 8]]], ("spiral", "elliptical"))
    table: Any = accuracy.tss_forms({"own": three, "other": two})
    assert set(table["condition"]) == {"own"}
    means: Any = table[table["phase"] == "confirmed"].set_index("form")["mean"]
    assert means["adjusted"] == pytest.approx((0.1007 + 0.5758) / 2, abs=1e-4)
    assert means["peirce"] == pytest.approx((0.1072 + 0.8107) / 2, abs=1e-4)
    assert conditions.tss_forms({"other": two}) is None


def test_one_run_has_no_spread() -> None:
    result = condition("own", [[[9, 1], [2, 8]]], ("spiral", "elliptical"))
    assert accuracy.confusion_cells(result)["std"].isna().all()
    assert accuracy.class_scores({"own": result})["recall_std"].isna().all()


def test_balanced_accuracy_of_the_recalls_is_the_tss_of_the_scores(
    make_settings: Callable[..., Settings], make_results: Callable[..., dict[str, ConditionResults]]
) -> None:
    results = make_results(make_settings())
    table: Any = accuracy.class_scores(results).set_index(["condition", "phase"])
    recalls: Any = table.loc[("balanced", "confirmed"), "recall_mean"]
    assert recalls.sum() - 1 == pytest.approx(results["balanced"].confirmed.scores["tss"].mean())
