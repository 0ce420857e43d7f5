"""Differences of conditions: each number written out again from the scores and the records."""

from __future__ import annotations

import dataclasses
import math
import statistics
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from galmorph.baselines import BASELINES
from galmorph.report import comparisons
from galmorph.report.study import Results, Study
from galmorph.scores.predictions import predictions
from galmorph.scores.statistics import score_overlap
from galmorph.settings.study import Settings
from tests.support.study import study_of

OWN, FAIR = "own test part", "own test part, spirals and ellipticals"
NATURAL, BALANCED = "common_natural", "common_balanced"


@pytest.fixture(scope="module")
def results(study: Study) -> Results:
    return study.results


def row_of(compared: pd.DataFrame, metric: str, where: str, comparison: str = "class_balance") -> Any:
    found = compared.query("comparison == @comparison and metric == @metric and evaluated_on == @where")
    return found[found["phase"] == "confirmed"].iloc[0]


def column(results: Results, name: str, metric: str) -> list[float]:
    return [float(value) for value in results[name].confirmed.scores[metric]]


def test_each_metric_on_each_test_set_of_each_comparison(compared: pd.DataFrame) -> None:
    keys = list(
        zip(compared["comparison"], compared["metric"], compared["evaluated_on"], compared["phase"], strict=True)
    )
    selected = (OWN, "selected")
    confirmed = [(where, "confirmed") for where in (OWN, NATURAL, BALANCED)]
    fair = [(OWN, "confirmed"), (FAIR, "confirmed"), *confirmed[1:]]
    assert keys == [
        *[("uncertain_labels", "accuracy", *where) for where in (selected, *fair)],
        *[("uncertain_labels_thesis", "accuracy", *where) for where in (selected, *fair)],
        *[("class_balance", metric, *where) for metric in ("accuracy", "tss") for where in (selected, *confirmed)],
    ]


def test_on_the_same_galaxies_the_interval_is_of_the_differences_run_by_run(
    compared: pd.DataFrame, study: Study, results: Results
) -> None:
    row = row_of(compared, "tss", NATURAL)
    first, second = (column(results, name, f"tss@{NATURAL}") for name in ("two_class", "balanced"))
    differences = [b - a for a, b in zip(first, second, strict=True)]
    pair = [predictions(study.records[name], "confirmed", NATURAL) for name in ("two_class", "balanced")]
    overlap = score_overlap("tss", *pair)
    std = statistics.stdev(differences)
    t = float(stats.t.ppf(0.975, 4))
    assert row["paired"]
    assert row["overlap_first"] == row["overlap_second"] == pytest.approx(overlap)
    assert row["difference"] == pytest.approx(statistics.fmean(differences))
    assert row["half"] == pytest.approx(t * std * math.sqrt(1 / 5 + overlap / (1 - overlap)))
    assert row["naive_half"] == pytest.approx(2 * std / math.sqrt(5))
    assert row["freedom"] == 4
    assert row["bootstrap_low"] < row["difference"] < row["bootstrap_high"]
    # The p value is 0.05 where the interval just touches zero.
    assert (row["p"] < 0.05) == (abs(row["difference"]) > row["half"])


def test_on_own_test_parts_the_interval_is_of_the_two_means(
    compared: pd.DataFrame, study: Study, results: Results
) -> None:
    row = row_of(compared, "tss", OWN)
    assert not row["paired"]
    variances = []
    for name in ("two_class", "balanced"):
        rho = score_overlap("tss", predictions(study.records[name], "confirmed"))
        variances.append(statistics.variance(column(results, name, "tss")) * (1 / 5 + rho / (1 - rho)))
    freedom = sum(variances) ** 2 / sum(v**2 / 4 for v in variances)
    assert row["freedom"] == pytest.approx(freedom)
    assert row["half"] == pytest.approx(float(stats.t.ppf(0.975, freedom)) * math.sqrt(sum(variances)))
    welch = stats.ttest_ind(
        column(results, "balanced", "tss"), column(results, "two_class", "tss"), equal_var=False
    ).confidence_interval()
    # Without overlap it would be Welch's interval; it is wider.
    assert 2 * row["half"] > welch.high - welch.low


