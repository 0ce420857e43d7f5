"""The questions of the study, and what the tests that speak to each answer: yes, no, or not shown.

Only a significant difference answers anything. What is not shown may still be there: it is no "no".
"""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal

from matplotlib.ticker import MaxNLocator

from galmorph.report.language import mark, say
from galmorph.report.table import Table, number

ALPHA = 0.05

Verdict = Literal["yes", "no", "both", "not shown"]
VERDICTS: Mapping[Verdict, str] = MappingProxyType(
    {"yes": mark("Yes"), "no": mark("No"), "both": mark("Yes and no"), "not shown": mark("Not shown")}
)


@dataclass(frozen=True)
class Question:
    """A question, and the answers where scores are significantly lower, or higher, with what it asks about."""

    text: str
    lower: str
    higher: str


QUESTIONS: Mapping[str, Question] = MappingProxyType(
    {
        "uncertain_labels": Question(
            mark("Do galaxies whose label is uncertain harm classification?"),
            mark(
                "Networks that also learn uncertain galaxies, as a third class, tell spirals from ellipticals less "
                "well: {claimed} of {fair} scores are significantly lower, by {size}."
            ),
            mark(
                "Networks that also learn uncertain galaxies, as a third class, tell spirals from ellipticals better: "
                "{claimed} of {fair} scores are significantly higher, by {size}."
            ),
        ),
        "class_balance": Question(
            mark("Does the imbalance of the classes harm classification?"),
            mark(
                "Networks trained on galaxies as they come score lower than those trained on as many of each class: "
                "{claimed} of {fair} scores are significantly lower, by {size}."
            ),
            mark(
                "Networks trained on galaxies as they come score higher than those trained on as many of each class: "
                "{claimed} of {fair} scores are significantly higher, by {size}."
            ),
        ),
        "resolution": Question(
            mark("Does a difference in spatial resolution between training and test data harm classification?"),
            mark(
                "Networks tested at another resolution score lower than those trained there: {claimed} of {fair} "
                "scores are significantly lower, by {size}."
            ),
            mark(
                "Networks tested at another resolution score higher than those trained there: {claimed} of {fair} "
                "scores are significantly higher, by {size}."
            ),
        ),
    }
)
BOTH = mark("Of {fair} scores, {lower} are significantly lower and {higher} significantly higher.")
NOT_SHOWN = mark("None of {fair} differences is significant, which does not prove that there is none.")
OPEN = mark("No comparison on the same task has an interval, so the question stays open.")


@dataclass(frozen=True)
class Effect:
    """A tested difference.

    Attributes
    ----------
    label
        Which score, and where it was measured.
    change
        Of the score, with what the question asks about; negative where that does harm.
    half
        Of the corrected 95 % interval of the change.
    significant
        Whether the change is significant after Holm's correction.
    """

    label: str
    change: float
    half: float
    significant: bool


@dataclass(frozen=True)
class Finding:
    """A comparison and what it says.

    Attributes
    ----------
    name
        Of the comparison in params.yaml, or of the chapter that has the numbers.
    question
        In words.
    answer
        In a sentence.
    verdict
        None if the comparison is not one of `QUESTIONS`.
    effects
        The differences that the verdict follows from.
    sentences
        What supports the answer.
    table
        The numbers; None where a chapter has them.
    """

    name: str
    question: str
    answer: str
    verdict: Verdict | None = None
    effects: tuple[Effect, ...] = ()
    sentences: tuple[str, ...] = ()
    table: Table | None = None


def answer(question: Question, effects: Sequence[Effect]) -> tuple[Verdict, str]:
    """Return what the tests answer, and a sentence that says so."""
    lower = [one for one in effects if one.significant and one.change < 0]
    higher = [one for one in effects if one.significant and one.change > 0]
    fair = len(effects)
    if lower and higher:
        return "both", say(BOTH, fair=fair, lower=len(lower), higher=len(higher))
    if claimed := lower or higher:
        template = question.lower if lower else question.higher
        return "yes" if lower else "no", say(template, claimed=len(claimed), fair=fair, size=_size(claimed))
    return "not shown", say(NOT_SHOWN, fair=fair) if effects else say(OPEN)


def short_answers(found: Sequence[Finding]) -> str:
    """Return the questions of the study with their answers, in lines for a terminal of 100 columns."""
    return "".join(
        f"{finding.question}\n"
        + textwrap.indent(textwrap.fill(f"{say(VERDICTS[finding.verdict])}. {finding.answer}", 98), "  ")
        + "\n"
        for finding in found
        if finding.verdict
    )


def _size(claimed: Sequence[Effect]) -> str:
    """Return the amount of the differences, "0.028" or "0.028 to 0.091"."""
    amounts = sorted(abs(one.change) for one in claimed)
    low, high = number(amounts[0]), number(amounts[-1])
    return low if low == high else say("{low} to {high}", low=low, high=high)


class Axis:
    """The common axis of the pictures of all answers: as wide as the widest interval, with zero on it.

    Attributes
    ----------
    ticks
        Values to label.
    """

    def __init__(self, found: Sequence[Finding]) -> None:
        effects = [one for finding in found for one in finding.effects]
        ends = [0.0, *(one.change + side * one.half for one in effects for side in (-1, 1))]
        low, high = min(ends), max(ends)
        margin = 0.05 * (high - low) or 1.0
        self._low, self._width = low - margin, high - low + 2 * margin
        values = MaxNLocator(4, steps=[1, 2, 5, 10]).tick_values(low, high)
        self.ticks = [value for value in map(float, values) if low - margin <= value <= high + margin]

    def place(self, value: float) -> str:
        """Return where a value is, as a length of SVG."""
        return f"{100 * (value - self._low) / self._width:.2f}%"

    def label(self, tick: float) -> str:
        """Return a tick with a true minus sign."""
        return f"{tick:g}".replace("-", "−")
