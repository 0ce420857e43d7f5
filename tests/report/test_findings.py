"""What is said in sentences, from made numbers and from a made study."""

from __future__ import annotations

import math
import re
import statistics
from collections.abc import Callable, Hashable
from typing import Any

import pandas as pd
import pytest

from galmorph.report import comparisons, thesis
from galmorph.report.answers import Finding
from galmorph.report.findings import difference, effects, findings, verdict
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
    "obstacle": None,
    "half": 0.06,
    "bootstrap_low": 0.05,
    "bootstrap_high": 0.16,
    "p": 0.0004,
    "p_holm": 0.002,
}


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.2431, "the mean TSS is 0.243 higher for balanced two classes than for two classes: 0.700 ± 0.050 against"),
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
        ({"obstacle": "other task", "p": NAN, "p_holm": NAN}, "not a difference between networks alone"),
        (
            {"obstacle": "confounded", "p": NAN, "p_holm": NAN},
            "it is confounded, because the conditions",
        ),
    ],
)
def test_nothing_is_called_significant_unless_all_agree(changes: dict[Hashable, Any], text: str) -> None:
    said = verdict({**ROW, **changes}, 7)
    assert text in said
    assert ("significant" in said) == (changes in ({}, {"p_holm": 0.0001}))


@pytest.mark.parametrize(
    ("changes", "significant"),
    [
        ({}, [True]),
        ({"p_holm": 0.06}, [False]),
        ({"bootstrap_low": -0.01}, [False]),
        ({"half": 0.11, "p_holm": 0.6, "bootstrap_low": -0.1}, [False]),
        ({"half": NAN, "p": NAN}, []),
        ({"half": math.inf, "p": NAN}, []),
        ({"obstacle": "other task"}, []),
        ({"obstacle": "confounded"}, []),
    ],
)
def test_what_counts_as_a_test(changes: dict[Hashable, Any], significant: list[bool]) -> None:
    found = effects([ROW | changes], 0)
    assert [one.significant for one in found] == significant
    assert [one.label for one in found] == ["TSS, natural mix"] * len(significant)


def test_a_change_is_that_of_the_suspect() -> None:
    first, second = (effects([ROW], suspect)[0].change for suspect in (0, 1))
    assert (first, second) == (-0.1, 0.1)  # the second mean is higher


def found_in(settings: Settings) -> list[Finding]:
    study = study_of(settings)
    return findings(study, comparisons.compare(study))


def test_each_comparison_is_a_question_with_computed_numbers(study: Study, compared: pd.DataFrame) -> None:
    found, results = findings(study, compared), study.results
    assert [finding.name for finding in found] == ["uncertain_labels", "uncertain_labels_thesis", "class_balance"]
    labels, confounded, balance = (" ".join(finding.sentences) for finding in found)
    restricted = results["three_class"].confirmed.scores["accuracy_restricted"].mean()
    control = results["two_class_small"].confirmed.scores["accuracy"].mean()
    assert f"{restricted:.3f} ± " in labels
    assert f"{abs(restricted - control):.3f}" in labels
    assert "The thesis prints" not in labels
    accuracy = {name: result.confirmed.scores["accuracy"].mean() for name, result in results.items()}
    assert f"{abs(accuracy['two_class'] - accuracy['three_class']):.3f}" in confounded
    assert "not a difference between networks alone" in confounded
    assert "0.688 ± 0.031 for three classes against 0.931 ± 0.017 for two classes" in confounded
    assert f"{results['balanced'].confirmed.scores['tss'].mean():.3f}" in balance
    assert len(found[2].sentences) == 3 + 3 + 1
    assert not re.search(r"prove|confirms|better|worse|[{}]|nan", labels + confounded + balance)


def test_question_1_is_answered_with_as_many_spirals_and_ellipticals_in_training(
    study: Study, compared: pd.DataFrame
) -> None:
    answered, confounded, _ = findings(study, compared)
    assert len(answered.effects) == 3
    small, large = (
        statistics.fmean(float(m[:2].sum()) * 7 / 3 for m in study.results[name].confirmed.confusion)
        for name in ("three_class", "two_class")
    )
    assert f"about {large:.0f} and {small:.0f} spirals and ellipticals" in confounded.answer
    assert "onfounded" not in answered.answer
    # What is confounded is not tested, and takes no part in Holm's correction.
    assert (confounded.verdict, confounded.effects) == (None, ())
    assert "significant" not in " ".join([confounded.answer, *confounded.sentences])
    assert "after Holm's correction for 8 tests" in " ".join(answered.sentences)


def test_the_order_of_two_conditions_changes_no_verdict(make_settings: MakeSettings) -> None:
    pairs = {"uncertain_labels": ("two_class_small", "three_class"), "class_balance": ("two_class", "balanced")}
    either = []
    for step in (1, -1):
        blocks = {name: {"conditions": pair[::step], "metrics": ["accuracy"]} for name, pair in pairs.items()}
        either.append(found_in(make_settings(comparisons=blocks)))
    for one, other in zip(*either, strict=True):
        assert one.verdict == other.verdict is not None
        assert [test.change for test in one.effects] == pytest.approx([test.change for test in other.effects])
        assert one.effects


def test_a_question_about_two_conditions_that_share_its_subject_is_none(make_settings: MakeSettings) -> None:
    pair = {"class_balance": {"conditions": ["two_class", "two_class_small"], "metrics": ["accuracy"]}}
    (finding,) = found_in(make_settings(comparisons=pair))
    assert (finding.verdict, finding.effects, finding.question) == (None, (), "Comparison class_balance")


def test_one_run_is_called_one_run(make_settings: MakeSettings) -> None:
    found = found_in(make_settings(runs=1))
    assert "one run, which has no spread" in found[0].sentences[0]
    assert "No interval can be given" in found[0].sentences[0]
    assert (found[0].verdict, found[0].effects) == ("not shown", ())


def test_a_comparison_of_the_user_is_named(make_settings: MakeSettings) -> None:
    pair = {"my_pair": {"conditions": ["balanced", "two_class"], "metrics": ["tss"]}}
    (finding,) = found_in(make_settings(comparisons=pair))
    assert finding.question == "Comparison my_pair"
    assert finding.verdict is None
    assert re.fullmatch(r"\d of 3 differences are significant\.", finding.answer)
    assert finding.table is not None
    assert finding.table.caption.startswith("Balanced two classes and two classes side by side")
    assert (thesis.title("balanced"), thesis.title("my_condition")) == ("Balanced two classes", "my_condition")
    assert list(finding.table.shown.columns[2:4]) == ["balanced two classes ± std", "two classes ± std"]
