"""What the numbers say to each question, in sentences that hold computed numbers and nothing else.

Both means and their spread are stated, and the difference; never that a difference is significant.
"""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd

from galmorph.report import tables, thesis
from galmorph.report.presented import METRICS, SETS, number, plus_minus
from galmorph.report.tables import OWN_TEST_PART, Results
from galmorph.settings import Settings

_QUESTIONS = {
    "uncertain_labels": "Do galaxies whose label is uncertain harm classification?",
    "class_balance": "Does the imbalance of the classes harm classification?",
}


@dataclass(frozen=True)
class Finding:
    """A question, and the sentences that answer it as far as the numbers go."""

    question: str
    sentences: tuple[str, ...]


def findings(results: Results, settings: Settings) -> list[Finding]:
    """Return one finding per declared comparison, in their order."""
    table = tables.comparisons(results, settings)
    found = []
    for name, comparison in settings.comparisons.items():
        first, second = comparison.conditions
        of_comparison = table[table["comparison"] == name]
        sentences = []
        for metric in comparison.metrics:
            of_metric = of_comparison[of_comparison["metric"] == metric]
            sentences += [_sentence(row, settings.protocol.runs) for _, row in of_metric.iterrows()]
        baselines = [tables.spread(results[condition].selected.scores["baseline"])[0] for condition in (first, second)]
        sentences.append(
            f"Always answering the commonest class would give an accuracy of {number(baselines[0])} "
            f"({thesis.label(first)}) and {number(baselines[1])} ({thesis.label(second)})."
        )
        if "accuracy" in comparison.metrics:
            sentences += _thesis_sentence(first, second)
        if set(results[first].classes) != set(results[second].classes):
            sentences.append(_fair_sentence(results, settings))
        found.append(Finding(_QUESTIONS.get(name, f"Comparison {name}"), tuple(sentences)))
    return found


def difference(value: float, second: str) -> str:
    """Return in words how much the second of two means lies above or below the first."""
    if pd.isna(value):
        return "No difference can be stated."
    if round(value, 3) == 0:
        return "The two means agree to three decimals."
    return f"The mean of {second} is {number(abs(value))} {'higher' if value > 0 else 'lower'}."


def _sentence(row: pd.Series[str], runs: int) -> str:
    metric = METRICS[row["metric"]]
    first, second = thesis.label(row["first"]), thesis.label(row["second"])
    if row["evaluated_on"] != OWN_TEST_PART:
        where = f"On the same reserved galaxies for both ({SETS.get(row['evaluated_on'], row['evaluated_on'])}), {metric}"
        if row["phase"] == "selected":
            where += " at the selected epochs"
    elif row["phase"] == "selected":
        over = "one run, which has no spread" if runs == 1 else f"{runs} runs"
        where = f"On the conditions' own test parts, {metric} at the selected epochs (mean ± 2 std over {over})"
    else:
        where = f"In fresh runs stopped at those epochs, {metric}"
    return (
        f"{where}: {first} {plus_minus(row['first_mean'], 2 * row['first_std'])}, "
        f"{second} {plus_minus(row['second_mean'], 2 * row['second_std'])}. {difference(row['difference'], second)}"
    )


def _thesis_sentence(first: str, second: str) -> list[str]:
    printed = [thesis.CONDITIONS[name].accuracy if name in thesis.CONDITIONS else None for name in (first, second)]
    if printed[0] is None or printed[1] is None:
        return []
    a, b = printed[0], printed[1]
    return [
        f"The thesis prints {plus_minus(a.mean, a.two_std)} and {plus_minus(b.mean, b.two_std)} "
        f"(± 2 std), a difference of {number(b.mean - a.mean)}."
    ]


def _fair_sentence(results: Results, settings: Settings) -> str:
    fair = tables.question_1(results, settings)
    parts = [
        f"{thesis.label(row['condition'])} {plus_minus(row['mean'], row['two_std'])}" for _, row in fair.iterrows()
    ]
    return (
        "These are accuracies of different tasks. Of spirals against ellipticals alone, an answer restricted to those "
        f"two where there are more, in fresh runs: {'; '.join(parts)}."
    )
