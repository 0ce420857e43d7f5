"""Verdicts: that they follow the tests, and nothing but them."""

from __future__ import annotations

import pytest

from galmorph.report.answers import QUESTIONS, Axis, Effect, Finding, answer, short_answers

QUESTION = QUESTIONS["class_balance"]
LOST, GAINED = Effect("", -0.09, 0.02, True), Effect("", 0.04, 0.02, True)
LARGE, SMALL = Effect("", 0.9, 0.91, False), Effect("", 0.001, 0.3, False)


@pytest.mark.parametrize(
    ("effects", "verdict", "sentence"),
    [
        ([LOST, SMALL], "yes", "1 of 2 scores are significantly lower, by 0.090."),
        ([LOST, Effect("", -0.05, 0.01, True)], "yes", "2 of 2 scores are significantly lower, by 0.050 to 0.090."),
        ([GAINED, LARGE], "no", "1 of 2 scores are significantly higher, by 0.040."),
        ([LOST, GAINED, SMALL], "both", "Of 3 scores, 1 are significantly lower and 1 significantly higher."),
        ([LARGE, SMALL], "not shown", "None of 2 differences is significant, which does not prove that there is none."),
        ([], "not shown", "the question stays open"),
    ],
)
def test_only_significant_differences_answer(effects: list[Effect], verdict: str, sentence: str) -> None:
    found, said = answer(QUESTION, effects)
    assert found == verdict
    assert said.endswith(sentence) or sentence in said


def test_the_short_answers_are_of_the_questions_alone_and_fit_a_terminal() -> None:
    asked = Finding("class_balance", "Does it harm?", "None of 2 differences is significant. " * 4, "not shown")
    text = short_answers([asked, Finding("other", "And that?", "No.")])
    assert text.startswith("Does it harm?\n  Not shown. None of 2 differences is significant.")
    assert "And that?" not in text
    assert max(len(line) for line in text.splitlines()) <= 100


def test_a_difference_that_is_not_significant_is_not_named_however_large() -> None:
    assert "0.9" not in answer(QUESTION, [LARGE])[1]
    assert "0.9" not in answer(QUESTION, [LARGE, LOST])[1].replace("0.090", "")


def test_all_intervals_and_zero_are_on_the_axis_which_grows_to_the_right() -> None:
    effects = (LARGE, GAINED)
    axis = Axis([Finding("", "", "", effects=effects), Finding("", "", "", effects=(LOST,))])
    values = [one.change + side * one.half for one in (*effects, LOST) for side in (-1, 0, 1)]
    places = {value: float(axis.place(value).removesuffix("%")) for value in (*values, *axis.ticks, 0.0)}
    assert all(0 <= place <= 100 for place in places.values())
    assert [places[value] for value in sorted(places)] == sorted(places.values())
    assert 0 in axis.ticks
    assert [float(axis.label(tick).replace("−", "-")) for tick in axis.ticks] == pytest.approx(axis.ticks)


def test_an_axis_without_tests_has_zero_in_its_middle() -> None:
    assert Axis([]).place(0) == "50.00%"
