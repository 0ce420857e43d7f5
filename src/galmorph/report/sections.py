"""The sections of the page that show results of the conditions, with their tables and figures."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

import pandas as pd

from galmorph.report import accuracy, comparisons, data, optimism, plots, presented, probabilities, thesis
from galmorph.report.figures.confusion import confusion_matrix
from galmorph.report.figures.curves import Quantity, learning_curve
from galmorph.report.figures.probabilities import roc_and_reliability
from galmorph.report.language import mark, say
from galmorph.report.page import Book, Picture, Section
from galmorph.report.predictions import predictions
from galmorph.report.study import OWN_TEST_PART, ConditionResults, Study
from galmorph.settings.study import Settings

_CURVES: Mapping[Quantity, str] = MappingProxyType(
    {
        "loss": mark("Loss against epoch, {condition}: {over}; the circle marks the selected epoch."),
        "accuracy": mark(
            "Accuracy against epoch, {condition}: {over}; the circle marks the selected epoch, the dotted line the "
            "majority baseline."
        ),
    }
)


def sections_of_results(book: Book, study: Study, fair: pd.DataFrame) -> list[Section]:
    """The tables of sections 4.2 and 4.3, what surrounds them, and each condition's curves and confusion matrix."""
    settings, results = study.settings, study.results
    forms = presented.tss_forms(results)
    shown = [
        data.conditions(settings),
        presented.table_4_1(results, settings.protocol),
        presented.class_scores(results),
    ]
    shown += [] if forms is None else [forms]
    sections = [
        Section("accuracy", say("Accuracy and selected epochs"), tables=tuple(book.table(table) for table in shown))
    ]
    if settings.protocol.validation_fraction is None:
        excess = optimism.optimism(study)
        sections.append(
            Section(
                "optimism",
                say("What choosing the epoch on the test data adds"),
                paragraphs=(optimism.sentence(excess),),
                tables=(book.table(optimism.table(excess)),),
            )
        )
    if "accuracy_restricted" in set(fair["metric"]):
        title = say("Uncertain labels, on the same task (section 4.2)")
        sections.append(Section("question-1", title, tables=(book.table(comparisons.restricted_table(fair)),)))
    balance = presented.section_4_3(results)
    if len(balance.data):
        shown = [book.table(balance)]
        mixed = comparisons.by_test_mix(study)
        if len(mixed):
            shown.append(book.table(comparisons.mix_table(mixed)))
        title = say("Imbalanced and balanced classes (section 4.3)")
        sections.append(Section("section-4-3", title, tables=tuple(shown)))
    sections += _probability_sections(book, study)
    sections.append(
        Section(
            "conditions",
            say("Condition by condition"),
            paragraphs=(
                say(
                    "Learning curves are those of the runs from which the epoch is selected; confusion matrices are "
                    "those of the confirmed runs, fresh draws stopped at that epoch."
                ),
            ),
        )
    )
    return sections + [_condition_section(book, result, settings) for result in results.values()]


def _probability_sections(book: Book, study: Study) -> list[Section]:
    """ROC and calibration of the conditions of two classes; none where there are none."""
    curves = probabilities.curve_tables(study)
    if curves is None:
        return []
    for table in curves:
        book.table(table)
    data = probabilities.scores(study)
    own = data[data["evaluated_on"] == OWN_TEST_PART]
    by_condition = {row["condition"]: row for row in own.to_dict("records")}
    pictures = []
    for name in probabilities.two_class(study.results):
        label, row = thesis.label(name), by_condition[name]
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
            condition=label,
        )
        pictures.append(book.picture(figure, Picture(f"probabilities_{name}", caption, results=True, wide=True)))
    return [
        Section(
            "probabilities",
            say("What the probabilities are worth"),
            tables=(book.table(probabilities.table(data)),),
            pictures=tuple(pictures),
        )
    ]


def _condition_section(book: Book, result: ConditionResults, settings: Settings) -> Section:
    """One condition: loss, accuracy, confusion matrix."""
    name, label, runs = result.name, thesis.label(result.name), settings.protocol.runs
    over = say("mean over {runs} runs and a band of ± 1 σ", runs=runs) if runs > 1 else say("one run")
    pictures = []
    for quantity in plots.QUANTITIES:
        baseline = accuracy.spread(result.selected.scores["baseline"])[0] if quantity == "accuracy" else None
        figure = learning_curve(
            result.selected.history,
            quantity,
            selected_epoch=result.epoch,
            baseline=baseline,
            title=thesis.title(name),
        )
        caption = say(_CURVES[quantity], condition=label, over=over)
        counterpart = thesis.condition_counterpart(name, quantity)
        pictures.append(book.picture(figure, Picture(f"{quantity}_{name}", caption, counterpart, results=True)))
    figure = confusion_matrix(result.confirmed.confusion, result.classes, thesis.title(name))
    spread = say("mean ± 1 σ over {runs} confirmed runs", runs=runs) if runs > 1 else say("one confirmed run")
    caption = say(
        "Confusion matrix, {condition}: galaxies per run, {spread}; colour and percentage are of the true class.",
        condition=label,
        spread=spread,
    )
    counterpart = thesis.condition_counterpart(name, "confusion")
    pictures.append(book.picture(figure, Picture(f"confusion_{name}", caption, counterpart, results=True)))
    return Section(
        f"condition-{name}",
        f"{thesis.title(name)} ({name})" if label != name else name,
        tables=(book.table(presented.confusion(result)),),
        pictures=tuple(pictures),
        part_of="conditions",
    )
