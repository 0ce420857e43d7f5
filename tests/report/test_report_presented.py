"""The numbers that a reader sees, each written out again from the scores."""

from __future__ import annotations

import math
import statistics
from collections.abc import Callable

import pytest

from galmorph.report import presented
from galmorph.report.results import ConditionResults
from galmorph.report.table import Table
from galmorph.settings import Settings

MakeSettings = Callable[..., Settings]
MakeResults = Callable[..., dict[str, ConditionResults]]


@pytest.fixture(scope="module")
def settings(make_settings: MakeSettings) -> Settings:
    return make_settings()


@pytest.fixture(scope="module")
def results(make_results: MakeResults, settings: Settings) -> dict[str, ConditionResults]:
    return make_results(settings)


def written(result: ConditionResults, phase: str, metric: str) -> tuple[str, str]:
    """Return "mean ± 2 std" and "± 2 standard errors"."""
    values = [float(value) for value in getattr(result, phase).scores[metric]]
    std = statistics.stdev(values)
    return f"{statistics.fmean(values):.3f} ± {2 * std:.3f}", f"± {2 * std / math.sqrt(len(values)):.3f}"


def rows(table: Table) -> list[list[str]]:
    return [[str(value) for value in row] for row in table.shown.itertuples(index=False)]


def test_table_4_1(results: dict[str, ConditionResults]) -> None:
    two_class = results["two_class"]
    row = rows(presented.table_4_1(results))[1]
    baseline = f"{statistics.fmean(float(value) for value in two_class.selected.scores['baseline']):.3f}"
    expected = ["two classes", *written(two_class, "selected", "accuracy"), str(two_class.epoch), baseline]
    expected += [*written(two_class, "confirmed", "accuracy"), "0.931 ± 0.034", "± 0.006", "158"]
    assert row == expected
    assert rows(presented.table_4_1(results))[2][-3:] == ["—", "—", "—"]


def test_section_4_3(results: dict[str, ConditionResults]) -> None:
    balanced = results["balanced"]
    row = rows(presented.section_4_3(results))[3]
    assert row[:3] == ["balanced", "confirmed", str(balanced.epoch)]
    assert row[3:7] == [*written(balanced, "confirmed", "accuracy"), *written(balanced, "confirmed", "tss")]
    assert row[7] == "0.500"


def test_comparisons(results: dict[str, ConditionResults], settings: Settings) -> None:
    metric = "tss@common_balanced"
    first, second = (written(results[name], "confirmed", metric)[0] for name in ("two_class", "balanced"))
    means = [results[name].confirmed.scores[metric].mean() for name in ("two_class", "balanced")]
    difference = f"{means[1] - means[0]:+.3f}".replace("-", "−")
    for table in (presented.comparisons(results, settings), presented.comparison(results, settings, "class_balance")):
        assert rows(table)[-1][-6:] == [*rows(table)[-1][-6:-3], first, second, difference]
        assert rows(table)[-1][-5:-3] == ["common set, balanced", "confirmed"]


def test_question_1(results: dict[str, ConditionResults], settings: Settings) -> None:
    table = presented.question_1(results, settings)
    row = rows(table)[0]
    assert row[:3] == ["three classes", "accuracy, restricted", str(results["three_class"].epoch)]
    assert tuple(row[4:]) == written(results["three_class"], "confirmed", "accuracy_restricted")
    assert "The control" in table.caption
    without = {name: result for name, result in results.items() if name != "two_class_small"}
    assert "The control" not in presented.question_1(without, settings).caption


def test_recalls_keep_the_order_of_conditions_and_classes(results: dict[str, ConditionResults]) -> None:
    shown = rows(presented.recalls(results))
    labels = [
        ["three classes", "spiral"],
        ["three classes", "elliptical"],
        ["three classes", "uncertain"],
        ["two classes", "spiral"],
    ]
    assert [row[:2] for row in shown[:4]] == labels
    assert [row[-1] for row in shown[:6]] == ["0.60", "0.20", "0.75", "0.90", "0.80", "—"]
    for place, phase in ((2, "confirmed"), (3, "selected")):
        recall = [m[1][1] / m[1].sum() for m in getattr(results["three_class"], phase).confusion]
        assert shown[1][place] == f"{statistics.fmean(recall):.3f} ± {2 * statistics.stdev(recall):.3f}"


def test_confusion_is_of_the_confirmed_runs(results: dict[str, ConditionResults]) -> None:
    result = results["three_class"]
    shown = rows(presented.confusion(result))
    cell = [float(matrix[2][0]) for matrix in result.confirmed.confusion]
    assert shown[2][:2] == ["uncertain", f"{statistics.fmean(cell):.1f} ± {statistics.stdev(cell):.1f}"]
    assert [row[0] for row in shown] == ["spiral", "elliptical", "uncertain"]


def test_summary_is_written_with_four_digits_of_the_standard_error(results: dict[str, ConditionResults]) -> None:
    row = rows(presented.summary(results))[0]
    values = [float(value) for value in results["three_class"].selected.scores["accuracy"]]
    std = statistics.stdev(values)
    numbers = [f"{statistics.fmean(values):.3f}", f"{std:.3f}", f"{std / math.sqrt(5):.4f}"]
    assert row == ["three_class", "accuracy", "selected", str(results["three_class"].epoch), "5", *numbers]
