"""The numbers that the thesis prints, as data, so that ours can be set beside them.

A condition, class or metric that the thesis does not know has no entry: ours then stands alone.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from galmorph.report.language import capital, in_turn, joined, mark, say


@dataclass(frozen=True)
class ThesisAccuracy:
    """A row of the thesis's table 4.1: accuracy at the selected epoch over 30 runs."""

    mean: float
    two_std: float
    two_ste: float
    epoch: int


@dataclass(frozen=True)
class ThesisCondition:
    """What the thesis says of one condition.

    Attributes
    ----------
    label
        What the report calls the condition.
    accuracy
        Its row of table 4.1, where it has one.
    recall
        Class to fraction predicted right, as rounded in the text of section 4.2.
    figures
        "loss", "accuracy" and "confusion" to the numbers of the thesis's figures that show it. The two-class condition
        is shown twice there, in section 4.2 and, as the imbalanced one, in section 4.3.
    """

    label: str
    accuracy: ThesisAccuracy | None = None
    recall: Mapping[str, float] = field(default_factory=lambda: MappingProxyType({}))
    figures: Mapping[str, tuple[str, ...]] = field(default_factory=lambda: MappingProxyType({}))


THREE_CLASS, TWO_CLASS, BALANCED, TWO_CLASS_SMALL = "three_class", "two_class", "balanced", "two_class_small"

# The control two_class_small is ours; it is here for its label only.
CONDITIONS: Mapping[str, ThesisCondition] = MappingProxyType(
    {
        THREE_CLASS: ThesisCondition(
            label=mark("three classes"),
            accuracy=ThesisAccuracy(mean=0.688, two_std=0.062, two_ste=0.011, epoch=148),
            recall=MappingProxyType({"spiral": 0.60, "elliptical": 0.20, "uncertain": 0.75}),
            figures=MappingProxyType({"loss": ("4.3",), "accuracy": ("4.5",), "confusion": ("4.7",)}),
        ),
        TWO_CLASS: ThesisCondition(
            label=mark("two classes"),
            accuracy=ThesisAccuracy(mean=0.931, two_std=0.034, two_ste=0.006, epoch=158),
            recall=MappingProxyType({"spiral": 0.90, "elliptical": 0.80}),
            figures=MappingProxyType(
                {"loss": ("4.4", "4.9"), "accuracy": ("4.6", "4.11"), "confusion": ("4.8", "4.13")}
            ),
        ),
        BALANCED: ThesisCondition(
            label=mark("balanced two classes"),
            figures=MappingProxyType({"loss": ("4.10",), "accuracy": ("4.12",), "confusion": ("4.14",)}),
        ),
        TWO_CLASS_SMALL: ThesisCondition(label=mark("two classes (control)")),
    }
)

# Section 3: the sample of "15,000" galaxies; the printed counts add up to 14,929.
CLASS_COUNTS: Mapping[str, int] = MappingProxyType({"spiral": 4058, "elliptical": 1561, "uncertain": 9310})


@dataclass(frozen=True)
class Filter:
    """A row of the thesis's figure 3.1: an SDSS filter.

    Attributes
    ----------
    band
        Its letter.
    wavelength
        Mean wavelength in Angstrom.
    depth
        Limiting magnitude.
    """

    band: str
    wavelength: int
    depth: float


FILTERS: tuple[Filter, ...] = (
    Filter("u", 3551, 22.0),
    Filter("g", 4686, 22.2),
    Filter("r", 6165, 22.2),
    Filter("i", 7481, 21.3),
    Filter("z", 8931, 20.5),
)

# Of the 1,000 galaxies that a run draws, 7 : 3.
TEST_PART = 300

# What each of our other tables and figures, by file name, corresponds to in the thesis.
COUNTERPARTS: Mapping[str, str] = MappingProxyType(
    {
        "filters": mark("figure 3.1"),
        "throughput": mark("figure 3.2"),
        "table2_row": mark("figure 3.4"),
        "redshifts": mark("figure 4.1"),
        "network": mark("figure 4.2"),
        "table_4_1": mark("table 4.1"),
        "section_4_3": mark("the table of section 4.3, which is missing in the draft"),
    }
)


def label(condition: str) -> str:
    """Return what the report calls a condition: the study's words, or the condition's own name."""
    return say(CONDITIONS[condition].label) if condition in CONDITIONS else condition


def title(condition: str) -> str:
    """Return the label with a capital, as a heading begins; a name that the user gave as it is."""
    return capital(label(condition)) if condition in CONDITIONS else condition


def accuracy(condition: str) -> ThesisAccuracy | None:
    """Return a condition's row of table 4.1, or None where the thesis has none."""
    return CONDITIONS[condition].accuracy if condition in CONDITIONS else None


def implied_accuracy(condition: str) -> float:
    """Return the accuracy that a condition's recalls give with the class counts of the sample; NaN without recalls."""
    recall = CONDITIONS[condition].recall if condition in CONDITIONS else {}
    known = sum(CLASS_COUNTS[name] for name in recall)
    return sum(CLASS_COUNTS[name] * share for name, share in recall.items()) / known if known else math.nan


def binomial_std(condition: str) -> float:
    """Return the standard deviation that the number of test galaxies alone gives a condition's accuracy, or NaN."""
    known = accuracy(condition)
    return math.sqrt(known.mean * (1 - known.mean) / TEST_PART) if known else math.nan


CONTRADICTION = mark(
    "The thesis contradicts itself: the recalls in its text, weighted by the class counts of its sample, give an "
    "accuracy of {accuracies}."
)
SCATTER = mark(
    "The thesis takes the standard deviation over runs for the scatter of training; but the number of its test "
    "galaxies, {galaxies}, alone gives a binomial standard deviation of {deviations}."
)


def doubts(conditions: Iterable[str]) -> list[str]:
    """Return a sentence on how table 4.1 and the recalls disagree, and one on what its spread is; none without it."""
    accuracies, deviations = [], []
    for name in conditions:
        if (printed := accuracy(name)) is None:
            continue
        accuracies.append(
            say(
                "{implied:.3f} for {condition}, where table 4.1 has {printed:.3f}",
                implied=implied_accuracy(name),
                condition=label(name),
                printed=printed.mean,
            )
        )
        deviations.append(
            say(
                "{binomial:.3f} for {condition}, {percent:.0f} % of the variance of the {printed:.3f} printed",
                binomial=binomial_std(name),
                condition=label(name),
                percent=100 * binomial_std(name) ** 2 / (printed.two_std / 2) ** 2,
                printed=printed.two_std / 2,
            )
        )
    if not accuracies:
        return []
    return [
        say(CONTRADICTION, accuracies=in_turn(accuracies)),
        say(SCATTER, galaxies=TEST_PART, deviations=in_turn(deviations)),
    ]


def condition_counterpart(condition: str, shows: str) -> str | None:
    """Return the thesis's figures that show a condition's "loss", "accuracy" or "confusion", in words.

    None where the thesis has no such figure.
    """
    numbers = CONDITIONS[condition].figures.get(shows) if condition in CONDITIONS else None
    if not numbers:
        return None
    if len(numbers) > 1:
        return say("figures {numbers}", numbers=joined(numbers))
    return say("figure {number}", number=numbers[0])


def counterpart(name: str) -> str | None:
    """Return what a table or figure corresponds to in the thesis, in words; None where there is nothing."""
    return say(COUNTERPARTS[name]) if name in COUNTERPARTS else None
