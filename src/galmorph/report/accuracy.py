"""The scores of the conditions over their runs: accuracy, TSS, confusion matrices and the scores of each class.

Every number is at full precision. Standard deviations have ddof = 1, and the standard error is std / sqrt(runs); with
a single run both are NaN. A metric that is missing in one run is missing in the mean: nothing is averaged over fewer
runs than are printed.
"""

from __future__ import annotations

import math
from collections.abc import Hashable, Iterable, Mapping
from types import MappingProxyType
from typing import Any

import numpy as np
import pandas as pd

from galmorph.report import thesis
from galmorph.report.language import mark
from galmorph.report.study import ConditionResults, PhaseResults, Results, Study
from galmorph.scores import metrics
from galmorph.scores.predictions import OWN_TEST_PART, RESTRICTED, predictions
from galmorph.scores.statistics import Metric, binomial_share_std, binomial_std
from galmorph.training.protocol import COMMON_SETS

OWN_METRICS = ("accuracy", "tss", "baseline", "accuracy_restricted")
TSS_FORMS: Mapping[str, str] = MappingProxyType(
    {
        "adjusted": mark("adjusted balanced accuracy"),
        "peirce": mark("Peirce skill score"),
        "macro": mark("mean of each class against the rest"),
    }
)


def spread(values: pd.Series[float]) -> tuple[float, float, float]:
    """Return mean, standard deviation (ddof = 1) and standard error; NaN where a value is missing or there is none."""
    if values.empty:
        return math.nan, math.nan, math.nan
    std = float(values.std(ddof=1, skipna=False))
    return float(values.mean(skipna=False)), std, std / math.sqrt(len(values))


def _with_errors(part: PhaseResults, metric: Metric, times: int = 1) -> tuple[float, float, float, float]:
    """Return mean, and so many standard deviations, binomial ones and standard errors, on own test parts."""
    mean, std, ste = spread(part.scores[metric])
    return mean, times * std, times * binomial_std(part.confusion, metric), times * ste


def metric_order(names: Iterable[Hashable]) -> list[str]:
    """Return metrics in order: those of the run's own test part, then those of each common set; unknown ones last."""

    def rank(values: tuple[str, ...], value: str) -> tuple[int, str]:
        return values.index(value) if value in values else len(values), value

    def place(name: str) -> tuple[tuple[int, str], tuple[int, str]]:
        metric, _, where = name.partition("@")
        return rank(("", *COMMON_SETS), where), rank(OWN_METRICS, metric)

    return sorted(map(str, names), key=place)


def summary(study: Study) -> pd.DataFrame:
    """Return one row per condition, metric and phase.

    Returns
    -------
    pandas.DataFrame
        condition, metric, phase, epoch, runs, mean, std, binomial (the standard deviation that the number of test
        galaxies alone gives; missing for the baseline), ste: conditions in the order given, metrics in `metric_order`,
        selected before confirmed, then the baselines on the galaxies of the confirmed runs, each with its name as
        phase and without an epoch.
    """
    rows = []
    for name, result in study.results.items():
        for metric in metric_order(set(result.selected.scores) | set(result.confirmed.scores)):
            for phase, part in result.with_baselines.items():
                if metric in part.scores and (phase in result.phases or not metric.startswith("baseline")):
                    mean, std, ste = spread(part.scores[metric])
                    epoch = result.epoch if phase in result.phases else None
                    chance = _binomial(study, name, metric, phase)
                    rows.append((name, metric, phase, epoch, len(part.scores), mean, std, chance, ste))
    columns = ["condition", "metric", "phase", "epoch", "runs", "mean", "std", "binomial", "ste"]
    return pd.DataFrame(rows, columns=columns).astype({"epoch": "Int64"})


def _binomial(study: Study, condition: str, score: str, phase: str) -> float:
    """Return the binomial standard deviation of a score; NaN for one of which that is not known."""
    base, _, where = score.partition("@")
    match base:
        case "accuracy" | "tss":
            evaluated_on = where or OWN_TEST_PART
        case "accuracy_restricted":
            evaluated_on = RESTRICTED
        case _:
            return math.nan
    matrices = predictions(study.records[condition], phase, evaluated_on).confusion()
    return binomial_std(matrices, "tss" if base == "tss" else "accuracy")


def table_4_1(results: Results) -> pd.DataFrame:
    """Return the accuracy of each condition as the thesis's table 4.1 has it, beside the thesis's own numbers.

    Returns
    -------
    pandas.DataFrame
        condition; accuracy, two_std, two_binomial (two standard deviations that the number of test galaxies alone
        gives), two_ste at the selected epoch; epoch; baseline, the mean accuracy of always predicting the commonest
        class; confirmed_accuracy and so on of the fresh runs; thesis_accuracy and so on, thesis_implied (the accuracy
        that the thesis's recalls give), thesis_epoch (missing where the thesis has none); of each baseline of
        `galmorph.baselines` its accuracy on the galaxies of the confirmed runs, pca_accuracy and so on.
    """
    own = ["accuracy", "two_std", "two_binomial", "two_ste"]
    columns = ["condition", *own, "epoch", "baseline", *(f"confirmed_{name}" for name in own)]
    columns += [*(f"thesis_{name}" for name in own), "thesis_implied", "thesis_epoch"]
    baselines = dict.fromkeys(name for result in results.values() for name in result.baselines)
    columns += [f"{baseline}_{name}" for baseline in baselines for name in own]
    rows = []
    for name, result in results.items():
        row = [name, *_with_errors(result.selected, "accuracy", 2), result.epoch]
        row += [spread(result.selected.scores["baseline"])[0], *_with_errors(result.confirmed, "accuracy", 2)]
        if known := thesis.accuracy(name):
            row += [known.mean, known.two_std, 2 * thesis.binomial_std(name), known.two_ste]
            row += [thesis.implied_accuracy(name), known.epoch]
        else:
            row += [*(math.nan,) * 5, None]
        for baseline in baselines:
            row += _with_errors(result.baselines[baseline], "accuracy", 2)
        rows.append(row)
    return pd.DataFrame(rows, columns=columns).astype({"thesis_epoch": "Int64"})


