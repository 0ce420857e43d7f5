"""What the numbers say to each question, in sentences: every sentence is a whole template.

A difference is called significant only where its corrected interval, the bootstrap over galaxies and Holm's
correction agree, and only where both conditions were given the same task.
"""

from __future__ import annotations

import math
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import pandas as pd

from galmorph.report import language, thesis
from galmorph.report.accuracy import spread
from galmorph.report.comparisons import comparison_table
from galmorph.report.language import mark, say
from galmorph.report.study import Study
from galmorph.report.table import METRICS, Table, interval, number, p_value, plus_minus
from galmorph.scores.predictions import OWN_TEST_PART, RESTRICTED

ALPHA = 0.05

QUESTIONS: Mapping[str, str] = MappingProxyType(
    {
        "uncertain_labels": mark("Do galaxies whose label is uncertain harm classification?"),
        "class_balance": mark("Does the imbalance of the classes harm classification?"),
    }
)
ANSWER = mark(
    "In short: significant differences on the same task: {claimed} of {fair}. The clearest, {second} less {first}, is "
    "{difference} in {metric} (corrected 95 % interval)."
)
OPEN = mark("In short: no comparison on the same task has an interval, so the question stays open.")
WHERE: Mapping[str, str] = MappingProxyType(
    {
        OWN_TEST_PART: mark("In fresh runs stopped at the selected epochs, each condition on its own test parts"),
        RESTRICTED: mark("On the spirals and ellipticals of those test parts, with an answer restricted to these two"),
        "common_natural": mark("On the same galaxies, in the natural mix"),
        "common_balanced": mark("On the same galaxies, as many of each class"),
    }
)
DIFFERENCE: Mapping[str, str] = MappingProxyType(
    {
        "higher": mark(
            "{where}, the mean {metric} is {size} higher for {second} than for {first}: {second_mean} against "
            "{first_mean} ({spread})."
        ),
        "lower": mark(
            "{where}, the mean {metric} is {size} lower for {second} than for {first}: {second_mean} against "
            "{first_mean} ({spread})."
        ),
        "same": mark(
            "{where}, the mean {metric} is the same for {first} and {second} to three decimals: {second_mean} against "
            "{first_mean} ({spread})."
        ),
        "unknown": mark(
            "{where}, the mean {metric} of {first} or of {second} is not known: no difference can be stated."
        ),
    }
)
VERDICT: Mapping[str, str] = MappingProxyType(
    {
        "other task": mark(
            "Corrected 95 % interval of the difference: {interval}; but the test parts differ in their classes or in "
            "the mix of them, so that this is not a difference between networks alone."
        ),
        "significant": mark(
            "Corrected 95 % interval of the difference: {interval}; bootstrap over galaxies: {bootstrap}; {p} after "
            "Holm's correction for {tests} tests. The difference is significant at 5 %."
        ),
        "undecided": mark(
            "Corrected 95 % interval of the difference: {interval}; bootstrap over galaxies: {bootstrap}; {p} after "
            "Holm's correction for {tests} tests. These do not agree, so no difference is claimed."
        ),
        "not significant": mark(
            "Corrected 95 % interval of the difference: {interval}; {p} after Holm's correction for {tests} tests. No "
            "difference is claimed, and the data allow any in that interval."
        ),
        "unknown": mark(
            "No interval can be given: it needs two runs or more, on test galaxies that are not all the same."
        ),
    }
)
CONTROL = mark(
    "Beside the control, which is trained on the spirals and ellipticals of the same draws alone, the accuracy of "
    "{condition} on those same galaxies differs by {difference} (corrected 95 % interval)."
)
BASELINE = mark(
    "Always answering the commonest class would give an accuracy of {first_baseline} ({first}) and {second_baseline} "
    "({second})."
)
THESIS = mark(
    "The thesis prints, at its selected epochs, {second_accuracy} for {second} against {first_accuracy} for {first} "
    "(± 2 std)."
)

Row = Mapping[Hashable, Any]


@dataclass(frozen=True)
class Finding:
    """A question, the answer in a sentence, the sentences that support it, and the numbers."""

    name: str
    question: str
    answer: str
    sentences: tuple[str, ...]
    table: Table


