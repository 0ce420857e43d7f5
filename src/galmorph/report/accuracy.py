"""The numbers of the report: from the runs of the conditions to tables of means and spreads.

Pure functions; every number is at full precision. Standard deviations have ddof = 1, and the standard error is
std / sqrt(runs); with a single run both are NaN. A metric that is missing in one run is missing in the mean: nothing
is averaged over fewer runs than are printed.

Confusion matrices, and scores of each class, over the runs: means and standard deviations (ddof = 1).
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

import numpy as np
import pandas as pd

from galmorph.report import thesis
from galmorph.report.language import mark
from galmorph.report.study import COMMON_SETS, PHASES, ConditionResults, PhaseResults, Results, phase_of
from galmorph.scores import metrics

OWN_METRICS = ("accuracy", "tss", "baseline", "accuracy_restricted")


def spread(values: pd.Series[float]) -> tuple[float, float, float]:
    """Return mean, standard deviation (ddof = 1) and standard error; NaN where a value is missing or there is none."""
    if values.empty:
        return math.nan, math.nan, math.nan
    std = float(values.std(ddof=1, skipna=False))
    return float(values.mean(skipna=False)), std, std / math.sqrt(len(values))


def metric_order(part: PhaseResults) -> list[str]:
    """Return the metrics of a phase: those of the run's own test part, then those of the common sets."""
    columns = [str(column) for column in part.scores.columns]
    own = [metric for metric in OWN_METRICS if metric in columns]
    others = sorted(column for column in columns if column not in own and "@" not in column)
    return own + others + sorted((column for column in columns if "@" in column), key=_common_rank)


def _common_rank(column: str) -> tuple[int, str, int, str]:
    """Rank "tss@common_natural": by its set, then by its metric; what has no rank comes last, by name."""
    metric, where = column.split("@", 1)
    set_rank = COMMON_SETS.index(where) if where in COMMON_SETS else len(COMMON_SETS)
    return set_rank, where, OWN_METRICS.index(metric) if metric in OWN_METRICS else len(OWN_METRICS), metric


def summary(results: Results) -> pd.DataFrame:
    """Return one row per condition, metric and phase.

    Returns
    -------
    pandas.DataFrame
        condition, metric, phase, epoch, runs, mean, std, ste: conditions in the order given, metrics in
        `metric_order`, selected before confirmed.
    """
    rows: list[dict[str, Any]] = []
    for name, result in results.items():
        metrics = list(dict.fromkeys(metric_order(result.selected) + metric_order(result.confirmed)))
        metrics.sort(key=lambda metric: "@" in metric)
        for metric in metrics:
            for phase in PHASES:
                scores = phase_of(result, phase).scores
                if metric not in scores:
                    continue
                mean, std, ste = spread(scores[metric])
                rows.append(
                    {
                        "condition": name,
                        "metric": metric,
                        "phase": phase,
                        "epoch": result.epoch,
                        "runs": len(scores),
                        "mean": mean,
                        "std": std,
                        "ste": ste,
                    }
                )
    return pd.DataFrame(rows, columns=["condition", "metric", "phase", "epoch", "runs", "mean", "std", "ste"])


def table_4_1(results: Results) -> pd.DataFrame:
    """Return the accuracy of each condition as the thesis's table 4.1 has it, beside the thesis's own numbers.

    Returns
    -------
    pandas.DataFrame
        condition; accuracy, two_std, two_ste at the selected epoch; epoch; baseline, the mean accuracy of always
        answering the commonest class; confirmed_accuracy, confirmed_two_std, confirmed_two_ste of the fresh runs;
        thesis_accuracy, thesis_two_std, thesis_two_ste, thesis_epoch (missing where the thesis has none).
    """
    rows = []
    for name, result in results.items():
        known = thesis.accuracy(name)
        row: dict[str, Any] = {"condition": name}
        for prefix, phase in (("", result.selected), ("confirmed_", result.confirmed)):
            mean, std, ste = spread(phase.scores["accuracy"])
            row |= {f"{prefix}accuracy": mean, f"{prefix}two_std": 2 * std, f"{prefix}two_ste": 2 * ste}
            if phase is result.selected:
                row |= {"epoch": result.epoch, "baseline": spread(phase.scores["baseline"])[0]}
        row |= {
            "thesis_accuracy": known.mean if known else math.nan,
            "thesis_two_std": known.two_std if known else math.nan,
            "thesis_two_ste": known.two_ste if known else math.nan,
            "thesis_epoch": known.epoch if known else None,
        }
        rows.append(row)
    return pd.DataFrame(rows).astype({"thesis_epoch": "Int64"})