def section_4_3(results: Results) -> pd.DataFrame:
    """Return accuracy and TSS of the imbalanced (two_class) and the balanced condition, those that are declared.

    Returns
    -------
    pandas.DataFrame
        condition, drawn (imbalanced or balanced), phase, epoch, then accuracy and tss, each with std, binomial (the
        standard deviation that the number of test galaxies alone gives) and ste, and baseline. A baseline of
        `galmorph.baselines` is a phase without an epoch.
    """
    names: tuple[Metric, ...] = ("accuracy", "tss")
    columns = ["condition", "drawn", "phase", "epoch"]
    columns += [f"{metric}{part}" for metric in names for part in ("", "_std", "_binomial", "_ste")]
    rows = []
    for name, drawn in ((thesis.TWO_CLASS, "imbalanced"), (thesis.BALANCED, "balanced")):
        if name in results:
            result = results[name]
            for phase, part in result.with_baselines.items():
                numbers = [value for metric in names for value in _with_errors(part, metric)]
                epoch = result.epoch if phase in result.phases else None
                rows.append((name, drawn, phase, epoch, *numbers, spread(part.scores["baseline"])[0]))
    return pd.DataFrame(rows, columns=[*columns, "baseline"]).astype({"epoch": "Int64"})


def confusion_cells(result: ConditionResults) -> pd.DataFrame:
    """Return mean and standard deviation over the runs of each cell of a condition's confusion matrices.

    Returns
    -------
    pandas.DataFrame
        phase, actual, predicted, runs, mean, std (galaxies per run; ddof = 1), binomial (the standard deviation that
        the number of test galaxies alone gives), fraction (mean of the cell over the
        mean of its row: of the galaxies of that true class).
    """
    rows = []
    for phase, part in result.phases.items():
        total = part.confusion.mean(axis=0).sum(axis=1)
        for i, actual in enumerate(result.classes):
            for j, predicted in enumerate(result.classes):
                mean, std, _ = spread(pd.Series(part.confusion[:, i, j], dtype=float))
                fraction = mean / float(total[i]) if total[i] else math.nan
                chance = math.sqrt(mean * (1 - mean / float(total.sum())))
                rows.append((phase, actual, predicted, len(part.confusion), mean, std, chance, fraction))
    return pd.DataFrame(rows, columns=["phase", "actual", "predicted", "runs", "mean", "std", "binomial", "fraction"])


def class_scores(results: Results) -> pd.DataFrame:
    """Return recall, precision and F1 of each class of each condition and phase.

    Each mean is over the runs in which the score exists: whose test part holds the class (recall), in which the class
    is predicted at all (precision), or either (F1).

    Returns
    -------
    pandas.DataFrame
        condition, phase, class, runs; recall, precision and f1, each with _runs, _mean and _std, the first two with
        _binomial; thesis_recall (missing where the thesis has none).
    """
    functions = {"recall": metrics.recall, "precision": metrics.precision, "f1": metrics.f1}
    rows = []
    for name, result in results.items():
        known = thesis.CONDITIONS[name].recall if name in thesis.CONDITIONS else {}
        for phase, part in result.phases.items():
            scores = {score: function(part.confusion) for score, function in functions.items()}
            for i, galaxy_class in enumerate(result.classes):
                row: dict[str, Any] = {"condition": name, "phase": phase, "class": galaxy_class}
                row["runs"] = len(part.confusion)
                for score, by_run in scores.items():
                    existing = by_run[:, i][~np.isnan(by_run[:, i])]
                    mean, std, _ = spread(pd.Series(existing))
                    row |= {f"{score}_runs": len(existing), f"{score}_mean": mean, f"{score}_std": std}
                for score, axis in (("recall", 2), ("precision", 1)):
                    of = part.confusion.sum(axis=axis)[:, i]
                    row[f"{score}_binomial"] = binomial_share_std(scores[score][:, i], of)
                rows.append(row | {"thesis_recall": known.get(galaxy_class, math.nan)})
    return pd.DataFrame(rows)


def tss_forms(results: Results) -> pd.DataFrame:
    """Return the three forms of TSS of each condition of more than two classes.

    Returns
    -------
    pandas.DataFrame
        condition, phase, form (a key of `TSS_FORMS`), runs, mean, std, binomial (of the form that is printed as TSS).
    """
    forms = {"adjusted": metrics.tss, "peirce": metrics.peirce, "macro": metrics.macro_tss}
    rows = [
        (
            *(name, phase, form, len(part.confusion), *spread(pd.Series(score(part.confusion)))[:2]),
            binomial_std(part.confusion, "tss") if form == "adjusted" else math.nan,
        )
        for name, result in results.items()
        if len(result.classes) > 2
        for phase, part in result.phases.items()
        for form, score in forms.items()
    ]
    return pd.DataFrame(rows, columns=["condition", "phase", "form", "runs", "mean", "std", "binomial"])
