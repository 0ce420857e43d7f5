from __future__ import annotations

import math
import statistics
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest

from galmorph.report import counts
from galmorph.report.results import ConditionResults, PhaseResults
from galmorph.settings import Settings

NOTHING = pd.DataFrame()


def condition(name: str, matrices: list[list[list[int]]], classes: tuple[str, ...]) -> ConditionResults:
    part = PhaseResults(NOTHING, NOTHING, np.array(matrices, dtype=np.int64))
    return ConditionResults(name, classes, 3, part, part)


def test_cells_are_mean_std_and_fraction_of_the_true_class() -> None:
    result = condition("two_class", [[[40, 4], [3, 13]], [[42, 2], [7, 9]]], ("spiral", "elliptical"))
    table: Any = counts.confusion_cells(result)
    cells: Any = table[table["phase"] == "confirmed"].set_index(["actual", "predicted"])
    assert cells.loc[("spiral", "elliptical"), "mean"] == 3
    assert cells.loc[("spiral", "elliptical"), "std"] == pytest.approx(math.sqrt(2))
    assert cells.loc[("spiral", "elliptical"), "fraction"] == pytest.approx(6 / 88)
    assert cells.loc[("elliptical", "spiral"), "mean"] == 5
    assert cells.loc[("elliptical", "spiral"), "fraction"] == pytest.approx(10 / 32)
    assert set(table["runs"]) == {2}
    assert len(table) == 2 * 4


def test_recall_is_the_mean_over_the_runs_of_the_diagonal_over_its_row() -> None:
    result = condition("two_class", [[[40, 4], [3, 13]], [[42, 2], [8, 8]]], ("spiral", "elliptical"))
    table: Any = counts.recalls({"two_class": result}).set_index(["phase", "class"])
    row: Any = table.loc[("confirmed", "elliptical")]
    assert row["mean"] == pytest.approx(statistics.fmean([13 / 16, 8 / 16]))
    assert row["std"] == pytest.approx(statistics.stdev([13 / 16, 8 / 16]))
    assert row["thesis"] == 0.80
    assert table.loc[("selected", "spiral"), "thesis"] == 0.90


def test_recall_leaves_out_a_run_without_the_class_and_says_so() -> None:
    matrices = [[[9, 1], [0, 0]], [[8, 2], [1, 3]], [[8, 2], [2, 2]]]
    table: Any = counts.recalls({"own": condition("own", matrices, ("spiral", "elliptical"))}).set_index(
        ["phase", "class"]
    )
    row: Any = table.loc[("confirmed", "elliptical")]
    assert row["runs"] == 2
    assert row["mean"] == pytest.approx((0.75 + 0.5) / 2)
    assert math.isnan(row["thesis"])
    assert table.loc[("confirmed", "spiral"), "runs"] == 3


def test_a_class_that_no_run_holds_has_no_recall_and_no_fraction() -> None:
    result = condition("own", [[[9, 1], [0, 0]]], ("spiral", "elliptical"))
    recall: Any = counts.recalls({"own": result}).set_index(["phase", "class"]).loc[("confirmed", "elliptical")]
    assert recall["runs"] == 0
    assert math.isnan(recall["mean"])
    cells: Any = counts.confusion_cells(result).set_index(["phase", "actual", "predicted"])
    assert math.isnan(cells.loc[("confirmed", "elliptical", "spiral"), "fraction"])


def test_one_run_has_no_spread() -> None:
    result = condition("own", [[[9, 1], [2, 8]]], ("spiral", "elliptical"))
    assert counts.confusion_cells(result)["std"].isna().all()
    assert counts.recalls({"own": result})["std"].isna().all()


def test_balanced_accuracy_of_the_recalls_is_the_tss_of_the_scores(
    make_settings: Callable[..., Settings], make_results: Callable[..., dict[str, ConditionResults]]
) -> None:
    results = make_results(make_settings())
    table: Any = counts.recalls(results).set_index(["condition", "phase"])
    recalls: Any = table.loc[("balanced", "confirmed"), "mean"]
    assert recalls.sum() - 1 == pytest.approx(results["balanced"].confirmed.scores["tss"].mean())
