"""Tables as a reader sees them: the numbers of `tables` and `counts`, formatted, with headings and captions.

Each function returns a `Table` that carries both: `data`, at full precision, becomes the CSV; `shown`, text with
three decimals, becomes Markdown, LaTeX and the page.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import pandas as pd

from galmorph.report import counts, tables, thesis
from galmorph.report.results import ConditionResults
from galmorph.report.tables import Results
from galmorph.settings import Settings

MISSING = "—"
METRICS = {"accuracy": "accuracy", "tss": "TSS", "baseline": "baseline", "accuracy_restricted": "accuracy, restricted"}
SETS = {"common_natural": "common set, natural mix", "common_balanced": "common set, balanced"}


@dataclass(frozen=True)
class Table:
    """A table of the report.

    Attributes
    ----------
    name
        The file name without its ending.
    caption
        What it shows, as a sentence or more; the thesis's number for it, where it has one, is added by `counterpart`.
    data
        Full precision, one column per quantity.
    shown
        Text, with headings for a reader.
    results
        Whether it shows results of training, so that a simulated survey must be named beside it.
    """

    name: str
    caption: str
    data: pd.DataFrame
    shown: pd.DataFrame
    results: bool = True

    @property
    def counterpart(self) -> str | None:
        """What it corresponds to in the thesis."""
        return thesis.COUNTERPARTS.get(self.name)


def number(value: float, decimals: int = 3, *, signed: bool = False) -> str:
    """Return a number with a true minus sign, or a dash where there is none; a rounded zero has no sign."""
    if pd.isna(value):
        return MISSING
    text = f"{value:{'+' if signed else ''}.{decimals}f}"
    if float(text) == 0:
        text = text.lstrip("+-")
    return text.replace("-", "−")


def plus_minus(value: float, spread: float, decimals: int = 3) -> str:
    """Return value ± spread; a dash for what is missing."""
    return MISSING if pd.isna(value) else f"{number(value, decimals)} ± {number(spread, decimals)}"


def metric_label(metric: str) -> str:
    """Return a metric's name for a reader: "TSS, common set, balanced" for "tss@common_balanced"."""
    base, _, where = metric.partition("@")
    text = METRICS.get(base, base)
    return f"{text}, {SETS.get(where, where)}" if where else text


def _whole(value: float) -> str:
    return MISSING if pd.isna(value) else f"{value:,.0f}"


def _pairs(values: Iterable[float], spreads: Iterable[float]) -> list[str]:
    return [plus_minus(value, spread) for value, spread in zip(values, spreads, strict=True)]


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


def conditions(settings: Settings) -> Table:
    """What each condition draws."""
    rows = [
        {
            "condition": name,
            "classes": ", ".join(condition.classes),
            "drawn_among": ", ".join(condition.drawn_among),
            "mix": condition.mix,
            "size": condition.size,
        }
        for name, condition in settings.conditions.items()
    ]
    data = pd.DataFrame(rows)
    shown = pd.DataFrame(
        {
            "Condition": [f"{thesis.label(name)}" for name in data["condition"]],
            "Name": data["condition"],
            "Classes": data["classes"],
            "Drawn among": data["drawn_among"],
            "Mix": data["mix"],
            "Galaxies drawn": data["size"].map(_whole),
        }
    )
    caption = (
        "The conditions. A run draws so many galaxies among the classes named, as they come (natural) or as many of "
        "each (balanced), and keeps those of the condition's classes."
    )
    return Table("conditions", caption, data, shown, results=False)


def table_4_1(results: Results) -> Table:
    """Accuracy and selected epoch of each condition, beside the thesis's."""
    data = tables.table_4_1(results)
    shown = pd.DataFrame(
        {
            "Condition": [thesis.label(name) for name in data["condition"]],
            "Accuracy ± 2 std": _pairs(data["accuracy"], data["two_std"]),
            "± 2 std errors": [f"± {number(value)}" for value in data["two_ste"]],
            "Selected epoch": data["epoch"].map(str),
            "Majority baseline": data["baseline"].map(number),
            "Confirmed accuracy ± 2 std": _pairs(data["confirmed_accuracy"], data["confirmed_two_std"]),
            "± 2 std errors, confirmed": [f"± {number(value)}" for value in data["confirmed_two_ste"]],
            "Thesis ± 2 std": _pairs(data["thesis_accuracy"], data["thesis_two_std"]),
            "Thesis ± 2 std errors": [
                MISSING if math.isnan(value) else f"± {number(value)}" for value in data["thesis_two_ste"]
            ],
            "Thesis epoch": data["thesis_epoch"].map(_whole),
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
            "Accuracy ± 2 std": _pairs(data["accuracy"], data["accuracy_two_std"]),
            "± 2 std errors": [f"± {number(value)}" for value in data["accuracy_two_ste"]],
            "TSS ± 2 std": _pairs(data["tss"], data["tss_two_std"]),
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
            "First ± 2 std": _pairs(data["first_mean"], 2 * data["first_std"]),
            "Second ± 2 std": _pairs(data["second_mean"], 2 * data["second_std"]),
            "Second − first": [number(value, signed=True) for value in data["difference"]],
        }
    )
    caption = (
        "Conditions set side by side. On their own test parts two conditions may face different tasks; the common "
        "evaluation sets hold the same spirals and ellipticals for both. The differences are of means, and carry no "
        "claim of significance."
    )
    return Table("comparisons", caption, data, shown)


