"""What the numbers say to each question, in sentences that hold computed numbers and nothing else.

A difference is called significant only where its corrected interval, the bootstrap over galaxies and Holm's
correction agree, and only where both conditions were given the same task. Every sentence is a whole template.
"""

from __future__ import annotations

import math
from collections.abc import Hashable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import pandas as pd

from galmorph.report import language, presented, tables, thesis
from galmorph.report.comparisons import same_task
from galmorph.report.language import mark, say
from galmorph.report.table import METRICS, Table, interval, number, p_value, plus_minus
from galmorph.report.tables import OWN_TEST_PART, RESTRICTED, Results
from galmorph.settings import Settings

ALPHA = 0.05

_QUESTIONS = {
    "uncertain_labels": mark("Do galaxies whose label is uncertain harm classification?"),
    "class_balance": mark("Does the imbalance of the classes harm classification?"),
}

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
BASELINE = mark(
    "Always answering the commonest class would give an accuracy of {first_baseline} ({first}) and {second_baseline} "
    "({second})."
)
THESIS = mark(
    "The thesis prints, at its selected epochs, {second_accuracy} for {second} against {first_accuracy} for {first} "
    "(± 2 std)."
)
CONTROL = mark(
    "Beside the control, which is trained on the spirals and ellipticals of the same draws alone, the accuracy of "
    "{condition} on those same galaxies differs by {difference} (corrected 95 % interval)."
)


@dataclass(frozen=True)
class Finding:
    """A question, the sentences that answer it as far as the numbers go, and the numbers."""

    name: str
    question: str
    sentences: tuple[str, ...]
    table: Table


def findings(results: Results, compared: pd.DataFrame, fair: pd.DataFrame, settings: Settings) -> list[Finding]:
    """Return one finding per declared comparison, in their order.

    Parameters
    ----------
    compared
        From `comparisons.compare`.
    fair
        From `question_1.accuracies`.
    """
    found = []
    confirmed = compared[compared["phase"] == "confirmed"]
    tests = int(compared["p"].notna().sum())
    for name, comparison in settings.comparisons.items():
        first, second = comparison.conditions
        ours = confirmed[confirmed["comparison"] == name]
        sentences = []
        for row in ours.to_dict("records"):
            task = same_task(settings, comparison.conditions, row["metric"], row["evaluated_on"])
            sentences.append(language.sentences([difference(row), verdict(row, tests, task)]))
        if RESTRICTED in set(ours["evaluated_on"]):
            sentences += _control_sentences(fair, comparison.conditions)
        baselines = [tables.spread(results[condition].confirmed.scores["baseline"])[0] for condition in (first, second)]
        sentences.append(
            say(
                BASELINE,
                first=thesis.label(first),
                second=thesis.label(second),
                first_baseline=number(baselines[0]),
                second_baseline=number(baselines[1]),
            )
        )
        if "accuracy" in comparison.metrics:
            sentences += _thesis_sentence(first, second)
        table = presented.comparison(compared, settings, name)
        found.append(Finding(name, _question(name), tuple(sentences), table))
    return found


def _question(comparison: str) -> str:
    if comparison in _QUESTIONS:
        return say(_QUESTIONS[comparison])
    return say("Comparison {name}", name=comparison)


def difference(row: Mapping[Hashable, Any]) -> str:
    """Return in words how the second of two means stands to the first; a row of `comparisons.compare`."""
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


def verdict(row: Mapping[Hashable, Any], tests: int, task: bool) -> str:
    """Return what may be said of a difference; a row of `comparisons.compare`.

    Parameters
    ----------
    tests
        In Holm's family.
    task
        Whether both conditions were given the same one.
    """
    value, half = row["difference"], row["half"]
    if not math.isfinite(half):
        kind = "unknown"
    elif not task:
        kind = "other task"
    else:
        apart = (abs(value) > half, row["bootstrap_low"] > 0 or row["bootstrap_high"] < 0, row["p_holm"] < ALPHA)
        kind = "significant" if all(apart) else "undecided" if any(apart) else "not significant"
    return say(
        VERDICT[kind],
        interval=interval(value - half, value + half),
        bootstrap=interval(row["bootstrap_low"], row["bootstrap_high"]),
        p="p < 0.001" if row["p_holm"] < 0.0005 else f"p = {p_value(row['p_holm'])}",
        tests=tests,
    )


def _thesis_sentence(first: str, second: str) -> list[str]:
    a, b = thesis.accuracy(first), thesis.accuracy(second)
    if a is None or b is None:
        return []
    return [
        say(
            THESIS,
            first=thesis.label(first),
            second=thesis.label(second),
            first_accuracy=plus_minus(a.mean, a.two_std),
            second_accuracy=plus_minus(b.mean, b.two_std),
        )
    ]


def _control_sentences(fair: pd.DataFrame, conditions: tuple[str, str]) -> list[str]:
    """Return how a condition with a third class stands to the control, where it can be compared run by run."""
    return [
        say(
            CONTROL,
            condition=thesis.label(row["condition"]),
            difference=plus_minus(row["difference"], row["half"], signed=True),
        )
        for row in fair.to_dict("records")
        if row["condition"] in conditions and row["metric"] == "accuracy_restricted" and row["paired"]
    ]
