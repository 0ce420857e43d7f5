"""What is said in sentences, from made numbers and from a made study."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Hashable
from typing import Any

import pandas as pd
import pytest

from galmorph.report import comparisons, thesis
from galmorph.report.findings import Finding, answer, difference, findings, verdict
from galmorph.report.study import Study
from galmorph.settings.study import Settings
from tests.support.study import study_of

MakeSettings = Callable[..., Settings]
NAN = math.nan

ROW: dict[Hashable, Any] = {
    "evaluated_on": "common_natural",
    "metric": "tss",
    "first": "two_class",
    "second": "balanced",
    "runs": 30,
    "first_mean": 0.6,
    "first_std": 0.1,
    "second_mean": 0.7,
    "second_std": 0.05,
    "difference": 0.1,
    "half": 0.06,
    "bootstrap_low": 0.05,
    "bootstrap_high": 0.16,
    "p": 0.0004,
    "p_holm": 0.002,
}


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.2431, "the mean TSS is 0.243 higher for balanced two classes than for two classes: 0.700 ± 0.100 against"),
        (-0.0126, "the mean TSS is 0.013 lower for balanced two classes than for two classes"),
        (0.0004, "the mean TSS is the same for two classes and balanced two classes to three decimals"),
        (NAN, "no difference can be stated"),
    ],
)
def test_differences_in_words(value: float, text: str) -> None:
    assert text in difference({**ROW, "difference": value})


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({}, "+0.040 to +0.160; bootstrap over galaxies: +0.050 to +0.160; p = 0.002 after Holm's correction for 7"),
        ({}, "The difference is significant at 5 %."),
        ({"p_holm": 0.0001}, "p < 0.001 after"),
        ({"p_holm": 0.06}, "These do not agree, so no difference is claimed."),
        ({"bootstrap_low": -0.01}, "These do not agree"),
        ({"half": 0.11, "p_holm": 0.6, "bootstrap_low": -0.1}, "No difference is claimed, and the data allow any"),
        ({"half": NAN, "p": NAN}, "No interval can be given"),
        ({"half": math.inf, "p": NAN}, "No interval can be given"),
        ({"p": NAN, "p_holm": NAN}, "not a difference between networks alone"),
    ],
)
def test_nothing_is_called_significant_unless_all_agree(changes: dict[Hashable, Any], text: str) -> None:
    said = verdict({**ROW, **changes}, 7)
    assert text in said
    assert ("significant" in said) == (changes in ({}, {"p_holm": 0.0001}))


@pytest.mark.parametrize(
    ("rows", "text"),
    [
        ([{}, {"difference": 0.02, "half": 0.1, "p_holm": 0.9}], "on the same task: 1 of 2."),
        ([{"p_holm": 0.06}, {"half": NAN}], "on the same task: 0 of 1."),
        ([{"half": NAN}], "so the question stays open"),
        ([], "so the question stays open"),
        ([{"p": NAN}], "so the question stays open"),
        ([{"difference": 0.0, "half": 0.0, "p_holm": 1.0}, {}], "on the same task: 1 of 2."),
        ([{"half": 0.0}, {"difference": 0.9, "half": 0.8, "p_holm": 0.9}], "is +0.100 ± 0.000 in TSS"),
    ],
)
def test_the_answer_in_a_sentence(rows: list[dict[Hashable, Any]], text: str) -> None:
    said = answer([dict(ROW) | changes for changes in rows])
    assert text in said
    if "clearest" in said and "0.000" not in said:
        assert "balanced two classes less two classes, is +0.100 ± 0.060 in TSS (corrected" in said


def found_in(settings: Settings) -> list[Finding]:
    study = study_of(settings)
    return findings(study, comparisons.compare(study), comparisons.restricted_accuracies(study))


def test_each_comparison_is_a_question_with_computed_numbers(study: Study, compared: pd.DataFrame) -> None:
    found, results = findings(study, compared, comparisons.restricted_accuracies(study)), study.results
    assert [finding.name for finding in found] == ["uncertain_labels", "class_balance"]
    labels, balance = (" ".join(finding.sentences) for finding in found)
    accuracy = {name: result.confirmed.scores["accuracy"].mean() for name, result in results.items()}
    for name in ("three_class", "two_class"):
        assert f"{accuracy[name]:.3f} ± " in labels
    assert f"{abs(accuracy['two_class'] - accuracy['three_class']):.3f}" in labels
    assert "not a difference between networks alone" in labels
    assert f"{results['three_class'].confirmed.scores['accuracy_restricted'].mean():.3f}" in labels
    assert labels.count("Beside the control") == 1
    assert "0.931 ± 0.034 for two classes against 0.688 ± 0.062 for three classes" in labels
    assert f"{results['balanced'].confirmed.scores['tss'].mean():.3f}" in balance
    assert "Beside the control" not in balance
    assert "The thesis prints" not in balance
    assert len(found[1].sentences) == 3 + 3 + 1
    assert not re.search(r"prove|confirms|better|worse|[{}]|nan", labels + balance)


def test_one_run_is_called_one_run(make_settings: MakeSettings) -> None:
    found = found_in(make_settings(runs=1))
    assert "one run, which has no spread" in found[0].sentences[0]
    assert "No interval can be given" in found[0].sentences[0]


def test_a_comparison_of_the_user_is_named(make_settings: MakeSettings) -> None:
    pair = {"my_pair": {"conditions": ["balanced", "two_class"], "metrics": ["tss"]}}
    (finding,) = found_in(make_settings(comparisons=pair))
    assert finding.question == "Comparison my_pair"
    assert finding.table.caption.startswith("Balanced two classes and two classes side by side")
    assert (thesis.title("balanced"), thesis.title("my_condition")) == ("Balanced two classes", "my_condition")
    assert list(finding.table.shown.columns[2:4]) == ["balanced two classes ± 2 std", "two classes ± 2 std"]
