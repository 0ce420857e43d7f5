"""What the numbers say to each question, in sentences that hold computed numbers and nothing else.

Both means and their spread are stated, and the difference; never that a difference is significant.
"""

from __future__ import annotations

import math
from collections.abc import Hashable, Mapping
from dataclasses import dataclass
from typing import Any

from galmorph.report import presented, tables, thesis
from galmorph.report.table import METRICS, Table, number, plus_minus
from galmorph.report.tables import OWN_TEST_PART, Results
from galmorph.settings import Settings

_QUESTIONS = {
    "uncertain_labels": "Do galaxies whose label is uncertain harm classification?",
    "class_balance": "Does the imbalance of the classes harm classification?",
}


@dataclass(frozen=True)
class Finding:
    """A question, the sentences that answer it as far as the numbers go, and the numbers."""

    name: str
    question: str
    sentences: tuple[str, ...]
    table: Table


def findings(results: Results, settings: Settings) -> list[Finding]:
    """Return one finding per declared comparison, in their order."""
    found = []
    for name, comparison in settings.comparisons.items():
        first, second = comparison.conditions
        table = presented.comparison(results, settings, name)
        own = table.data[(table.data["evaluated_on"] == OWN_TEST_PART) & (table.data["phase"] == "confirmed")]
        sentences = [_sentence(row, settings.protocol.runs) for row in own.to_dict("records")]
        if set(results[first].classes) != set(results[second].classes):
            sentences.append(_fair_sentence(results, settings))
        baselines = [tables.spread(results[condition].confirmed.scores["baseline"])[0] for condition in (first, second)]
        sentences.append(
            f"Always answering the commonest class would give an accuracy of {number(baselines[0])} "
            f"({thesis.label(first)}) and {number(baselines[1])} ({thesis.label(second)})."
        )
        if "accuracy" in comparison.metrics:
            sentences += _thesis_sentence(first, second)
        found.append(Finding(name, _QUESTIONS.get(name, f"Comparison {name}"), tuple(sentences), table))
    return found


def difference(value: float, first: str, second: str) -> str:
    """Return in words how the second of two means stands to the first."""
    if math.isnan(value):
        return f"for {first} and {second}, with no difference to be stated"
    if round(value, 3) == 0:
        return f"is the same for {first} and {second} to three decimals"
    return f"is {number(abs(value))} {'higher' if value > 0 else 'lower'} for {second} than for {first}"


def _sentence(row: Mapping[Hashable, Any], runs: int) -> str:
    first, second = thesis.label(row["first"]), thesis.label(row["second"])
    over = "one run, which has no spread" if runs == 1 else f"± 2 std over {runs} runs"
    return (
        "In fresh runs stopped at the selected epochs, each condition on its own test parts, the mean "
        f"{METRICS[row['metric']]} {difference(row['difference'], first, second)}: "
        f"{plus_minus(row['second_mean'], 2 * row['second_std'])} against "
        f"{plus_minus(row['first_mean'], 2 * row['first_std'])} ({over})."
    )


def _thesis_sentence(first: str, second: str) -> list[str]:
    a, b = thesis.accuracy(first), thesis.accuracy(second)
    if a is None or b is None:
        return []
    return [
        f"The thesis prints, at its selected epochs, {plus_minus(b.mean, b.two_std)} for {thesis.label(second)} "
        f"against {plus_minus(a.mean, a.two_std)} for {thesis.label(first)} (± 2 std)."
    ]


def _fair_sentence(results: Results, settings: Settings) -> str:
    fair = tables.question_1(results, settings)
    parts = [
        f"{thesis.label(row['condition'])} {plus_minus(row['mean'], row['two_std'])}" for row in fair.to_dict("records")
    ]
    return (
        "Those are accuracies of different tasks. On the same task, spirals against ellipticals alone, with an answer "
        f"restricted to those two: {'; '.join(parts)}."
    )
