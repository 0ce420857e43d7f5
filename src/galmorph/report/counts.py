"""Confusion matrices, and scores of each class, over the runs: means and standard deviations (ddof = 1)."""

from __future__ import annotations

import math
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

import numpy as np
import pandas as pd

from galmorph import metrics
from galmorph.report import thesis
from galmorph.report.language import mark
from galmorph.report.results import ConditionResults
from galmorph.report.tables import PHASES, Results, phase_of, spread

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