def question_1(results: Results, settings: Settings) -> Table:
    """Accuracies on spirals and ellipticals alone."""
    data = tables.question_1(results, settings)
    shown = pd.DataFrame(
        {
            "Networks trained on": [thesis.label(name) for name in data["condition"]],
            "Metric": [metric_label(metric) for metric in data["metric"]],
            "Epoch": data["epoch"].map(str),
            "Spirals and ellipticals per test part": data["galaxies"].map(lambda value: number(value, 1)),
            "Mean ± 2 std": _pairs(data["mean"], data["two_std"]),
            "± 2 std errors": [f"± {number(value)}" for value in data["two_ste"]],
        }
    )
    caption = (
        "Spirals against ellipticals only. Networks that also know the class uncertain are judged on the spirals and "
        "ellipticals of their test parts, their answer restricted to those two classes; the control is trained on as "
        "many spirals and ellipticals as they are. Confirmed runs."
    )
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
            "Confirmed ± 2 std": _pairs(both["mean", "confirmed"], 2 * both["std", "confirmed"]),
            "Selected ± 2 std": _pairs(both["mean", "selected"], 2 * both["std", "selected"]),
            "Thesis, about": [number(value, 2) for value in order["thesis"]],
        }
    )
    caption = "Recall: the fraction of the test galaxies of each class that is predicted right, mean over the runs."
    return Table("recalls", caption, data, shown)


def confusion(result: ConditionResults) -> Table:
    """The confusion matrix of one condition's confirmed runs; the CSV has both phases."""
    data = counts.confusion_cells(result)
    cells = data[data["phase"] == "confirmed"].set_index(["actual", "predicted"])
    shown = pd.DataFrame(
        {
            "True \\ predicted": list(result.classes),
            **{
                predicted: [
                    plus_minus(cells.loc[(actual, predicted), "mean"], cells.loc[(actual, predicted), "std"], 1)
                    for actual in result.classes
                ]
                for predicted in result.classes
            },
        }
    )
    caption = (
        f"Confusion matrix of the condition {result.name}: galaxies per run, mean ± 1 std over the confirmed runs "
        f"(epoch {result.epoch}); rows true, columns predicted."
    )
    return Table(f"confusion_{result.name}", caption, data, shown)


def class_counts(galaxies: pd.DataFrame) -> Table:
    """The classes of the sample beside the thesis's."""
    data = counts.class_counts(galaxies)
    shown = pd.DataFrame(
        {
            "Class": data["class"],
            "Galaxies": data["galaxies"].map(_whole),
            "Fraction": data["fraction"].map(number),
            "Thesis": data["thesis_galaxies"].map(_whole),
            "Thesis, fraction": data["thesis_fraction"].map(number),
        }
    )
    caption = f"Classes of the {len(galaxies):,} galaxies of the sample, and of the thesis's."
    return Table("class_counts", caption, data, shown, results=False)


def filters() -> Table:
    """The SDSS filters."""
    data = counts.filter_table()
    shown = pd.DataFrame(
        {
            "Filter": data["band"],
            "Mean wavelength (Å)": data["wavelength"].map(_whole),
            "Depth (mag)": data["depth"].map(lambda value: number(value, 1)),
            "Effective wavelength of the curve drawn (Å)": data["effective_wavelength"].map(_whole),
        }
    )
    caption = (
        "The five SDSS filters. Mean wavelength and depth as the thesis prints them; the last column is computed from "
        "the throughput curves shown here."
    )
    return Table("filters", caption, data, shown, results=False)


def table2_row(row: Mapping[str, object]) -> Table:
    """A row of Galaxy Zoo 1's Table 2."""
    data = counts.table2_row(row)
    shown = data.rename(columns={"column": "Column", "value": "Value"})
    caption = "A row of the catalogue, in the form of Galaxy Zoo 1's Table 2."
    return Table("table2_row", caption, data, shown, results=False)