def test_no_p_value_where_the_task_differs_and_holm_over_all_the_rest(compared: pd.DataFrame) -> None:
    confirmed = compared[compared["phase"] == "confirmed"]
    without = confirmed[confirmed["p"].isna()]
    assert set(zip(without["comparison"], without["metric"], without["evaluated_on"], strict=True)) == {
        ("uncertain_labels", "accuracy", OWN),
        ("class_balance", "accuracy", OWN),
        *(("uncertain_labels_thesis", "accuracy", where) for where in (OWN, FAIR, NATURAL, BALANCED)),
    }
    assert without["obstacle"].notna().all()
    assert without["half"].notna().all()
    tested = confirmed.dropna(subset=["p"])
    smallest = tested.sort_values("p").to_dict("records")[0]
    assert smallest["p_holm"] == pytest.approx(min(1.0, 8 * smallest["p"]))
    assert (tested["p_holm"] >= tested["p"]).all()
    assert compared.loc[compared["phase"] == "selected", ["half", "p", "p_holm", "bootstrap_low"]].isna().all(axis=None)


def test_the_table_prints_what_was_computed(compared: pd.DataFrame, study: Study) -> None:
    row = row_of(compared, "tss", BALANCED)
    matrices = [run.confusions[BALANCED] for run in study.records["balanced"].scored["confirmed"]]

    def text(value: float, sign: str = "") -> str:
        return f"{value:{sign}.3f}".replace("-", "−")

    recalls = [statistics.fmean(float(m[i, i] / m[i].sum()) for m in matrices) for i in (0, 1)]
    binomial = math.sqrt(sum(p * (1 - p) / 30 for p in recalls))
    spreads = f"{text(row['second_std'])} ({text(binomial)})"
    expected = {
        "balanced two classes ± std": f"{text(row['second_mean'])} ± {spreads}",
        "Difference, corrected 95 % interval": f"{text(row['difference'], '+')} ± {text(row['half'])}",
        "Paired": "yes",
        "Bootstrap over galaxies, 95 %": f"{text(row['bootstrap_low'], '+')} to {text(row['bootstrap_high'], '+')}",
        "p, Holm": text(row["p_holm"]),
    }
    shown = comparisons.comparison_table(compared, study.settings, "class_balance").shown.iloc[-1]
    assert {name: shown[name] for name in expected} == expected
    baselines = ["Majority baseline", "Magnitude and size", "Principal components", "Shape"]
    assert list(comparisons.comparisons_table(compared).shown)[-8:] == [*list(expected)[1:], *baselines]
    assert list(comparisons.comparisons_table(compared).shown.iloc[-1])[-8:-4] == list(expected.values())[1:]


def score_of_a_baseline(study: Study, name: str, baseline: str, where: str, metric: str = "accuracy") -> list[float]:
    """Return a score of each run, counted galaxy by galaxy among spirals and ellipticals, where there are others."""
    scores = []
    for record in study.records[name].baselines[baseline]:
        given = record.sets["test" if where in (OWN, FAIR) else where]
        known = [record.classes.index(label) for label in ("spiral", "elliptical")] if where != OWN else None
        chosen = [i for i, true in enumerate(given.truth) if known is None or true in known]
        columns = known or range(len(record.classes))
        called = [max(columns, key=lambda k: float(given.probabilities[i, k])) for i in chosen]
        right = {k: [c == k for i, c in zip(chosen, called, strict=True) if given.truth[i] == k] for k in columns}
        recalls = [statistics.fmean(hits) for hits in right.values()]
        everyone = [hit for hits in right.values() for hit in hits]
        scores.append(statistics.fmean(everyone) if metric == "accuracy" else sum(recalls) - 1)
    return scores


