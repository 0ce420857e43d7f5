"""Series: scores of conditions along an axis, one line for conditions that differ in nothing but the axis."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pandas as pd
from matplotlib.figure import Figure

from galmorph.baselines import BASELINES
from galmorph.report import thesis
from galmorph.report.comparisons import BESIDE, scores_of, trained_on
from galmorph.report.figures import style
from galmorph.report.language import capital, joined, mark, mix_name, phase_name, say, sentences
from galmorph.report.page import Book, Picture, Section
from galmorph.report.study import Study
from galmorph.report.table import Table, metric_label, number, pairs, whole
from galmorph.scores.predictions import predictions
from galmorph.scores.statistics import Metric, corrected_mean, score_overlap
from galmorph.settings.study import TRAINING_GALAXIES, SeriesSettings, Settings

METRICS: tuple[Metric, ...] = ("accuracy", "tss")
# The galaxies are of the catalogue's mix, and the same for conditions of whatever classes.
EVALUATED_ON = "common_natural"
_AXES = {
    TRAINING_GALAXIES: mark("spirals and ellipticals that a run trains on"),
    "draw": mark("galaxies drawn"),
    "network.dropout": mark("dropout"),
    "training.epochs": mark("epochs"),
    "training.batch_size": mark("batch size"),
    "training.learning_rate": mark("learning rate"),
}


def lines(settings: Settings, series: SeriesSettings) -> dict[str, list[str]]:
    """Return the conditions of each line of a series, by what sets the line apart from the others.

    Conditions of one line differ in nothing but the axis. Along training galaxies the draw, a mix given in numbers and
    the number of epochs may differ: few galaxies need more epochs for the same number of updates.
    """
    axis = ("draw", "training.epochs") if series.x == TRAINING_GALAXIES else (series.x,)
    grouped: dict[str, list[str]] = {}
    rest = {}
    for name in series.conditions:
        settled = settings.decisive(name)
        if series.x == TRAINING_GALAXIES and isinstance(settled["mix"], dict):
            settled["mix"] = "numbers"
        rest[name] = {key: value for key, value in settled.items() if key not in axis}
    keys = [key for key in rest[series.conditions[0]] if len({repr(one[key]) for one in rest.values()}) > 1]
    for name in series.conditions:
        label = joined(_value(settings, name, key) for key in keys)
        grouped.setdefault(label, []).append(name)
    return grouped


def _value(settings: Settings, condition: str, key: str) -> str:
    """Return a setting of a condition as the label of a line has it."""
    block = settings.conditions[condition]
    if key in ("classes", "drawn_among"):
        count = len(getattr(block, key))
        words = {"classes": mark("{count} classes"), "drawn_among": mark("drawn among {count} classes")}
        return say(words[key], count=count)
    if key == "mix":
        return mix_name(block.mix) if isinstance(block.mix, str) else say("numbers of each class given")
    return f"{key} {settings.decisive(condition)[key]}"


def points(study: Study, name: str) -> pd.DataFrame:
    """Return the scores of each condition of a series.

    Returns
    -------
    pandas.DataFrame
        line, condition, x, runs; accuracy and tss of the confirmed networks on the common evaluation set of the natural
        mix, each with _mean and all else of `comparisons.scores_of`, and with _half, half of the 95 % interval of the
        mean, corrected for the galaxies that runs share.
    """
    series, settings = study.settings.series[name], study.settings
    rows = []
    for line, conditions in lines(settings, series).items():
        for condition in conditions:
            x = (
                trained_on(study, condition)
                if series.x == TRAINING_GALAXIES
                else float(settings.decisive(condition)[series.x])
            )
            scores = study.results[condition].confirmed.scores
            row: dict[str, Any] = {"line": line, "condition": condition, "x": x, "runs": len(scores)}
            tested = predictions(study.records[condition], "confirmed", EVALUATED_ON)
            for metric in METRICS:
                column = f"{metric}@{EVALUATED_ON}"
                found = scores_of(study, condition, column, EVALUATED_ON)
                row |= {f"{metric}_{score}": value for score, value in found.items()}
                values = scores[column].to_numpy()
                row[f"{metric}_half"] = corrected_mean(values, score_overlap(metric, tested)).half_width()
            rows.append(row)
    ordered = [part.sort_values("x", kind="stable") for _, part in pd.DataFrame(rows).groupby("line", sort=False)]
    return pd.concat(ordered, ignore_index=True)


def sections(book: Book, study: Study) -> list[Section]:
    """Write the table and the figure of each series."""
    made = []
    for name, series in study.settings.series.items():
        data, axis = points(study, name), say(_AXES[series.x])
        title = name.replace("_", " ")
        table = _table(study, name, data, axis)
        picture = Picture(f"series_{name}", _what_is_drawn(study, name, data, axis), results=True)
        pictures = (book.picture(curves(data, axis, logarithmic=series.x != "network.dropout"), picture),)
        made.append(
            Section(f"series-{name}", say("Series: {name}", name=title), tables=book.tables(table), pictures=pictures)
        )
    return made


def _what_is_drawn(study: Study, name: str, data: pd.DataFrame, axis: str) -> str:
    what = [
        say(
            "Accuracy and TSS against {axis}: confirmed networks on the common evaluation set of the natural mix, the "
            "same galaxies for all conditions in runs of the same number; bars are 95 % intervals of the mean, "
            "corrected for the galaxies that runs share.",
            axis=axis,
        )
    ]
    series = study.settings.series[name]
    epochs = {study.settings.training_of(condition).epochs for condition in series.conditions}
    if len(epochs) > 1 and series.x != "training.epochs":
        few, many = min(epochs), max(epochs)
        what.append(say("The number of epochs to select from differs: {few} to {many}.", few=few, many=many))
    names = [line for line in data["line"].unique() if line]
    if len(names) > 1:
        what.append(say("The lines differ in more than that: {lines}.", lines="; ".join(names)))
    return sentences(what)


def _table(study: Study, name: str, data: pd.DataFrame, axis: str) -> Table:
    written = whole if study.settings.series[name].x == TRAINING_GALAXIES else "{:g}".format
    shown = {
        say("Condition"): [thesis.label(condition) for condition in data["condition"]],
        say("Line"): data["line"].tolist(),
        capital(axis): data["x"].map(written).tolist(),
        say("Runs"): data["runs"].map(str).tolist(),
    }
    if data["line"].nunique() < 2:
        del shown[say("Line")]
    for metric in METRICS:
        label = metric_label(metric)
        shown[say("{metric} ± std", metric=capital(label))] = pairs(data[f"{metric}_mean"], data[f"{metric}_std"])
        shown[say("{metric}, half of its 95 % interval", metric=label)] = data[f"{metric}_half"].map(number).tolist()
    shown[say("Majority baseline")] = data["accuracy_baseline"].map(number).tolist()
    for baseline in BASELINES:
        heading = say("{baseline}, accuracy ± std", baseline=capital(phase_name(baseline)))
        shown[heading] = pairs(data[f"accuracy_{baseline}_mean"], data[f"accuracy_{baseline}_std"])
    caption = sentences([_what_is_drawn(study, name, data, axis), say(BESIDE)])
    return Table(f"series_{name}", caption, data, pd.DataFrame(shown))


@style.house()
def curves(data: pd.DataFrame, axis: str, *, logarithmic: bool) -> Figure:
    """Draw both scores against x, with intervals; a line for each line of the series.

    Parameters
    ----------
    data
        From `points`.
    axis
        What x is called.
    logarithmic
        Whether steps in x are ratios.
    """
    figure = style.new_figure(2 * style.HALF, 3.6)
    panels: Sequence[Any] = figure.subplots(1, len(METRICS))
    for metric, axes in zip(METRICS, panels, strict=True):
        for number_of_line, (line, part) in enumerate(data.groupby("line", sort=False)):
            axes.errorbar(
                part["x"],
                part[f"{metric}_mean"],
                yerr=part[f"{metric}_half"].fillna(0.0),
                marker="osD^v"[number_of_line % 5],
                markersize=4,
                capsize=2,
                label=line or None,
            )
        if logarithmic:
            axes.set_xscale("log")
        label = metric_label(metric)
        axes.set_ylabel(capital(label))
        axes.set_xlabel(axis)
    if data["line"].nunique() > 1:
        panels[0].legend(loc="lower right")
    return figure
