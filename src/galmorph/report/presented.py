"""Tables as a reader sees them: the numbers of `tables` and `counts`, formatted, with headings and captions.

Each function returns a `Table` that carries both: `data`, at full precision, becomes the CSV; `shown`, text with
three decimals, becomes Markdown, LaTeX and the page.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from types import MappingProxyType

import pandas as pd

from galmorph.report import accuracy, optimism, thesis
from galmorph.report.language import mark, say, sentences
from galmorph.report.names import class_name, mix_name, phase_name, set_name
from galmorph.report.study import ConditionResults, Results
from galmorph.report.table import (
    METRICS,
    MISSING,
    TWO_STE,
    Table,
    interval,
    metric_label,
    number,
    p_value,
    pairs,
    plus_minus,
    whole,
)
from galmorph.settings.study import ProtocolSettings, Settings

DIFFERENCE = mark(
    "The difference is the second mean less the first, its interval corrected for the galaxies that the runs share; no "
    "p value is given where the test parts are not the same task."
)
READING = mark(
    "A difference is paired, that is taken run by run, where runs of the same number were tested on the same galaxies; "
    "else it is one of two means. Runs share galaxies, so that they are not independent: the corrected 95 % interval "
    "allows for that. Two standard errors, the thesis's interval, do not, and are too narrow. The bootstrap draws "
    "galaxies anew and holds the networks fixed. The p value is that of the corrected interval, adjusted by Holm for "
    "all the tests of the comparisons; none is given where the test parts differ in their classes or, for the "
    "accuracy, in the mix of them: those are different tasks. A difference is called significant only where all three "
    "agree at 5 %. Formulae and sources: docs/statistics.md."
)

_CLASS_SCORES: Mapping[str, str] = MappingProxyType(
    {"recall": mark("Recall ± 2 std"), "precision": mark("Precision ± 2 std"), "f1": mark("F1 ± 2 std")}
)


def summary(results: Results) -> Table:
    """Every condition, metric and phase: mean, standard deviation and standard error."""
    data = accuracy.summary(results)
    shown = pd.DataFrame(
        {
            say("Condition"): data["condition"],
            say("Metric"): [metric_label(metric) for metric in data["metric"]],
            say("Phase"): data["phase"].map(phase_name),
            say("Epoch"): data["epoch"].map(str),
            say("Runs"): data["runs"].map(str),
            say("Mean"): data["mean"].map(number),
            say("Std"): data["std"].map(number),
            say("Std error"): data["ste"].map(lambda value: number(value, 4)),
        }
    )
    caption = say(
        "Every metric of every condition, over the runs: mean, standard deviation (ddof = 1) and standard error."
    )
    return Table("summary", caption, data, shown)


def table_4_1(results: Results, protocol: ProtocolSettings) -> Table:
    """Accuracy and selected epoch of each condition, beside the thesis's."""
    data = accuracy.table_4_1(results)
    shown = pd.DataFrame(
        {
            say("Condition"): [thesis.label(name) for name in data["condition"]],
            say("Accuracy ± 2 std"): pairs(data["accuracy"], data["two_std"]),
            say("± 2 std errors"): [f"± {number(value)}" for value in data["two_ste"]],
            say("Selected epoch"): data["epoch"].map(str),
            say("Majority baseline"): data["baseline"].map(number),
            say("Confirmed accuracy ± 2 std"): pairs(data["confirmed_accuracy"], data["confirmed_two_std"]),
            say("± 2 std errors, confirmed"): [f"± {number(value)}" for value in data["confirmed_two_ste"]],
            say("Thesis ± 2 std"): pairs(data["thesis_accuracy"], data["thesis_two_std"]),
            say("Thesis ± 2 std errors"): [
                MISSING if math.isnan(value) else f"± {number(value)}" for value in data["thesis_two_ste"]
            ],
            say("Thesis epoch"): data["thesis_epoch"].map(whole),
        }
    )
    return Table("table_4_1", optimism.how_chosen(protocol), data, shown)


def section_4_3(results: Results) -> Table:
    """Accuracy and TSS, imbalanced and balanced."""
    data = accuracy.section_4_3(results)
    shown = pd.DataFrame(
        {
            say("Drawn"): data["drawn"].map(mix_name),
            say("Phase"): data["phase"].map(phase_name),
            say("Epoch"): data["epoch"].map(str),
            say("Accuracy ± 2 std"): pairs(data["accuracy"], data["accuracy_two_std"]),
            say("± 2 std errors"): [f"± {number(value)}" for value in data["accuracy_two_ste"]],
            say("TSS ± 2 std"): pairs(data["tss"], data["tss_two_std"]),
            say("TSS ± 2 std errors"): [f"± {number(value)}" for value in data["tss_two_ste"]],
            say("Majority baseline"): data["baseline"].map(number),
        }
    )
    caption = say(
        "Two classes drawn as they come (imbalanced) and as many of each (balanced), each on its own test parts. The "
        "two kinds of test part differ in their mix of classes, so their accuracies are not of the same task."
    )
    return Table("section_4_3", caption, data, shown)


def comparisons(compared: pd.DataFrame) -> Table:
    """The declared comparisons, on own test parts and on the common evaluation sets; the CSV has both phases."""
    data = compared[compared["phase"] == "confirmed"]
    shown = pd.DataFrame(
        {
            say("Comparison"): [f"{a} → {b}" for a, b in zip(data["first"], data["second"], strict=True)],
            say("Metric"): [say(METRICS[metric]) for metric in data["metric"]],
            say("Evaluated on"): [set_name(where) for where in data["evaluated_on"]],
            say("First ± 2 std"): pairs(data["first_mean"], 2 * data["first_std"]),
            say("Second ± 2 std"): pairs(data["second_mean"], 2 * data["second_std"]),
            **_inference(data),
        }
    )
    side_by_side = say("Conditions set side by side, fresh runs stopped at the selected epochs.")
    caption = sentences([side_by_side, say(DIFFERENCE)])
    return Table("comparisons", caption, compared, shown)