def section_4_3(results: Results) -> pd.DataFrame:
    """Return accuracy and TSS of the imbalanced (two_class) and the balanced condition, those that are declared.

    Returns
    -------
    pandas.DataFrame
        condition, drawn (imbalanced or balanced), phase, epoch, then accuracy, tss and baseline, each with two_std
        and two_ste.
    """
    metrics = ("accuracy", "tss", "baseline")
    columns = ["condition", "drawn", "phase", "epoch"]
    columns += [f"{metric}{part}" for metric in metrics for part in ("", "_two_std", "_two_ste")]
    rows = []
    for name, drawn in ((thesis.TWO_CLASS, "imbalanced"), (thesis.BALANCED, "balanced")):
        if name not in results:
            continue
        for phase in PHASES:
            scores = phase_of(results[name], phase).scores
            row: dict[str, Any] = {"condition": name, "drawn": drawn, "phase": phase, "epoch": results[name].epoch}
            for metric in metrics:
                mean, std, ste = spread(scores[metric])
                row |= {metric: mean, f"{metric}_two_std": 2 * std, f"{metric}_two_ste": 2 * ste}
            rows.append(row)
    return pd.DataFrame(rows, columns=columns)


TSS_FORMS: Mapping[str, str] = MappingProxyType(
    {
        "adjusted": mark("adjusted balanced accuracy"),
        "peirce": mark("Peirce skill score"),
        "macro": mark("mean of each class against the rest"),
    }
)


def confusion_cells(result: ConditionResults) -> pd.DataFrame:
    """Return mean and standard deviation over the runs of each cell of a condition's confusion matrices.

    Returns
    -------
    pandas.DataFrame
        phase, actual, predicted, runs, mean, std (galaxies per run; ddof = 1), fraction (mean of the cell over the
        mean of its row: of the galaxies of that true class).
    """
    rows = []
    for phase in PHASES:
        matrices = phase_of(result, phase).confusion
        mean = matrices.mean(axis=0)
        total = mean.sum(axis=1)
        for i, actual in enumerate(result.classes):
            for j, predicted in enumerate(result.classes):
                rows.append(
                    {
                        "phase": phase,
                        "actual": actual,
                        "predicted": predicted,
                        "runs": len(matrices),
                        "mean": float(mean[i, j]),
                        "std": spread(pd.Series(matrices[:, i, j], dtype=float))[1],
                        "fraction": float(mean[i, j] / total[i]) if total[i] else math.nan,
                    }
                )
    return pd.DataFrame(rows)


def class_scores(results: Results) -> pd.DataFrame:
    """Return recall, precision and F1 of each class of each condition and phase.

    Each mean is over the runs in which the score exists: whose test part holds the class (recall), in which the class
    is answered at all (precision), or either (F1).

    Returns
    -------
    pandas.DataFrame
        condition, phase, class, runs; recall, precision and f1, each with _runs, _mean and _std; thesis_recall
        (missing where the thesis has none).
    """
    scores = {"recall": metrics.recall, "precision": metrics.precision, "f1": metrics.f1}
    rows = []
    for name, result in results.items():
        known: Mapping[str, float] = thesis.CONDITIONS[name].recall if name in thesis.CONDITIONS else {}
        for phase in PHASES:
            matrices = phase_of(result, phase).confusion
            values = {label: score(matrices) for label, score in scores.items()}
            for i, galaxy_class in enumerate(result.classes):
                row: dict[str, Any] = {"condition": name, "phase": phase, "class": galaxy_class, "runs": len(matrices)}
                for label, by_run in values.items():
                    existing = by_run[:, i][~np.isnan(by_run[:, i])]
                    mean, std, _ = spread(pd.Series(existing))
                    row |= {f"{label}_runs": len(existing), f"{label}_mean": mean, f"{label}_std": std}
                rows.append(row | {"thesis_recall": known.get(galaxy_class, math.nan)})
    return pd.DataFrame(rows)


def tss_forms(results: Results) -> pd.DataFrame:
    """Return the three forms of TSS of each condition of more than two classes.

    Returns
    -------
    pandas.DataFrame
        condition, phase, form (a key of `TSS_FORMS`), runs, mean, std.
    """
    forms = {"adjusted": metrics.tss, "peirce": metrics.peirce, "macro": metrics.macro_tss}
    rows = []
    for name, result in results.items():
        if len(result.classes) < 3:
            continue
        for phase in PHASES:
            matrices = phase_of(result, phase).confusion
            for form, score in forms.items():
                mean, std, _ = spread(pd.Series(score(matrices)))
                rows.append((name, phase, form, len(matrices), mean, std))
    return pd.DataFrame(rows, columns=["condition", "phase", "form", "runs", "mean", "std"])
