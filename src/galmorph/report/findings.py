"""What the numbers say to each question, in sentences that hold computed numbers and nothing else."""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd

from galmorph.report import accuracy, language, thesis
from galmorph.report.comparisons import comparison_table, same_task
from galmorph.report.language import mark, say
from galmorph.report.study import RESTRICTED, Study
from galmorph.report.table import Table, number, plus_minus
from galmorph.report.verdicts import answer, difference, verdict

_QUESTIONS = {
    "uncertain_labels": mark("Do galaxies whose label is uncertain harm classification?"),
    "class_balance": mark("Does the imbalance of the classes harm classification?"),
}

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
    """A question, the answer in a sentence, the sentences that bear it out, and the numbers."""

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
    settings, results = study.settings, study.results
    found = []
    confirmed = compared[compared["phase"] == "confirmed"]
    tests = int(compared["p"].notna().sum())
    for name, comparison in settings.comparisons.items():
        first, second = comparison.conditions
        ours = confirmed[confirmed["comparison"] == name]
        sentences, fair_rows = [], []
        for row in ours.to_dict("records"):
            task = same_task(settings, comparison.conditions, row["metric"], row["evaluated_on"])
            if task:
                fair_rows.append(row)
            sentences.append(language.sentences([difference(row), verdict(row, tests, task)]))
        if RESTRICTED in set(ours["evaluated_on"]):
            sentences += _control_sentences(fair, comparison.conditions)
        baselines = [
            accuracy.spread(results[condition].confirmed.scores["baseline"])[0] for condition in (first, second)
        ]
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
        table = comparison_table(compared, settings, name)
        found.append(Finding(name, _question(name), answer(fair_rows), tuple(sentences), table))
    return found


def _question(comparison: str) -> str:
    if comparison in _QUESTIONS:
        return say(_QUESTIONS[comparison])
    return say("Comparison {name}", name=comparison)


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