def comparison(compared: pd.DataFrame, settings: Settings, name: str) -> Table:
    """One declared comparison, with the two conditions as columns; the CSV has both phases."""
    ours = compared[compared["comparison"] == name].reset_index(drop=True)
    data = ours[ours["phase"] == "confirmed"]
    first, second = (thesis.label(condition) for condition in settings.comparisons[name].conditions)
    shown = pd.DataFrame(
        {
            say("Metric"): [say(METRICS[metric]) for metric in data["metric"]],
            say("Evaluated on"): [set_name(where) for where in data["evaluated_on"]],
            say("{condition} ± 2 std", condition=first): pairs(data["first_mean"], 2 * data["first_std"]),
            say("{condition} ± 2 std", condition=second): pairs(data["second_mean"], 2 * data["second_std"]),
            **_inference(data),
        }
    )
    side_by_side = say(
        "{first} and {second} side by side, fresh runs stopped at the selected epochs.",
        first=thesis.title(settings.comparisons[name].conditions[0]),
        second=second,
    )
    caption = sentences([side_by_side, say(DIFFERENCE)])
    return Table(f"comparison_{name}", caption, ours, shown)


def _inference(data: pd.DataFrame) -> dict[str, list[str]]:
    """Return the columns of a difference and of what can be said of it."""
    lows, highs = data["bootstrap_low"], data["bootstrap_high"]
    return {
        say("Difference, corrected 95 % interval"): pairs(data["difference"], data["half"], signed=True),
        say("Paired"): [say("yes") if paired else say("no") for paired in data["paired"]],
        say(TWO_STE): [MISSING if math.isnan(half) else f"± {number(half)}" for half in data["naive_half"]],
        say("Bootstrap over galaxies, 95 %"): [interval(low, high) for low, high in zip(lows, highs, strict=True)],
        say("p, Holm"): [p_value(value) for value in data["p_holm"]],
    }


def class_scores(results: Results) -> Table:
    """Recall, precision and F1 of each class in the confirmed runs; the CSV has both phases."""
    data = accuracy.class_scores(results)
    confirmed = data[data["phase"] == "confirmed"]
    shown = pd.DataFrame(
        {
            say("Condition"): [thesis.label(name) for name in confirmed["condition"]],
            say("Class"): [class_name(name) for name in confirmed["class"]],
            **{say(heading): _over_known_runs(confirmed, score) for score, heading in _CLASS_SCORES.items()},
            say("Thesis, recall, about"): [number(value, 2) for value in confirmed["thesis_recall"]],
        }
    )
    caption = say(
        "Each class on the test parts of the confirmed runs. Recall: of the galaxies of the class, the fraction that "
        "is predicted right. Precision: of the galaxies so predicted, the fraction that is right. F1: their harmonic "
        "mean. Mean over the runs; where a run lacks what a score is a fraction of, the number of runs is given."
    )
    return Table("class_scores", caption, data, shown)


def _over_known_runs(data: pd.DataFrame, score: str) -> list[str]:
    """Return mean ± 2 std, and over how many runs where it is not all of them."""
    texts = pairs(data[f"{score}_mean"], 2 * data[f"{score}_std"])
    counted = zip(texts, data[f"{score}_runs"], data["runs"], strict=True)
    return [
        text if known in (0, runs) else say("{score} ({runs} runs)", score=text, runs=known)
        for text, known, runs in counted
    ]


def tss_forms(results: Results) -> Table | None:
    """The three forms of TSS for more than two classes; None where no condition has more."""
    data = accuracy.tss_forms(results)
    if data.empty:
        return None
    confirmed, selected = (data[data["phase"] == phase].reset_index(drop=True) for phase in ("confirmed", "selected"))
    shown = pd.DataFrame(
        {
            say("Condition"): [thesis.label(name) for name in confirmed["condition"]],
            say("Form of TSS"): [say(accuracy.TSS_FORMS[form]) for form in confirmed["form"]],
            say("Confirmed ± 2 std"): pairs(confirmed["mean"], 2 * confirmed["std"]),
            say("Selected ± 2 std"): pairs(selected["mean"], 2 * selected["std"]),
        }
    )
    caption = say(
        "The True Skill Statistic of more than two classes has several forms, which are the same for two. This report "
        "prints the first wherever it says TSS: it alone does not depend on the class fractions of the test part."
    )
    return Table("tss_forms", caption, data, shown)


def confusion(result: ConditionResults) -> Table:
    """The confusion matrix of one condition's confirmed runs; the CSV has both phases."""
    data = accuracy.confusion_cells(result)
    cells = {
        (row["actual"], row["predicted"]): plus_minus(row["mean"], row["std"], 1)
        for row in data[data["phase"] == "confirmed"].to_dict("records")
    }
    shown = pd.DataFrame(
        {
            say("True \\ predicted"): [class_name(actual) for actual in result.classes],
            **{
                class_name(predicted): [cells[actual, predicted] for actual in result.classes]
                for predicted in result.classes
            },
        }
    )
    caption = say(
        "Confusion matrix of the condition {condition}: galaxies per run, mean ± 1 std over the confirmed runs (epoch "
        "{epoch}); rows true, columns predicted.",
        condition=result.name,
        epoch=result.epoch,
    )
    return Table(f"confusion_{result.name}", caption, data, shown)
