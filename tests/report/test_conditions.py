"""The numbers that a reader sees, each written out again from the scores."""

from __future__ import annotations

import math
import statistics

import pytest

from galmorph.baselines import BASELINES
from galmorph.report import conditions
from galmorph.report.study import PhaseResults, Results, Study
from galmorph.report.table import Table


@pytest.fixture(scope="module")
def results(study: Study) -> Results:
    return study.results


def written(part: PhaseResults, metric: str, times: int) -> tuple[str, str]:
    """Return "mean ± std (binomial std)" and "± standard error" of two classes, each error so many times."""
    values = [float(value) for value in part.scores[metric]]
    std, mean = statistics.stdev(values), statistics.fmean(values)
    matrices = part.confusion
    variance = mean * (1 - mean) / float(matrices[0].sum())
    if metric == "tss":
        shares = [[float(m[i, i] / m[i].sum()) for m in matrices] for i in (0, 1)]
        counts = [[float(m[i].sum()) for m in matrices] for i in (0, 1)]
        variance = sum(
            statistics.fmean(p) * (1 - statistics.fmean(p)) * statistics.fmean(1 / n for n in of)
            for p, of in zip(shares, counts, strict=True)
        )
    spreads = f"{mean:.3f} ± {times * std:.3f} ({times * math.sqrt(variance):.3f})"
    return spreads, f"± {times * std / math.sqrt(len(values)):.3f}"


def rows(table: Table) -> list[list[str]]:
    return [[str(value) for value in row] for row in table.shown.itertuples(index=False)]


def test_table_4_1(results: Results, study: Study) -> None:
    two_class = results["two_class"]
    row = rows(conditions.table_4_1(results, study.settings.protocol))[1]
    baseline = f"{statistics.fmean(float(value) for value in two_class.selected.scores['baseline']):.3f}"
    expected = ["two classes", *written(two_class.selected, "accuracy", 2), str(two_class.epoch), baseline]
    baselines = [written(two_class.baselines[name], "accuracy", 2)[0] for name in BASELINES]
    expected += [
        *written(two_class.confirmed, "accuracy", 2),
        *baselines,
        "0.931 ± 0.034 (0.029)",
        "± 0.006",
        "0.872",
        "158",
    ]
    assert row == expected
    assert rows(conditions.table_4_1(results, study.settings.protocol))[2][-4:] == ["—"] * 4


def test_section_4_3(results: Results) -> None:
    balanced = results["balanced"]
    shown = rows(conditions.section_4_3(results))
    assert [row[1] for row in shown[5:]] == [
        *("selected", "confirmed", "magnitude and size", "principal components", "shape")
    ]
    assert shown[9][2:4] == ["—", written(balanced.baselines["shape"], "accuracy", 1)[0]]
    row = shown[6]
    assert row[:3] == ["balanced", "confirmed", str(balanced.epoch)]
    assert row[3:5] == [written(balanced.confirmed, metric, 1)[0] for metric in ("accuracy", "tss")]
    assert row[5] == "0.500"


def test_confusion_is_of_the_confirmed_runs(results: Results) -> None:
    result = results["three_class"]
    shown = rows(conditions.confusion(result))
    cell = [float(matrix[2][0]) for matrix in result.confirmed.confusion]
    mean, galaxies = statistics.fmean(cell), float(result.confirmed.confusion[0].sum())
    binomial = math.sqrt(mean * (1 - mean / galaxies))
    assert shown[2][:2] == ["uncertain", f"{mean:.1f} ± {statistics.stdev(cell):.1f} ({binomial:.1f})"]
    assert [row[0] for row in shown] == ["spiral", "elliptical", "uncertain"]


def test_summary_is_written_with_four_digits_of_the_standard_error(study: Study, results: Results) -> None:
    row = rows(conditions.summary(study))[0]
    values = [float(value) for value in results["three_class"].selected.scores["accuracy"]]
    std = statistics.stdev(values)
    mean = statistics.fmean(values)
    numbers = [f"{mean:.3f}", f"{std:.3f}", f"{math.sqrt(mean * (1 - mean) / 60):.3f}", f"{std / math.sqrt(5):.4f}"]
    assert row == ["three_class", "accuracy", "selected", str(results["three_class"].epoch), "5", *numbers]