def findings(study: Study, compared: pd.DataFrame, fair: pd.DataFrame) -> list[Finding]:
    """Return one finding per declared comparison, in their order.

    Parameters
    ----------
    compared
        From `comparisons.compare`.
    fair
        From `comparisons.restricted_accuracies`.
    """
    settings = study.settings
    found = []
    confirmed = compared[compared["phase"] == "confirmed"]
    tests = int(compared["p"].notna().sum())
    for name, comparison in settings.comparisons.items():
        rows = confirmed[confirmed["comparison"] == name].to_dict("records")
        sentences = [language.sentences([difference(row), verdict(row, tests)]) for row in rows]
        if any(row["evaluated_on"] == RESTRICTED for row in rows):
            sentences += _beside_the_control(fair, comparison.conditions)
        sentences.append(_baselines(study, comparison.conditions))
        if "accuracy" in comparison.metrics:
            sentences += _thesis(comparison.conditions)
        question = say(QUESTIONS[name]) if name in QUESTIONS else say("Comparison {name}", name=name)
        table = comparison_table(compared, settings, name)
        found.append(Finding(name, question, answer(rows), tuple(sentences), table))
    return found


def difference(row: Row) -> str:
    """Return in words how the second of two means compares with the first; a row of `comparisons.compare`."""
    value, runs, where, metric = row["difference"], row["runs"], row["evaluated_on"], row["metric"]
    if math.isnan(value):
        direction = "unknown"
    elif round(value, 3) == 0:
        direction = "same"
    else:
        direction = "higher" if value > 0 else "lower"
    return say(
        DIFFERENCE[direction],
        where=say(WHERE[where]),
        metric=say(METRICS[metric]),
        size=number(abs(value)),
        first=thesis.label(row["first"]),
        second=thesis.label(row["second"]),
        first_mean=plus_minus(row["first_mean"], 2 * row["first_std"]),
        second_mean=plus_minus(row["second_mean"], 2 * row["second_std"]),
        spread=say("one run, which has no spread") if runs == 1 else say("± 2 std over {runs} runs", runs=runs),
    )


def verdict(row: Row, tests: int) -> str:
    """Return what may be said of a difference; a row of `comparisons.compare`, and the number of tests in it."""
    value, half = row["difference"], row["half"]
    return say(
        VERDICT[_kind(row)],
        interval=interval(value - half, value + half),
        bootstrap=interval(row["bootstrap_low"], row["bootstrap_high"]),
        p="p < 0.001" if row["p_holm"] < 0.0005 else f"p = {p_value(row['p_holm'])}",
        tests=tests,
    )


def answer(rows: Sequence[Row]) -> str:
    """Return the answer to a question in a sentence; rows of `comparisons.compare`."""
    known = [row for row in rows if _kind(row) not in ("unknown", "other task")]
    if not known:
        return say(OPEN)
    clearest = max(known, key=_clearness)
    metric = clearest["metric"]
    return say(
        ANSWER,
        claimed=sum(_kind(row) == "significant" for row in known),
        fair=len(known),
        first=thesis.label(clearest["first"]),
        second=thesis.label(clearest["second"]),
        difference=plus_minus(clearest["difference"], clearest["half"], signed=True),
        metric=say(METRICS[metric]),
    )


def _kind(row: Row) -> str:
    """Return which of `VERDICT` a difference has."""
    value, half = row["difference"], row["half"]
    if not math.isfinite(half):
        return "unknown"
    if math.isnan(row["p"]):
        return "other task"
    apart = (abs(value) > half, row["bootstrap_low"] > 0 or row["bootstrap_high"] < 0, row["p_holm"] < ALPHA)
    return "significant" if all(apart) else "undecided" if any(apart) else "not significant"


def _clearness(row: Row) -> float:
    """Return a difference in units of its own interval, because accuracy and TSS have different scales."""
    size, half = abs(row["difference"]), row["half"]
    # Runs that all differ by the same have an interval of no width.
    return size / half if half > 0 else math.inf if size > 0 else 0.0


def _beside_the_control(fair: pd.DataFrame, conditions: tuple[str, str]) -> list[str]:
    """Return how a condition with a third class compares with the control, where they are compared run by run."""
    return [
        say(
            CONTROL,
            condition=thesis.label(row["condition"]),
            difference=plus_minus(row["difference"], row["half"], signed=True),
        )
        for row in fair.to_dict("records")
        if row["condition"] in conditions and row["metric"] == "accuracy_restricted" and row["paired"]
    ]


def _baselines(study: Study, conditions: tuple[str, str]) -> str:
    first, second = (spread(study.results[name].confirmed.scores["baseline"])[0] for name in conditions)
    return say(
        BASELINE,
        first=thesis.label(conditions[0]),
        second=thesis.label(conditions[1]),
        first_baseline=number(first),
        second_baseline=number(second),
    )


def _thesis(conditions: tuple[str, str]) -> list[str]:
    first, second = (thesis.accuracy(name) for name in conditions)
    if first is None or second is None:
        return []
    return [
        say(
            THESIS,
            first=thesis.label(conditions[0]),
            second=thesis.label(conditions[1]),
            first_accuracy=plus_minus(first.mean, first.two_std),
            second_accuracy=plus_minus(second.mean, second.two_std),
        )
    ]