def test_baselines_stand_beside_the_networks_on_the_same_galaxies(compared: pd.DataFrame, study: Study) -> None:
    for comparison, metric, where in (
        ("uncertain_labels", "accuracy", OWN),
        ("uncertain_labels", "accuracy", FAIR),
        ("uncertain_labels", "accuracy", NATURAL),
        ("class_balance", "tss", BALANCED),
    ):
        row = row_of(compared, metric, where, comparison)
        for side in ("first", "second"):
            for baseline in BASELINES:
                scores = score_of_a_baseline(study, row[side], baseline, where, metric)
                assert row[f"{side}_{baseline}_mean"] == pytest.approx(statistics.fmean(scores))
                assert row[f"{side}_{baseline}_std"] == pytest.approx(statistics.stdev(scores))
            tested = predictions(study.records[row[side]], "confirmed", where)
            shares = [
                max(np.bincount(tested.truth[tested.run == run])) / len(part) for run, part in enumerate(tested.parts)
            ]
            majority = statistics.fmean(map(float, shares)) if metric == "accuracy" else 0.0
            assert row[f"{side}_baseline"] == pytest.approx(majority)
    shown = comparisons.comparison_table(compared, study.settings, "uncertain_labels").shown
    fair = row_of(compared, "accuracy", FAIR, "uncertain_labels")
    both = f"{fair['first_shape_mean']:.3f}, {fair['second_shape_mean']:.3f}"
    assert shown["Shape"].tolist()[1] == both
    # The selected runs are tested on other galaxies, on which no baseline is.
    selected = compared[compared["phase"] == "selected"]
    assert selected["first_shape_mean"].isna().all()
    assert selected["first_baseline"].notna().all()


def test_both_test_mixes_are_the_paired_rows_of_the_comparison(
    compared: pd.DataFrame, study: Study, results: Results
) -> None:
    data = comparisons.by_test_mix(study)
    assert list(zip(data["metric"], data["evaluated_on"], strict=True)) == [
        (metric, where) for metric in ("accuracy", "tss") for where in (NATURAL, BALANCED)
    ]
    for row in data.to_dict("records"):
        same = row_of(compared, row["metric"], row["evaluated_on"])
        assert (row["difference"], row["half"]) == (same["difference"], same["half"])
        assert row["imbalanced_mean"] == pytest.approx(
            statistics.fmean(column(results, "two_class", f"{row['metric']}@{row['evaluated_on']}"))
        )
        for side, name in (("imbalanced", "two_class"), ("balanced", "balanced")):
            scores = score_of_a_baseline(study, name, "pca", row["evaluated_on"], row["metric"])
            assert row[f"{side}_pca_mean"] == pytest.approx(statistics.fmean(scores))
    shown = comparisons.mix_table(data).shown
    assert shown["Majority baseline"].tolist()[1:] == ["0.500, 0.500", "0.000, 0.000", "0.000, 0.000"]
    without = {name: result for name, result in results.items() if name != "balanced"}
    assert comparisons.by_test_mix(dataclasses.replace(study, results=without)).empty
    other = dict(results) | {"balanced": dataclasses.replace(results["balanced"], classes=("spiral", "uncertain"))}
    assert comparisons.by_test_mix(dataclasses.replace(study, results=other)).empty


