"""What the numbers say to each question, in sentences: every sentence is a whole template.

A difference is called significant only where its corrected interval, the bootstrap over galaxies and Holm's
correction agree, and only where both conditions were given the same task and differ in one setting.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Hashable, Mapping, Sequence
from types import MappingProxyType
from typing import Any

import pandas as pd

from galmorph.report import language, thesis
from galmorph.report.accuracy import spread
from galmorph.report.answers import ALPHA, OPEN, QUESTIONS, Effect, Finding, Verdict, answer
from galmorph.report.comparisons import CONFOUNDED, OTHER_TASK, comparison_table, differing, trained_on
from galmorph.report.language import joined, mark, say
from galmorph.report.study import Study
from galmorph.report.table import METRICS, Table, interval, number, p_value, plus_minus, whole
from galmorph.scores.predictions import OWN_TEST_PART, RESTRICTED
from galmorph.settings.study import ConditionSettings, Settings

# Of comparisons that are not among the questions of the study.
TITLES: Mapping[str, str] = MappingProxyType(
    {"uncertain_labels_thesis": mark("The thesis's own comparison: three classes and two (section 4.2)")}
)
# Which of two conditions has what the question asks about, and so scores lower if the answer is yes.
SUSPECT: Mapping[str, Callable[[ConditionSettings], bool]] = MappingProxyType(
    {
        "uncertain_labels": lambda condition: "uncertain" in condition.classes,
        "class_balance": lambda condition: condition.mix != "balanced",
    }
)
DIFFER = mark("{claimed} of {fair} differences are significant.")
CONFOUNDED_ANSWER = mark(
    "Confounded: {first} and {second} differ in {settings} at once, and their networks train on about "
    "{first_galaxies} and {second_galaxies} spirals and ellipticals: what a difference comes from cannot be told."
)
SETTINGS: Mapping[str, str] = MappingProxyType(
    {
        "classes": mark("the classes"),
        "drawn_among": mark("the classes drawn among"),
        "mix": mark("the mix of the classes"),
        "draw": mark("the number of galaxies drawn"),
    }
)
WHERE: Mapping[str, str] = MappingProxyType(
    {
        OWN_TEST_PART: mark("In fresh runs stopped at the selected epochs, each condition on its own test parts"),
        RESTRICTED: mark("On the spirals and ellipticals of those test parts, with an answer restricted to these two"),
        "common_natural": mark("On the same galaxies, in the natural mix"),
        "common_balanced": mark("On the same galaxies, as many of each class"),
    }
)
# The same, where a line is short.
SHORT: Mapping[str, str] = MappingProxyType(
    {
        OWN_TEST_PART: mark("own test part"),
        RESTRICTED: mark("own test part"),
        "common_natural": mark("natural mix"),
        "common_balanced": mark("balanced mix"),
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
        OTHER_TASK: mark(
            "Corrected 95 % interval of the difference: {interval}; but the test parts differ in their classes or in "
            "the mix of them, so that this is not a difference between networks alone."
        ),
        CONFOUNDED: mark(
            "Corrected 95 % interval of the difference: {interval}; but it is confounded, because the conditions "
            "differ in more than one setting, and is not tested."
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
    "On their own test parts, always answering the commonest class would give an accuracy of {first_baseline} "
    "({first}) and {second_baseline} ({second})."
)
THESIS = mark(
    "The thesis has, at its selected epochs, {second_accuracy} for {second} against {first_accuracy} for {first} "
    "(± 1 std; it prints two)."
)

Row = Mapping[Hashable, Any]


def findings(study: Study, compared: pd.DataFrame) -> list[Finding]:
    """Return one finding per declared comparison, in their order; `compared` is from `comparisons.compare`."""
    confirmed = compared[compared["phase"] == "confirmed"]
    tests = int(compared["p"].notna().sum())
    found = []
    for name, comparison in study.settings.comparisons.items():
        rows = confirmed[confirmed["comparison"] == name].to_dict("records")
        sentences = [language.sentences([difference(row), verdict(row, tests)]) for row in rows]
        sentences.append(_baselines(study, comparison.conditions))
        if "accuracy" in comparison.metrics:
            sentences += _thesis(comparison.conditions)
        table = comparison_table(compared, study.settings, name)
        found.append(_finding(study, name, rows, tuple(sentences), table))
    return found


def _finding(study: Study, name: str, rows: Sequence[Row], sentences: tuple[str, ...], table: Table) -> Finding:
    conditions = study.settings.comparisons[name].conditions
    suspect = _suspect(study.settings, name)
    differences = effects(rows, suspect or 0)
    answered: Verdict | None = None
    if suspect is not None:
        title = say(QUESTIONS[name].text)
        answered, said = answer(QUESTIONS[name], differences)
    else:
        title = say(TITLES[name]) if name in TITLES else say("Comparison {name}", name=name)
        claimed = sum(one.significant for one in differences)
        said = say(DIFFER, claimed=claimed, fair=len(differences)) if differences else say(OPEN)
    if len(differing(study.settings, conditions)) > 1:
        said = confounded_answer(study, conditions)
    return Finding(name, title, said, answered, differences if answered else (), sentences, table)


def _suspect(settings: Settings, name: str) -> int | None:
    """Return which of the two conditions has what the question asks about; None where not just one has."""
    if name not in SUSPECT:
        return None
    has = [SUSPECT[name](settings.conditions[condition]) for condition in settings.comparisons[name].conditions]
    return has.index(True) if sum(has) == 1 else None


def effects(rows: Sequence[Row], suspect: int) -> tuple[Effect, ...]:
    """Return the differences that are tested; rows of `comparisons.compare`, and which of the two is the suspect."""
    sign = 1 if suspect == 1 else -1
    found = []
    for row in rows:
        kind, metric, where = _kind(row), METRICS[row["metric"]], SHORT[row["evaluated_on"]]
        if kind not in ("unknown", OTHER_TASK, CONFOUNDED):
            label = say("{metric}, {where}", metric=say(metric), where=say(where))
            found.append(Effect(label, sign * row["difference"], row["half"], kind == "significant"))
    return tuple(found)


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
        first_mean=plus_minus(row["first_mean"], row["first_std"]),
        second_mean=plus_minus(row["second_mean"], row["second_std"]),
        spread=say("one run, which has no spread") if runs == 1 else say("± 1 std over {runs} runs", runs=runs),
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


def confounded_answer(study: Study, conditions: tuple[str, str]) -> str:
    """Return why a comparison of two conditions that differ in several settings answers nothing by itself."""
    first, second = conditions
    return say(
        CONFOUNDED_ANSWER,
        first=thesis.label(first),
        second=thesis.label(second),
        settings=joined(
            say(SETTINGS[name]) if name in SETTINGS else name for name in differing(study.settings, conditions)
        ),
        first_galaxies=whole(trained_on(study, first)),
        second_galaxies=whole(trained_on(study, second)),
    )


def _kind(row: Row) -> str:
    """Return which of `VERDICT` a difference has."""
    value, half = row["difference"], row["half"]
    if not math.isfinite(half):
        return "unknown"
    if isinstance(row["obstacle"], str):
        return str(row["obstacle"])
    apart = (abs(value) > half, row["bootstrap_low"] > 0 or row["bootstrap_high"] < 0, row["p_holm"] < ALPHA)
    return "significant" if all(apart) else "undecided" if any(apart) else "not significant"


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
            first_accuracy=plus_minus(first.mean, first.two_std / 2),
            second_accuracy=plus_minus(second.mean, second.two_std / 2),
        )
    ]
