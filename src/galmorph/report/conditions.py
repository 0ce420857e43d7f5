"""The chapters of the page that show results of the conditions: their tables, figures and captions."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence

import pandas as pd

from galmorph.baselines import BASELINES
from galmorph.report import accuracy, comparisons, optimism, plots, probabilities, thesis
from galmorph.report.figures.results import Quantity, confusion_matrix, learning_curve, roc_and_reliability
from galmorph.report.language import capital, class_name, listed, mark, mix_name, phase_name, say, sentences
from galmorph.report.page import Book, Picture, Section
from galmorph.report.study import ConditionResults, Results, Study
from galmorph.report.table import BINOMIAL, MISSING, Table, metric_label, number, pairs, plus_minus, whole
from galmorph.scores.predictions import OWN_TEST_PART, predictions
from galmorph.settings.study import ProtocolSettings, Settings

_CURVES: Mapping[Quantity, str] = {
    "loss": mark("Loss against epoch, {condition}: {over}; the circle marks the selected epoch."),
    "accuracy": mark(
        "Accuracy against epoch, {condition}: {over}; the circle marks the selected epoch, the dotted line the "
        "majority baseline."
    ),
}
BASELINES_ARE = mark(
    "Magnitude and size, principal components, and shape are classifiers without a network, trained and tested on the "
    "galaxies of the confirmed runs: logistic regression on the magnitude and the half-light radius of a stamp, and on "
    "the principal components of its scaled pixels; and a support vector machine on concentration, asymmetry, Gini "
    "coefficient, M20 and elongation beside the first two."
)
_CLASS_SCORES = {"recall": mark("Recall ± std"), "precision": mark("Precision ± std"), "f1": mark("F1 ± std")}


def sections(book: Book, study: Study) -> list[Section]:
    """Write the tables of sections 4.2 and 4.3, what surrounds them, and each condition's curves and confusion matrix.

    Parameters
    ----------
    book
        Where tables and figures are written.
    study
        Settings, records and results of the declared conditions.
    """
    settings, results = study.settings, study.results
    tables = [
        declared(settings),
        table_4_1(results, settings.protocol),
        class_scores(results),
        *([] if (forms := tss_forms(results)) is None else [forms]),
    ]
    title = say("Accuracy and selected epochs")
    made = [Section("accuracy", title, tuple(thesis.doubts(results)), book.tables(*tables))]
    if settings.protocol.validation_fraction is None:
        excess = optimism.optimism(study)
        title = say("What choosing the epoch on the test data adds")
        table = book.tables(optimism.table(excess))
        made.append(Section("optimism", title, paragraphs=(optimism.sentence(excess),), tables=table))
    fair = comparisons.restricted_accuracies(study)
    if "accuracy_restricted" in set(fair["metric"]):
        title = say("Uncertain labels, on the same task (section 4.2)")
        made.append(Section("question-1", title, tables=book.tables(comparisons.restricted_table(fair))))
    balance = section_4_3(results)
    if len(balance.data):
        mixed = comparisons.by_test_mix(study)
        tables = [balance, *([comparisons.mix_table(mixed)] if len(mixed) else [])]
        title = say("Imbalanced and balanced classes (section 4.3)")
        made.append(Section("section-4-3", title, tables=book.tables(*tables)))
    if (curves := probabilities.curve_tables(study)) is not None:
        book.tables(*curves)
        made.append(_probability_section(book, study))
    text = say(
        "Learning curves are those of the runs from which the epoch is selected; confusion matrices are those of the "
        "confirmed runs, fresh draws stopped at that epoch."
    )
    made.append(Section("conditions", say("Condition by condition"), paragraphs=(text,)))
    return made + [_condition_section(book, result, settings) for result in results.values()]


def _probability_section(book: Book, study: Study) -> Section:
    """ROC and calibration of the conditions of two classes."""
    data = probabilities.scores(study)
    own = data[data["evaluated_on"] == OWN_TEST_PART].to_dict("records")
    pictures = []
    for row in own:
        name = row["condition"]
        figure = roc_and_reliability(
            predictions(study.records[name], "confirmed"),
            auc=(float(row["auc_mean"]), float(row["auc_std"])),
            error=float(row["ece"]),
            title=thesis.title(name),
        )
        caption = say(
            "ROC curve and reliability of the probability of a spiral, {condition}, confirmed runs on their own test "
            "parts. Left: mean over the runs. Right: how often galaxies are spirals, by the probability given for it; "
            "lines: ± 1 σ over the runs that have such galaxies; on the dotted diagonal the probabilities would be "
            "frequencies.",
            condition=thesis.label(name),
        )
        pictures.append(book.picture(figure, Picture(f"probabilities_{name}", caption, results=True)))
    title = say("What the probabilities are worth")
    table = book.tables(probabilities.table(data))
    return Section("probabilities", title, tables=table, pictures=tuple(pictures))


def _condition_section(book: Book, result: ConditionResults, settings: Settings) -> Section:
    """One condition: loss, accuracy, confusion matrix."""
    name, label, title, runs = result.name, thesis.label(result.name), thesis.title(result.name), settings.protocol.runs
    over = say("mean over {runs} runs and a band of ± 1 σ", runs=runs) if runs > 1 else say("one run")
    pictures = []
    for quantity in plots.QUANTITIES:
        figure = learning_curve(
            result.selected.history,
            quantity,
            selected_epoch=result.epoch,
            baseline=accuracy.spread(result.selected.scores["baseline"])[0] if quantity == "accuracy" else None,
            title=title,
        )
        caption = say(_CURVES[quantity], condition=label, over=over)
        counterpart = thesis.condition_counterpart(name, quantity)
        pictures.append(book.picture(figure, Picture(f"{quantity}_{name}", caption, counterpart, results=True)))
    spread = say("mean ± 1 σ over {runs} confirmed runs", runs=runs) if runs > 1 else say("one confirmed run")
    caption = say(
        "Confusion matrix, {condition}: galaxies per run, {spread}; colour and percentage are of the true class.",
        condition=label,
        spread=spread,
    )
    figure = confusion_matrix(result.confirmed.confusion, result.classes, title)
    counterpart = thesis.condition_counterpart(name, "confusion")
    pictures.append(book.picture(figure, Picture(f"confusion_{name}", caption, counterpart, results=True)))
    return Section(
        f"condition-{name}",
        f"{title} ({name})" if label != name else name,
        tables=book.tables(confusion(result)),
        pictures=tuple(pictures),
        part_of="conditions",
    )


def declared(settings: Settings) -> Table:
    """What each condition draws."""
    conditions = settings.conditions
    data = pd.DataFrame(
        {
            "condition": name,
            "classes": ", ".join(condition.classes),
            "drawn_among": ", ".join(condition.drawn_among),
            "mix": condition.mix if isinstance(condition.mix, str) else json.dumps(condition.mix),
            "draw": condition.draw,
        }
        for name, condition in conditions.items()
    )
    shown = pd.DataFrame(
        {
            say("Condition"): [thesis.label(name) for name in conditions],
            say("Name"): list(conditions),
            say("Classes"): [_classes(condition.classes) for condition in conditions.values()],
            say("Drawn among"): [_classes(condition.drawn_among) for condition in conditions.values()],
            say("Mix"): [mix_name(condition.mix) for condition in conditions.values()],
            say("Galaxies drawn"): data["draw"].map(whole),
        }
    )
    caption = say(
        "The conditions. A run draws so many galaxies among the classes named, as they come (natural), as many of each "
        "(balanced), or so many of each as it says, and keeps those of the condition's classes."
    )
    return Table("conditions", caption, data, shown, results=False)


def _classes(names: Sequence[str]) -> str:
    return listed(class_name(name) for name in names)


def summary(study: Study) -> Table:
    """Every condition, metric and phase: mean, standard deviation, that of chance alone, and standard error."""
    data = accuracy.summary(study)
    shown = pd.DataFrame(
        {
            say("Condition"): data["condition"],
            say("Metric"): data["metric"].map(metric_label),
            say("Phase"): data["phase"].map(phase_name),
            say("Epoch"): data["epoch"].map(whole),
            say("Runs"): data["runs"].map(str),
            say("Mean"): data["mean"].map(number),
            say("Std"): data["std"].map(number),
            say("Binomial std"): data["binomial"].map(number),
            say("Std error"): data["ste"].map(lambda value: number(value, 4)),
        }
    )
    caption = say(
        "Every metric of every condition, over the runs: mean, standard deviation (ddof = 1), the standard deviation "
        "that the number of test galaxies alone gives (binomial), and standard error."
    )
    return Table("summary", caption, data, shown)


def table_4_1(results: Results, protocol: ProtocolSettings) -> Table:
    """Accuracy and selected epoch of each condition, beside the thesis's."""
    data = accuracy.table_4_1(results)
    shown = pd.DataFrame(
        {
            say("Condition"): data["condition"].map(thesis.label),
            say("Accuracy ± 2 std"): pairs(data["accuracy"], data["two_std"], data["two_binomial"]),
            say("± 2 std errors"): [f"± {number(value)}" for value in data["two_ste"]],
            say("Selected epoch"): data["epoch"].map(str),
            say("Majority baseline"): data["baseline"].map(number),
            say("Confirmed accuracy ± 2 std"): pairs(
                data["confirmed_accuracy"], data["confirmed_two_std"], data["confirmed_two_binomial"]
            ),
            say("± 2 std errors, confirmed"): [f"± {number(value)}" for value in data["confirmed_two_ste"]],
            **{
                say("{baseline} ± 2 std", baseline=capital(phase_name(name))): pairs(
                    data[f"{name}_accuracy"], data[f"{name}_two_std"], data[f"{name}_two_binomial"]
                )
                for name in BASELINES
                if f"{name}_accuracy" in data
            },
            say("Thesis ± 2 std"): pairs(data["thesis_accuracy"], data["thesis_two_std"], data["thesis_two_binomial"]),
            say("Thesis ± 2 std errors"): [
                MISSING if math.isnan(value) else f"± {number(value)}" for value in data["thesis_two_ste"]
            ],
            say("Thesis, from its recalls"): data["thesis_implied"].map(number),
            say("Thesis epoch"): data["thesis_epoch"].map(whole),
        }
    )
    known = [say(BASELINES_ARE)] if any(result.baselines for result in results.values()) else []
    as_there = say(
        "Spreads are two standard deviations and two standard errors over the runs, as the thesis prints them; all "
        "others of this report are one standard deviation."
    )
    return Table("table_4_1", sentences([optimism.how_chosen(protocol), as_there, *known, say(BINOMIAL)]), data, shown)


