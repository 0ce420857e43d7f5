from __future__ import annotations

from collections.abc import Hashable
from typing import Any

import pytest

from galmorph.report.verdicts import answer, difference, verdict

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
    "p_holm": 0.002,
}


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.2431, "the mean TSS is 0.243 higher for balanced two classes than for two classes: 0.700 ± 0.100 against"),
        (-0.0126, "the mean TSS is 0.013 lower for balanced two classes than for two classes"),
        (0.0004, "the mean TSS is the same for two classes and balanced two classes to three decimals"),
        (float("nan"), "no difference can be stated"),
    ],
)
def test_differences_in_words(value: float, text: str) -> None:
    assert text in difference({**ROW, "difference": value})


@pytest.mark.parametrize(
    ("changes", "task", "text"),
    [
        (
            {},
            True,
            "+0.040 to +0.160; bootstrap over galaxies: +0.050 to +0.160; p = 0.002 after Holm's correction for 7",
        ),
        ({}, True, "The difference is significant at 5 %."),
        ({"p_holm": 0.0001}, True, "p < 0.001 after"),
        ({"p_holm": 0.06}, True, "These do not agree, so no difference is claimed."),
        ({"bootstrap_low": -0.01}, True, "These do not agree"),
        (
            {"half": 0.11, "p_holm": 0.6, "bootstrap_low": -0.1},
            True,
            "No difference is claimed, and the data allow any",
        ),
        ({"half": float("nan")}, True, "No interval can be given"),
        ({"half": float("inf")}, True, "No interval can be given"),
        ({}, False, "not a difference between networks alone"),
    ],
)
def test_nothing_is_called_significant_unless_all_agree(changes: dict[Hashable, Any], task: bool, text: str) -> None:
    said = verdict({**ROW, **changes}, 7, task)
    assert text in said
    assert ("significant" in said) == (task and set(changes) <= {"p_holm"} and changes.get("p_holm", 0) < 0.05)


@pytest.mark.parametrize(
    ("rows", "text"),
    [
        ([{}, {"difference": 0.02, "half": 0.1, "p_holm": 0.9}], "on the same task: 1 of 2."),
        ([{"p_holm": 0.06}, {"half": float("nan")}], "on the same task: 0 of 1."),
        ([{"half": float("nan")}], "so the question stays open"),
        ([], "so the question stays open"),
        ([{"difference": 0.0, "half": 0.0, "p_holm": 1.0}, {}], "on the same task: 1 of 2."),
        ([{"half": 0.0}, {"difference": 0.9, "half": 0.8, "p_holm": 0.9}], "is +0.100 ± 0.000 in TSS"),
    ],
)
def test_the_answer_in_a_sentence(rows: list[dict[Hashable, Any]], text: str) -> None:
    said = answer([dict(ROW) | changes for changes in rows])
    assert text in said
    if "clearest" in said and "0.000" not in said:
        assert "balanced two classes less two classes, is +0.100 ± 0.060 in TSS (corrected" in said
