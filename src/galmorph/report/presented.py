"""Tables as a reader sees them: the numbers of `tables` and `counts`, formatted, with headings and captions.

Each function returns a `Table` that carries both: `data`, at full precision, becomes the CSV; `shown`, text with
three decimals, becomes Markdown, LaTeX and the page.
"""

from __future__ import annotations

import math

import pandas as pd

from galmorph.report import counts, tables, thesis
from galmorph.report.results import ConditionResults
from galmorph.report.table import (
    METRICS,
    MISSING,
    SETS,
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
from galmorph.report.tables import Results
from galmorph.settings import Settings

DIFFERENCE = (
    "The difference is the second mean less the first, its interval corrected for the galaxies that the runs share; no "
    "p value is given where the test parts are not the same task."
)
READING = (
    "A difference is paired, that is taken run by run, where runs of the same number were tested on the same galaxies; "
    "else it is one of two means. Runs share galaxies, so that they are not independent: the corrected 95 % interval "
    "allows for that. Two standard errors, the thesis's interval, do not, and are too narrow. The bootstrap draws "
    "galaxies anew and holds the networks fixed. The p value is that of the corrected interval, adjusted by Holm for "
    "all the tests of the comparisons; none is given where the test parts differ in their classes or, for the "
    "accuracy, in the mix of them: those are different tasks. A difference is called significant only where all three "
    "agree at 5 %. Formulae and sources: docs/statistics.md."
)


def summary(results: Results) -> Table:
    """Every condition, metric and phase: mean, standard deviation and standard error."""
    data = tables.summary(results)
    shown = pd.DataFrame(
        {
            "Condition": data["condition"],
            "Metric": [metric_label(metric) for metric in data["metric"]],
            "Phase": data["phase"],
            "Epoch": data["epoch"].map(str),
            "Runs": data["runs"].map(str),
            "Mean": data["mean"].map(number),
            "Std": data["std"].map(number),
            "Std error": data["ste"].map(lambda value: number(value, 4)),
        }
    )
    caption = "Every metric of every condition, over the runs: mean, standard deviation (ddof = 1) and standard error."
    return Table("summary", caption, data, shown)


def table_4_1(results: Results) -> Table:
    """Accuracy and selected epoch of each condition, beside the thesis's."""
    data = tables.table_4_1(results)
    shown = pd.DataFrame(
        {
            "Condition": [thesis.label(name) for name in data["condition"]],
            "Accuracy ± 2 std": pairs(data["accuracy"], data["two_std"]),
            "± 2 std errors": [f"± {number(value)}" for value in data["two_ste"]],
            "Selected epoch": data["epoch"].map(str),
            "Majority baseline": data["baseline"].map(number),
            "Confirmed accuracy ± 2 std": pairs(data["confirmed_accuracy"], data["confirmed_two_std"]),
            "± 2 std errors, confirmed": [f"± {number(value)}" for value in data["confirmed_two_ste"]],
            "Thesis ± 2 std": pairs(data["thesis_accuracy"], data["thesis_two_std"]),
            "Thesis ± 2 std errors": [
                MISSING if math.isnan(value) else f"± {number(value)}" for value in data["thesis_two_ste"]
            ],
            "Thesis epoch": data["thesis_epoch"].map(whole),
        }
    )
    caption = (
        "Test accuracy, mean over the runs. The epoch is selected on the test parts themselves, so the first accuracy "
        "is optimistic; the confirmed one is that of fresh runs stopped at that epoch. The baseline is the accuracy of "
        "always answering the commonest class."
    )
    return Table("table_4_1", caption, data, shown)


def section_4_3(results: Results) -> Table:
    """Accuracy and TSS, imbalanced and balanced."""
    data = tables.section_4_3(results)
    shown = pd.DataFrame(
        {
            "Drawn": data["drawn"],
            "Phase": data["phase"],
            "Epoch": data["epoch"].map(str),
            "Accuracy ± 2 std": pairs(data["accuracy"], data["accuracy_two_std"]),
            "± 2 std errors": [f"± {number(value)}" for value in data["accuracy_two_ste"]],
            "TSS ± 2 std": pairs(data["tss"], data["tss_two_std"]),
            "TSS ± 2 std errors": [f"± {number(value)}" for value in data["tss_two_ste"]],
            "Majority baseline": data["baseline"].map(number),
        }
    )
    caption = (
        "Two classes drawn as they come (imbalanced) and as many of each (balanced), each on its own test parts. The "
        "two kinds of test part differ in their mix of classes, so their accuracies are not of the same task."
    )
    return Table("section_4_3", caption, data, shown)


def comparisons(compared: pd.DataFrame) -> Table:
    """The declared comparisons, on own test parts and on the common evaluation sets; the CSV has both phases."""
    data = compared[compared["phase"] == "confirmed"]
    shown = pd.DataFrame(
        {
            "Comparison": [f"{a} → {b}" for a, b in zip(data["first"], data["second"], strict=True)],
            "Metric": [METRICS[metric] for metric in data["metric"]],
            "Evaluated on": [SETS.get(where, where) for where in data["evaluated_on"]],
            "First ± 2 std": pairs(data["first_mean"], 2 * data["first_std"]),
            "Second ± 2 std": pairs(data["second_mean"], 2 * data["second_std"]),
            **_inference(data),
        }
    )
    caption = f"Conditions set side by side, fresh runs stopped at the selected epochs. {DIFFERENCE}"
    return Table("comparisons", caption, compared, shown)


def comparison(compared: pd.DataFrame, settings: Settings, name: str) -> Table:
    """One declared comparison, with the two conditions as columns; the CSV has both phases."""
    ours = compared[compared["comparison"] == name].reset_index(drop=True)
    data = ours[ours["phase"] == "confirmed"]
    first, second = (thesis.label(condition) for condition in settings.comparisons[name].conditions)
    shown = pd.DataFrame(
        {
            "Metric": [METRICS[metric] for metric in data["metric"]],
            "Evaluated on": [SETS.get(where, where) for where in data["evaluated_on"]],
            f"{first} ± 2 std": pairs(data["first_mean"], 2 * data["first_std"]),
            f"{second} ± 2 std": pairs(data["second_mean"], 2 * data["second_std"]),
            **_inference(data),
        }
    )
    caption = (
        f"{first[0].upper()}{first[1:]} and {second} side by side, fresh runs stopped at the selected epochs. "
        f"{DIFFERENCE}"
    )
    return Table(f"comparison_{name}", caption, ours, shown)


def _inference(data: pd.DataFrame) -> dict[str, list[str]]:
    """Return the columns of a difference and of what can be said of it."""
    lows, highs = data["bootstrap_low"], data["bootstrap_high"]
    return {
        "Difference, corrected 95 % interval": pairs(data["difference"], data["half"], signed=True),
        "Paired": ["yes" if paired else "no" for paired in data["paired"]],
        TWO_STE: [MISSING if math.isnan(half) else f"± {number(half)}" for half in data["naive_half"]],
        "Bootstrap over galaxies, 95 %": [interval(low, high) for low, high in zip(lows, highs, strict=True)],
        "p, Holm": [p_value(value) for value in data["p_holm"]],
    }


def class_scores(results: Results) -> Table:
    """Recall, precision and F1 of each class in the confirmed runs; the CSV has both phases."""
    data = counts.class_scores(results)
    confirmed = data[data["phase"] == "confirmed"]
    shown = pd.DataFrame(
        {
            "Condition": [thesis.label(name) for name in confirmed["condition"]],
            "Class": confirmed["class"].to_numpy(),
            **{
                f"{heading} ± 2 std": _over_known_runs(confirmed, score)
                for heading, score in (("Recall", "recall"), ("Precision", "precision"), ("F1", "f1"))
            },
            "Thesis, recall, about": [number(value, 2) for value in confirmed["thesis_recall"]],
        }
    )
    caption = (
        "Each class on the test parts of the confirmed runs. Recall: of the galaxies of the class, the fraction that "
        "is predicted right. Precision: of the galaxies so predicted, the fraction that is right. F1: their harmonic "
        "mean. Mean over the runs; where a run lacks what a score is a fraction of, the number of runs is given."
    )
    return Table("class_scores", caption, data, shown)


def _over_known_runs(data: pd.DataFrame, score: str) -> list[str]:
    """Return mean ± 2 std, and over how many runs where it is not all of them."""
    texts = pairs(data[f"{score}_mean"], 2 * data[f"{score}_std"])
    counted = zip(texts, data[f"{score}_runs"], data["runs"], strict=True)
    return [text if known in (0, runs) else f"{text} ({known} runs)" for text, known, runs in counted]


def tss_forms(results: Results) -> Table | None:
    """The three forms of TSS for more than two classes; None where no condition has more."""
    data = counts.tss_forms(results)
    if data.empty:
        return None
    confirmed, selected = (data[data["phase"] == phase].reset_index(drop=True) for phase in ("confirmed", "selected"))
    shown = pd.DataFrame(
        {
            "Condition": [thesis.label(name) for name in confirmed["condition"]],
            "Form of TSS": confirmed["form"].map(counts.TSS_FORMS),
            "Confirmed ± 2 std": pairs(confirmed["mean"], 2 * confirmed["std"]),
            "Selected ± 2 std": pairs(selected["mean"], 2 * selected["std"]),
        }
    )
    caption = (
        "The True Skill Statistic of more than two classes has several forms, which are the same for two. This report "
        "prints the first wherever it says TSS: it alone does not depend on the class fractions of the test part."
    )
    return Table("tss_forms", caption, data, shown)


def confusion(result: ConditionResults) -> Table:
    """The confusion matrix of one condition's confirmed runs; the CSV has both phases."""
    data = counts.confusion_cells(result)
    cells = {
        (row["actual"], row["predicted"]): plus_minus(row["mean"], row["std"], 1)
        for row in data[data["phase"] == "confirmed"].to_dict("records")
    }
    shown = pd.DataFrame(
        {
            "True \\ predicted": list(result.classes),
            **{predicted: [cells[actual, predicted] for actual in result.classes] for predicted in result.classes},
        }
    )
    caption = (
        f"Confusion matrix of the condition {result.name}: galaxies per run, mean ± 1 std over the confirmed runs "
        f"(epoch {result.epoch}); rows true, columns predicted."
    )
    return Table(f"confusion_{result.name}", caption, data, shown)