def section_4_3(results: Results) -> Table:
    """Accuracy and TSS, imbalanced and balanced."""
    data = accuracy.section_4_3(results)
    shown = pd.DataFrame(
        {
            say("Drawn"): data["drawn"].map(mix_name),
            say("Phase"): data["phase"].map(phase_name),
            say("Epoch"): data["epoch"].map(whole),
            say("Accuracy ± std"): pairs(data["accuracy"], data["accuracy_std"], data["accuracy_binomial"]),
            say("TSS ± std"): pairs(data["tss"], data["tss_std"], data["tss_binomial"]),
            say("Majority baseline"): data["baseline"].map(number),
        }
    )
    caption = say(
        "Two classes drawn as they come (imbalanced) and as many of each (balanced), each on its own test parts. The "
        "two kinds of test part differ in their mix of classes, so their accuracies are not of the same task."
    )
    known = [say(BASELINES_ARE)] if any(result.baselines for result in results.values()) else []
    return Table("section_4_3", sentences([caption, *known, say(BINOMIAL)]), data, shown)


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
    return Table("class_scores", sentences([caption, say(BINOMIAL)]), data, shown)


def _over_known_runs(data: pd.DataFrame, score: str) -> list[str]:
    """Return mean ± std, with the number of runs where it is not all of them."""
    binomial = data.get(f"{score}_binomial")
    texts = pairs(data[f"{score}_mean"], data[f"{score}_std"], binomial)
    return [
        text if known in (0, runs) else say("{score} ({runs} runs)", score=text, runs=known)
        for text, known, runs in zip(texts, data[f"{score}_runs"], data["runs"], strict=True)
    ]


