"""Tables as a reader sees them: the numbers of `tables` and `counts`, formatted, with headings and captions.

Each function returns a `Table` that carries both: `data`, at full precision, becomes the CSV; `shown`, text with
three decimals, becomes Markdown, LaTeX and the page.
"""

from __future__ import annotations

import math

import pandas as pd

from galmorph.report import counts, tables, thesis
from galmorph.report.results import ConditionResults
from galmorph.report.table import METRICS, MISSING, SETS, Table, metric_label, number, pairs, plus_minus, whole
from galmorph.report.tables import Results
from galmorph.settings import Settings


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


def comparisons(results: Results, settings: Settings) -> Table:
    """The declared comparisons, on own test parts and on the common evaluation sets."""
    data = tables.comparisons(results, settings)
    shown = pd.DataFrame(
        {
            "Comparison": [f"{a} → {b}" for a, b in zip(data["first"], data["second"], strict=True)],
            "Metric": [METRICS[metric] for metric in data["metric"]],
            "Evaluated on": [SETS.get(where, where) for where in data["evaluated_on"]],
            "Phase": data["phase"],
            "First ± 2 std": pairs(data["first_mean"], 2 * data["first_std"]),
            "Second ± 2 std": pairs(data["second_mean"], 2 * data["second_std"]),
            "Second − first": [number(value, signed=True) for value in data["difference"]],
        }
    )
    caption = (
        "Conditions set side by side. On their own test parts two conditions may face different tasks; the common "
        "evaluation sets hold the same spirals and ellipticals for both. The differences are of means, and carry no "
        "claim of significance."
    )
    return Table("comparisons", caption, data, shown)


def comparison(results: Results, settings: Settings, name: str) -> Table:
    """One declared comparison, with the two conditions as columns."""
    data = tables.comparisons(results, settings)
    data = data[data["comparison"] == name].reset_index(drop=True)
    first, second = (thesis.label(condition) for condition in settings.comparisons[name].conditions)
    shown = pd.DataFrame(
        {
            "Metric": [METRICS[metric] for metric in data["metric"]],
            "Evaluated on": [SETS.get(where, where) for where in data["evaluated_on"]],
            "Runs": data["phase"],
            f"{first} ± 2 std": pairs(data["first_mean"], 2 * data["first_std"]),
            f"{second} ± 2 std": pairs(data["second_mean"], 2 * data["second_std"]),
            "Difference": [number(value, signed=True) for value in data["difference"]],
        }
    )
    caption = (
        f"{first[0].upper()}{first[1:]} and {second} side by side; the difference is the second mean less the first, "
        "with no claim of significance. On their own test parts the two may face different tasks; a common set holds "
        "the same spirals and ellipticals for both."
    )
    return Table(f"comparison_{name}", caption, data, shown)


def question_1(results: Results, settings: Settings) -> Table:
    """Accuracies on spirals and ellipticals alone."""
    data = tables.question_1(results, settings)
    shown = pd.DataFrame(
        {
            "Networks trained on": [thesis.label(name) for name in data["condition"]],
            "Metric": [metric_label(metric) for metric in data["metric"]],
            "Epoch": data["epoch"].map(str),
            "Spirals and ellipticals per test part": data["galaxies"].map(lambda value: number(value, 1)),
            "Mean ± 2 std": pairs(data["mean"], data["two_std"]),
            "± 2 std errors": [f"± {number(value)}" for value in data["two_ste"]],
        }
    )
    caption = (
        "Spirals against ellipticals only. Networks that also know the class uncertain are judged on the spirals and "
        "ellipticals of their test parts, their answer restricted to those two classes. Confirmed runs."
    )
    if thesis.TWO_CLASS_SMALL in results:
        caption += " The control is trained on the spirals and ellipticals alone that a draw of three classes has."
    return Table("question_1", caption, data, shown)


def recalls(results: Results) -> Table:
    """The fraction of each class that is predicted right."""
    data = counts.recalls(results)
    both = data.pivot(index=["condition", "class"], columns="phase", values=["mean", "std"])
    order = data.drop_duplicates(["condition", "class"]).set_index(["condition", "class"])
    both = both.loc[order.index]
    shown = pd.DataFrame(
        {
            "Condition": [thesis.label(name) for name, _ in order.index],
            "Class": [galaxy_class for _, galaxy_class in order.index],
            "Confirmed ± 2 std": pairs(both["mean", "confirmed"], 2 * both["std", "confirmed"]),
            "Selected ± 2 std": pairs(both["mean", "selected"], 2 * both["std", "selected"]),
            "Thesis, about": [number(value, 2) for value in order["thesis"]],
        }
    )
    caption = "Recall: the fraction of the test galaxies of each class that is predicted right, mean over the runs."
    return Table("recalls", caption, data, shown)


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
