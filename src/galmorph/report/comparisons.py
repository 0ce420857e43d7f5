"""Conditions compared: the declared comparisons, question 1 on one task, and both mixes of section 4.3.

Each difference has its intervals, and its p value unless something stands against a test (`obstacle`); formulae and
sources: docs/statistics.md.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import pandas as pd

from galmorph.baselines import BASELINES
from galmorph.report import thesis
from galmorph.report.accuracy import metric_order, spread
from galmorph.report.language import capital, mark, phase_name, say, sentences, set_name
from galmorph.report.study import ConditionResults, Results, Study
from galmorph.report.table import (
    BINOMIAL,
    METRICS,
    Table,
    interval,
    metric_label,
    number,
    p_value,
    pairs,
)
from galmorph.scores import metrics
from galmorph.scores.predictions import OWN_TEST_PART, RESTRICTED, Predictions, predictions, same_galaxies
from galmorph.scores.statistics import (
    Metric,
    binomial_std,
    corrected_mean,
    difference_interval,
    holm,
    naive_half_width,
    score_overlap,
    unpaired_difference,
)
from galmorph.settings.study import ComparisonSettings, Settings
from galmorph.training.protocol import COMMON_SETS, EVALUATION_CLASSES, PHASES, generator

_SPREADS = ("mean", "std", "binomial")
SCORES = (*_SPREADS, "baseline", *(f"{name}_{part}" for name in BASELINES for part in _SPREADS))  # from `scores_of`
COLUMNS = (
    *("comparison", "metric", "evaluated_on", "phase", "first", "second", "runs"),
    *(f"{side}_{score}" for side in ("first", "second") for score in SCORES),
    *("difference",),
    *("obstacle", "paired", "overlap_first", "overlap_second", "half", "freedom", "naive_half"),
    *("bootstrap_low", "bootstrap_high", "p", "p_holm"),
)
# Section 4.3: trained on imbalanced and on balanced draws.
PAIR = (thesis.TWO_CLASS, thesis.BALANCED)
DIFFERENCE = mark(
    "The difference is the second mean less the first, its interval corrected for the galaxies that the runs share; no "
    "p value is given where the test parts are not the same task, or the conditions differ in more than one setting."
)
BESIDE = mark(
    "Beside the networks stand baselines, trained and tested on the same galaxies: always answering the commonest "
    "class, and three classifiers without a network (docs/protocol.md)."
)
TWO_NUMBERS = mark("Each baseline has two numbers, one for each of the two columns of networks.")
# Why a difference is not tested.
OTHER_TASK, CONFOUNDED = "other task", "confounded"


def compare(study: Study) -> pd.DataFrame:
    """Return each declared comparison, on the conditions' own test parts and on the common evaluation sets.

    Where one of two conditions knows a class that the other does not, the accuracy is also compared on the spirals and
    ellipticals of the own test parts, the prediction restricted to those (`RESTRICTED`).

    Returns
    -------
    pandas.DataFrame
        comparison, metric, evaluated_on, phase, first, second, runs; first_mean and all else of `scores_of`, and so
        for the second; difference (second_mean - first_mean). Then, of the confirmed phase alone, whose numbers are
        not chosen on themselves:
        obstacle (from `obstacle`), paired (runs of the same number were tested on the same galaxies), overlap_first,
        overlap_second (of a run's test galaxies with another's, from `score_overlap`), half (of the corrected 95 %
        interval), freedom, naive_half (two standard errors, as the thesis prints them), bootstrap_low, bootstrap_high
        (galaxies drawn anew), p (missing where there is an obstacle), and p_holm: adjusted for all the p values of the
        table.
    """
    rows = []
    for name, comparison in study.settings.comparisons.items():
        for metric in comparison.metrics:
            for phase in PHASES:
                for evaluated_on, columns in _shared(study.results, comparison, metric, phase):
                    row: dict[str, Any] = {"comparison": name, "metric": metric}
                    row |= {"evaluated_on": evaluated_on, "phase": phase}
                    row |= _means(study, comparison.conditions, columns, evaluated_on, phase)
                    if phase == "confirmed":
                        row |= contrast(study, comparison.conditions, columns, evaluated_on)
                        row |= _bootstrap(study, comparison.conditions, metric, evaluated_on)
                        row["obstacle"] = obstacle(study.settings, comparison.conditions, metric, evaluated_on)
                        if row["obstacle"]:
                            row["p"] = math.nan
                    rows.append(row)
    data = pd.DataFrame(rows, columns=list(COLUMNS))
    data["p_holm"] = holm(data["p"].to_numpy(dtype=float, na_value=math.nan))
    return data


def differing(settings: Settings, conditions: tuple[str, str]) -> tuple[str, ...]:
    """Return the settings in which two conditions differ: classes, drawn_among, mix, draw, training.epochs, ..."""
    first, second = (settings.decisive(name) for name in conditions)
    return tuple(key for key, value in first.items() if value != second[key])


def obstacle(settings: Settings, conditions: tuple[str, str], metric: str, evaluated_on: str) -> str | None:
    """Return why a difference of two conditions is not tested, None where it is.

    `OTHER_TASK`: own test parts must have the same classes, and for the accuracy, which depends on it, the same mix of
    them; the common sets are the same task for all. `CONFOUNDED`: conditions that differ in more than one setting, as
    three classes and two do in the classes and in the number of spirals and ellipticals that a draw has.
    """
    first, second = (settings.conditions[name] for name in conditions)
    same_classes = evaluated_on != OWN_TEST_PART or set(first.classes) == set(second.classes)
    same_mix = metric == "tss" or first.mix == second.mix
    if evaluated_on not in COMMON_SETS and not (same_classes and same_mix):
        return OTHER_TASK
    return CONFOUNDED if len(differing(settings, conditions)) > 1 else None


def trained_on(study: Study, condition: str) -> float:
    """Return the spirals and ellipticals that a run trains on, mean over the runs: in proportion to its test part."""
    result, protocol = study.results[condition], study.settings.protocol
    known = [result.classes.index(name) for name in EVALUATION_CLASSES if name in result.classes]
    tested = float(result.confirmed.confusion[:, known].sum(axis=(1, 2)).mean())
    share = protocol.train_fraction / (1 - protocol.train_fraction) * (1 - (protocol.validation_fraction or 0))
    return tested * share


def restricted_score(result: ConditionResults) -> str | None:
    """Return which score of a condition is its accuracy on spirals and ellipticals alone; None where it has none."""
    if not set(EVALUATION_CLASSES) <= set(result.classes):
        return None
    return "accuracy" if len(result.classes) == len(EVALUATION_CLASSES) else "accuracy_restricted"


def _shared(
    results: Results, comparison: ComparisonSettings, metric: Metric, phase: str
) -> Iterator[tuple[str, tuple[str, str]]]:
    """Yield where both conditions have a metric, and under which names their scores have it."""
    first, second = (results[name].phases[phase].scores for name in comparison.conditions)
    for column in metric_order(first):
        base, _, where = column.partition("@")
        if base == metric and column in second:
            yield where or OWN_TEST_PART, (column, column)
            fair = [restricted_score(results[name]) for name in comparison.conditions]
            if column == "accuracy" and phase == "confirmed" and None not in fair and fair != ["accuracy", "accuracy"]:
                yield RESTRICTED, (str(fair[0]), str(fair[1]))


def _means(
    study: Study, conditions: tuple[str, str], columns: tuple[str, str], evaluated_on: str, phase: str
) -> dict[str, Any]:
    row: dict[str, Any] = {}
    for side, name, column in zip(("first", "second"), conditions, columns, strict=True):
        row |= {side: name, "runs": len(study.results[name].phases[phase].scores)}
        found = scores_of(study, name, column, evaluated_on, phase)
        row |= {f"{side}_{score}": value for score, value in found.items()}
    return row | {"difference": row["second_mean"] - row["first_mean"]}


def scores_of(
    study: Study, condition: str, column: str, evaluated_on: str, phase: str = "confirmed"
) -> dict[str, float]:
    """Return a score of the networks of a condition, and of what stands beside them.

    Parameters
    ----------
    column
        The name of the score in the phase's scores.
    evaluated_on
        As in `galmorph.scores.predictions.predictions`.

    Returns
    -------
    mean, std, binomial (the standard deviation that the number of test galaxies alone gives); baseline, the mean score
    of always answering the commonest class; of the confirmed phase, on whose galaxies they are scored, the same three
    of each baseline of `galmorph.baselines`: pca_mean, ...
    """
    result, metric = study.results[condition], _metric(column)
    row: dict[str, float] = {}
    for name in (phase, *(result.baselines if phase == "confirmed" else ())):
        matrices = predictions(study.records[condition], name, evaluated_on).confusion()
        mean, std, _ = spread(result.with_baselines[name].scores[column])
        numbers = dict(zip(_SPREADS, (mean, std, binomial_std(matrices, metric)), strict=True))
        if name == phase:
            # A single answer for all galaxies has a TSS of 0.
            row = numbers | {"baseline": float(metrics.baseline(matrices).mean()) if metric == "accuracy" else 0.0}
        else:
            row |= {f"{name}_{part}": value for part, value in numbers.items()}
    return row


def _metric(column: str) -> Metric:
    """Return of which metric a score is: accuracy of "accuracy_restricted", tss of "tss@common_natural"."""
    return "tss" if column.partition("@")[0] == "tss" else "accuracy"


def _predictions(study: Study, conditions: tuple[str, str], evaluated_on: str) -> list[Predictions]:
    return [predictions(study.records[name], "confirmed", evaluated_on) for name in conditions]


def contrast(study: Study, conditions: tuple[str, str], columns: tuple[str, str], evaluated_on: str) -> dict[str, Any]:
    """Return the corrected and the naive interval of the difference of two conditions in one score, and its p value.

    Parameters
    ----------
    conditions, columns
        The first and the second, and the name of the score in each one's confirmed scores.
    evaluated_on
        As in `galmorph.scores.predictions.predictions`.
    """
    first, second = _predictions(study, conditions, evaluated_on)
    one, two = (study.results[name].confirmed.scores[column] for name, column in zip(conditions, columns, strict=True))
    scores = one.to_numpy(), two.to_numpy()
    metric = _metric(columns[0])
    if paired := same_galaxies(first, second):
        differences = scores[1] - scores[0]
        overlaps = [score_overlap(metric, first, second)] * 2
        estimate, naive = corrected_mean(differences, overlaps[0]), naive_half_width(differences)
    else:
        overlaps = [score_overlap(metric, side) for side in (first, second)]
        means = map(corrected_mean, scores, overlaps)
        estimate, naive = unpaired_difference(*means), naive_half_width(*scores)
    return {
        "paired": paired,
        "overlap_first": overlaps[0],
        "overlap_second": overlaps[1],
        "half": estimate.half_width(),
        "freedom": estimate.freedom,
        "naive_half": naive,
        "p": estimate.p_value(),
    }


def _bootstrap(study: Study, conditions: tuple[str, str], metric: Metric, evaluated_on: str) -> dict[str, Any]:
    # Of no run (they count from 1); the same for both metrics, for which the same galaxies are drawn.
    purpose = f"bootstrap of {' and '.join(conditions)} on the {evaluated_on}"
    rng = generator(study.settings.protocol.seed, "confirmed", 0, purpose)
    first, second = _predictions(study, conditions, evaluated_on)
    low, high = difference_interval(first, second, metric, rng)
    return {"bootstrap_low": low, "bootstrap_high": high}


def comparisons_table(compared: pd.DataFrame) -> Table:
    """The declared comparisons, on own test parts and on the common evaluation sets; the CSV has both phases."""
    data = compared[compared["phase"] == "confirmed"]
    shown = {say("Comparison"): [f"{a} → {b}" for a, b in zip(data["first"], data["second"], strict=True)]}
    shown |= _side_by_side(data, say("First ± std"), say("Second ± std"))
    conditions = say("Conditions set side by side, fresh runs stopped at the selected epochs.")
    caption = sentences([conditions, say(DIFFERENCE), say(BESIDE), say(TWO_NUMBERS), say(BINOMIAL)])
    return Table("comparisons", caption, compared, pd.DataFrame(shown))


def comparison_table(compared: pd.DataFrame, settings: Settings, name: str) -> Table:
    """One declared comparison, with the two conditions as columns; the CSV has both phases."""
    ours = compared[compared["comparison"] == name].reset_index(drop=True)
    first, second = settings.comparisons[name].conditions
    headings = [say("{condition} ± std", condition=thesis.label(condition)) for condition in (first, second)]
    shown = _side_by_side(ours[ours["phase"] == "confirmed"], *headings)
    conditions = say(
        "{first} and {second} side by side, fresh runs stopped at the selected epochs.",
        first=thesis.title(first),
        second=thesis.label(second),
    )
    caption = sentences([conditions, say(DIFFERENCE), say(BESIDE), say(TWO_NUMBERS), say(BINOMIAL)])
    return Table(f"comparison_{name}", caption, ours, pd.DataFrame(shown))


def _side_by_side(data: pd.DataFrame, first: str, second: str) -> dict[str, list[str]]:
    """Return the columns of two means, their difference, and what can be said of it."""
    lows, highs = data["bootstrap_low"], data["bootstrap_high"]
    return {
        say("Metric"): [say(METRICS[metric]) for metric in data["metric"]],
        say("Evaluated on"): [set_name(where) for where in data["evaluated_on"]],
        first: _spreads(data, "first"),
        second: _spreads(data, "second"),
        say("Difference, corrected 95 % interval"): pairs(data["difference"], data["half"], signed=True),
        say("Paired"): [say("yes") if paired else say("no") for paired in data["paired"]],
        say("Bootstrap over galaxies, 95 %"): [interval(low, high) for low, high in zip(lows, highs, strict=True)],
        say("p, Holm"): [p_value(value) for value in data["p_holm"]],
        **_baselines_of_both(data, "first", "second"),
    }


def _baselines_of_both(data: pd.DataFrame, first: str, second: str) -> dict[str, list[str]]:
    """Return a column for each baseline, with its mean beside the first networks and beside the second."""
    headings = {"baseline": say("Majority baseline")}
    headings |= {f"{name}_mean": capital(phase_name(name)) for name in BASELINES}
    return {
        heading: [
            f"{number(one)}, {number(two)}"
            for one, two in zip(data[f"{first}_{score}"], data[f"{second}_{score}"], strict=True)
        ]
        for score, heading in headings.items()
    }


def _spreads(data: pd.DataFrame, side: str) -> list[str]:
    """Return mean ± std of one side, its binomial spread in brackets."""
    return pairs(data[f"{side}_mean"], data[f"{side}_std"], data[f"{side}_binomial"])


def restricted_accuracies(study: Study) -> pd.DataFrame:
    """Return the accuracies by which "do uncertain labels do harm?" can be read fairly: on the same task.

    A condition that has the class uncertain chooses among spiral and elliptical only, and only for those galaxies of
    its test parts (accuracy_restricted); a condition of spirals and ellipticals in their natural mix is taken as it is.
    Confirmed phase.

    Returns
    -------
    pandas.DataFrame
        condition, metric, epoch, runs, galaxies (spirals and ellipticals per test part, mean over the runs); mean, std
        and all else of `scores_of`; difference from the control's mean, half of its corrected 95 % interval, and
        paired (whether it is taken run by run, on the same galaxies): missing for the control itself, and where it is
        not declared.
    """
    control = thesis.TWO_CLASS_SMALL
    columns = ["condition", "metric", "epoch", "runs", "galaxies", *SCORES, "difference", "half", "paired"]
    rows = []
    for name, result in study.results.items():
        metric = restricted_score(result)
        if metric is None or study.settings.conditions[name].mix == "balanced":
            continue
        tested = predictions(study.records[name], "confirmed", RESTRICTED)
        row: dict[str, Any] = {"condition": name, "metric": metric, "epoch": result.epoch, "runs": tested.runs}
        row |= {"galaxies": len(tested.galaxy) / tested.runs} | scores_of(study, name, metric, RESTRICTED)
        row |= {"difference": math.nan, "half": math.nan, "paired": None}
        if name != control and control in study.results:
            row["difference"] = row["mean"] - spread(study.results[control].confirmed.scores["accuracy"])[0]
            against = contrast(study, (control, name), ("accuracy", metric), RESTRICTED)
            row |= {key: against[key] for key in ("half", "paired")}
        rows.append(row)
    return pd.DataFrame(rows, columns=columns)


def restricted_table(data: pd.DataFrame) -> Table:
    """The accuracies on spirals and ellipticals alone."""
    shown = {
        say("Networks trained on"): [thesis.label(name) for name in data["condition"]],
        say("Metric"): [metric_label(metric) for metric in data["metric"]],
        say("Epoch"): data["epoch"].map(str),
        say("Spirals and ellipticals per test part"): data["galaxies"].map(lambda value: number(value, 1)),
        say("Mean ± std"): pairs(data["mean"], data["std"], data["binomial"]),
    }
    caption = say(
        "Spirals against ellipticals only. Networks that also know the class uncertain are judged on the spirals and "
        "ellipticals of their test parts, their answer restricted to those two classes. Confirmed runs."
    )
    caption = sentences([caption, say(BESIDE), say(BINOMIAL)])
    if data["difference"].notna().any():
        shown[say("Less the control, corrected 95 % interval")] = pairs(data["difference"], data["half"], signed=True)
        control = say(
            "The control is trained on the spirals and ellipticals alone that a draw of three classes has, and tested "
            "on those of that draw: the two are compared run by run on the same galaxies. Other networks have trained "
            "on more or fewer spirals and ellipticals than the control, in proportion to their test parts."
        )
        caption = sentences([caption, control])
    shown[say("Majority baseline")] = data["baseline"].map(number)
    for name in BASELINES:
        heading = say("{baseline} ± std", baseline=capital(phase_name(name)))
        shown[heading] = pairs(data[f"{name}_mean"], data[f"{name}_std"], data[f"{name}_binomial"])
    return Table("question_1", caption, data, pd.DataFrame(shown))


def by_test_mix(study: Study) -> pd.DataFrame:
    """Return accuracy and TSS of networks trained on imbalanced and on balanced draws, on the two common sets.

    Returns
    -------
    pandas.DataFrame
        metric, evaluated_on, runs; imbalanced_mean and all else of `scores_of`, and so balanced_mean; difference
        (balanced less imbalanced, run by run), overlap (from `score_overlap`), half (of its corrected 95 % interval),
        naive_half. Empty where one of the two conditions is not declared, or does not know both classes.
    """
    sides = {"first": "imbalanced", "second": "balanced"}
    names = {f"{side}_{score}": f"{kind}_{score}" for side, kind in sides.items() for score in SCORES}
    columns = ["metric", "evaluated_on", "runs", *names, "difference", "overlap_first", "half", "naive_half"]
    results = study.results
    rows = []
    if all(name in results and set(EVALUATION_CLASSES) <= set(results[name].classes) for name in PAIR):
        for metric in ("accuracy", "tss"):
            for evaluated_on in COMMON_SETS:
                scores = (f"{metric}@{evaluated_on}",) * 2
                means = _means(study, PAIR, scores, evaluated_on, "confirmed")
                difference = contrast(study, PAIR, scores, evaluated_on)
                rows.append({"metric": metric, "evaluated_on": evaluated_on} | means | difference)
    return pd.DataFrame(rows, columns=columns).rename(columns=names | {"overlap_first": "overlap"})


def mix_table(data: pd.DataFrame) -> Table:
    """The two kinds of training draw beside each other, on each common set."""
    shown = pd.DataFrame(
        {
            say("Metric"): [say(METRICS[metric]) for metric in data["metric"]],
            say("Evaluated on"): [set_name(where) for where in data["evaluated_on"]],
            say("Trained on imbalanced draws ± std"): _spreads(data, "imbalanced"),
            say("Trained on balanced draws ± std"): _spreads(data, "balanced"),
            say("Balanced less imbalanced, corrected 95 % interval"): pairs(
                data["difference"], data["half"], signed=True
            ),
            **_baselines_of_both(data, "imbalanced", "balanced"),
        }
    )
    caption = say(
        "Networks trained on imbalanced and on balanced draws, on test galaxies of both mixes: the same for both kinds "
        "of network, and compared run by run. Confirmed runs."
    )
    caption = sentences([caption, say(BESIDE), say(TWO_NUMBERS), say(BINOMIAL)])
    return Table("test_mixes", caption, data, shown)