def tss_forms(results: Results) -> Table | None:
    """The three forms of TSS for more than two classes; None where no condition has more."""
    data = accuracy.tss_forms(results)
    if data.empty:
        return None
    confirmed, selected = (data[data["phase"] == phase].reset_index(drop=True) for phase in ("confirmed", "selected"))
    shown = pd.DataFrame(
        {
            say("Condition"): confirmed["condition"].map(thesis.label),
            say("Form of TSS"): [say(accuracy.TSS_FORMS[form]) for form in confirmed["form"]],
            say("Confirmed ± std"): pairs(confirmed["mean"], confirmed["std"], confirmed["binomial"]),
            say("Selected ± std"): pairs(selected["mean"], selected["std"], selected["binomial"]),
        }
    )
    caption = say(
        "The True Skill Statistic of more than two classes has several forms, which are the same for two. This report "
        "prints the first wherever it says TSS: it alone does not depend on the class fractions of the test part."
    )
    return Table("tss_forms", sentences([caption, say(BINOMIAL)]), data, shown)


def confusion(result: ConditionResults) -> Table:
    """The confusion matrix of one condition's confirmed runs; the CSV has both phases."""
    data = accuracy.confusion_cells(result)
    cells = {
        (row["actual"], row["predicted"]): plus_minus(row["mean"], row["std"], 1, binomial=row["binomial"])
        for row in data[data["phase"] == "confirmed"].to_dict("records")
    }
    classes = result.classes
    shown = pd.DataFrame(
        {say("True \\ predicted"): [class_name(actual) for actual in classes]}
        | {class_name(predicted): [cells[actual, predicted] for actual in classes] for predicted in classes}
    )
    caption = say(
        "Confusion matrix of the condition {condition}: galaxies per run, mean ± 1 std over the confirmed runs (epoch "
        "{epoch}); rows true, columns predicted.",
        condition=result.name,
        epoch=result.epoch,
    )
    return Table(f"confusion_{result.name}", sentences([caption, say(BINOMIAL)]), data, shown)