def test_question_1_is_on_one_task_and_run_by_run_against_the_control(study: Study, results: Results) -> None:
    data: Any = comparisons.restricted_accuracies(study).set_index("condition")
    assert list(data.index) == ["three_class", "two_class", "two_class_small"]
    assert list(data["metric"]) == ["accuracy_restricted", "accuracy", "accuracy"]
    restricted = column(results, "three_class", "accuracy_restricted")
    control = column(results, "two_class_small", "accuracy")
    assert data.loc["three_class", "mean"] == pytest.approx(statistics.fmean(restricted))
    # Spirals and ellipticals only: the first two rows of each matrix.
    counted = [int(m[0].sum() + m[1].sum()) for m in results["three_class"].confirmed.confusion]
    assert data.loc["three_class", "galaxies"] == pytest.approx(statistics.fmean(counted))
    assert list(data["paired"]) == [True, False, None]
    assert data.loc["three_class", "difference"] == pytest.approx(
        statistics.fmean(a - b for a, b in zip(restricted, control, strict=True))
    )
    shown = comparisons.restricted_table(data.reset_index())
    assert "The control" in shown.caption
    assert shown.shown["Less the control, corrected 95 % interval"].tolist()[-1] == "—"
    baseline = score_of_a_baseline(study, "three_class", "shape", FAIR)
    spreads = f"{statistics.fmean(baseline):.3f} ± {statistics.stdev(baseline):.3f} ("
    assert shown.shown["Shape ± std"].tolist()[0].startswith(spreads)
    alone = {name: result for name, result in results.items() if name != "two_class_small"}
    assert (
        "The control"
        not in comparisons.restricted_table(
            comparisons.restricted_accuracies(dataclasses.replace(study, results=alone))
        ).caption
    )
    only_balanced = {"balanced": results["balanced"]}
    assert comparisons.restricted_accuracies(dataclasses.replace(study, results=only_balanced)).empty


def test_one_run_has_a_bootstrap_and_no_interval(
    make_settings: Callable[..., Settings],
) -> None:
    settings = make_settings(runs=1, conditions=("two_class", "balanced"))
    row = row_of(comparisons.compare(study_of(settings)), "accuracy", NATURAL)
    assert math.isnan(row["half"])
    assert math.isnan(row["p_holm"])
    assert np.isfinite(row["bootstrap_low"])


def test_what_stands_against_a_test(study: Study) -> None:
    settings = study.settings
    control, mixed = ("two_class_small", "three_class"), ("two_class", "balanced")
    assert comparisons.obstacle(settings, control, "tss", OWN) == "other task"
    assert comparisons.obstacle(settings, control, "accuracy", FAIR) is None
    assert comparisons.obstacle(settings, control, "accuracy", NATURAL) is None
    assert comparisons.obstacle(settings, mixed, "accuracy", OWN) == "other task"
    assert comparisons.obstacle(settings, mixed, "tss", OWN) is None
    assert comparisons.obstacle(settings, mixed, "accuracy", BALANCED) is None


@pytest.mark.parametrize(
    ("pair", "settings"),
    [
        (("two_class_small", "three_class"), ("classes",)),
        (("two_class", "balanced"), ("mix",)),
        (("two_class", "two_class_small"), ("drawn_among",)),
        (("two_class", "three_class"), ("classes", "drawn_among")),
        (("two_class_small", "balanced"), ("drawn_among", "mix")),
    ],
)
def test_conditions_that_differ_in_more_than_one_setting_are_confounded(
    study: Study, pair: tuple[str, str], settings: tuple[str, ...]
) -> None:
    assert comparisons.differing(study.settings, pair) == settings
    found = comparisons.obstacle(study.settings, pair, "accuracy", NATURAL)
    assert found == ("confounded" if len(settings) > 1 else None)


def test_a_condition_and_its_control_are_compared_on_the_spirals_and_ellipticals_of_one_draw(
    make_settings: Callable[..., Settings],
) -> None:
    pair = {"same_draw": {"conditions": ["two_class_small", "three_class"], "metrics": ["accuracy", "tss"]}}
    settings = make_settings(comparisons=pair, conditions=("three_class", "two_class_small"))
    compared = comparisons.compare(study_of(settings))
    assert row_of(compared, "accuracy", FAIR, "same_draw")["paired"]
    assert not row_of(compared, "accuracy", OWN, "same_draw")["paired"]
    assert np.isnan(row_of(compared, "tss", OWN, "same_draw")["p"])
