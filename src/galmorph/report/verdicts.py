"""What may be said of a difference between two conditions, in words.

A difference is called significant only where its corrected interval, the bootstrap over galaxies and Holm's
correction agree, and only where both conditions were given the same task. Every sentence is a whole template.
"""

from __future__ import annotations

import math
from collections.abc import Hashable, Mapping, Sequence
from types import MappingProxyType
from typing import Any

from galmorph.report import thesis
from galmorph.report.language import mark, say
from galmorph.report.study import OWN_TEST_PART, RESTRICTED
from galmorph.report.table import METRICS, interval, number, p_value, plus_minus

ALPHA = 0.05

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
ANSWER = mark(
    "In short: significant differences on the same task: {claimed} of {fair}. The clearest, {second} less {first}, is "
    "{difference} in {metric} (corrected 95 % interval)."
)
OPEN = mark("In short: no comparison on the same task has an interval, so the question stays open.")


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


def answer(rows: Sequence[Mapping[Hashable, Any]]) -> str:
    """Return the answer to a question in a sentence; rows of `comparisons.compare` on the same task."""
    known = [row for row in rows if math.isfinite(row["half"])]
    if not known:
        return say(OPEN)
    claimed = sum(_kind(row, task=True) == "significant" for row in known)
    clearest = max(known, key=_clearness)
    metric = clearest["metric"]
    return say(
        ANSWER,
        claimed=claimed,
        fair=len(known),
        first=thesis.label(clearest["first"]),
        second=thesis.label(clearest["second"]),
        difference=plus_minus(clearest["difference"], clearest["half"], signed=True),
        metric=say(METRICS[metric]),
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
    return say(
        VERDICT[_kind(row, task)],
        interval=interval(value - half, value + half),
        bootstrap=interval(row["bootstrap_low"], row["bootstrap_high"]),
        p="p < 0.001" if row["p_holm"] < 0.0005 else f"p = {p_value(row['p_holm'])}",
        tests=tests,
    )


def _clearness(row: Mapping[Hashable, Any]) -> float:
    """Return a difference against its own interval: accuracy and TSS are other scales."""
    size, half = abs(row["difference"]), row["half"]
    # Runs that all differ alike have an interval of no width.
    return size / half if half > 0 else math.inf if size > 0 else 0.0


def _kind(row: Mapping[Hashable, Any], task: bool) -> str:
    """Return which of `VERDICT` a difference has."""
    value, half = row["difference"], row["half"]
    if not math.isfinite(half):
        return "unknown"
    if not task:
        return "other task"
    apart = (abs(value) > half, row["bootstrap_low"] > 0 or row["bootstrap_high"] < 0, row["p_holm"] < ALPHA)
    return "significant" if all(apart) else "undecided" if any(apart) else "not significant"
