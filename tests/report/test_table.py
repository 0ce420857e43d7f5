from __future__ import annotations

import math

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from galmorph.report import thesis
from galmorph.report.table import Table, metric_label, number, pairs, plus_minus, whole


@pytest.mark.parametrize(
    ("value", "decimals", "signed", "text"),
    [
        (0.6884, 3, False, "0.688"),
        (-0.0125, 2, False, "−0.01"),
        (0.2431, 3, True, "+0.243"),
        (-0.0001, 3, True, "0.000"),
        (math.nan, 3, True, "—"),
        (46.25, 1, False, "46.2"),
    ],
)
def test_number(value: float, decimals: int, signed: bool, text: str) -> None:
    assert number(value, decimals, signed=signed) == text


@given(st.floats(-1e6, 1e6), st.integers(0, 6), st.booleans())
def test_a_number_reads_back_and_never_shows_a_signed_zero(value: float, decimals: int, signed: bool) -> None:
    text = number(value, decimals, signed=signed)
    back = float(text.replace("−", "-"))
    assert abs(back - value) <= 0.5 * 10.0**-decimals * (1 + 1e-9)
    assert back != 0 or text[0] == "0"


def test_plus_minus_marks_what_is_missing() -> None:
    assert plus_minus(0.931, 0.034) == "0.931 ± 0.034"
    assert plus_minus(0.931, math.nan) == "0.931 ± —"
    assert plus_minus(math.nan, math.nan) == "—"
    assert pairs([1, 2], [0.5, math.nan]) == ["1.000 ± 0.500", "2.000 ± —"]


def test_whole_has_thousands() -> None:
    assert whole(15000) == "15,000"
    assert whole(math.nan) == "—"
    assert list(pd.Series([148, None], dtype="Int64").map(whole)) == ["148", "—"]


def test_metric_labels() -> None:
    assert metric_label("accuracy") == "accuracy"
    assert metric_label("tss@common_balanced") == "TSS, common set, balanced"
    assert metric_label("own_metric@own_set") == "own_metric, own_set"


def test_a_table_knows_its_counterpart_by_its_name() -> None:
    assert Table("table_4_1", "", pd.DataFrame(), pd.DataFrame()).counterpart == "table 4.1"
    assert Table("question_1", "", pd.DataFrame(), pd.DataFrame()).counterpart is None


def test_the_thesis_figures_are_each_shown_once_or_named_twice() -> None:
    shown = [
        number
        for condition in thesis.CONDITIONS.values()
        for number in (*condition.loss_figures, *condition.accuracy_figures, *condition.confusion_figures)
    ]
    assert sorted(shown, key=lambda text: int(text.split(".")[1])) == [f"4.{n}" for n in range(3, 15)]


def test_a_condition_that_the_thesis_does_not_know_stands_alone() -> None:
    assert thesis.label("my_condition") == "my_condition"
    assert thesis.accuracy("my_condition") is None
    assert thesis.condition_counterpart("my_condition", "loss") is None
    assert thesis.condition_counterpart("two_class_small", "confusion") is None
    assert thesis.condition_counterpart("two_class", "confusion") == "figures 4.8 and 4.13"
    assert thesis.condition_counterpart("three_class", "accuracy") == "figure 4.4"
