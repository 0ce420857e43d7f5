"""Confusion matrices and recalls over the runs: means and standard deviations (ddof = 1)."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np
import pandas as pd

from galmorph.report import thesis
from galmorph.report.results import ConditionResults
from galmorph.report.tables import PHASES, Results, phase_of, spread


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


def recalls(results: Results) -> pd.DataFrame:
    """Return, for each condition, phase and class, the fraction of its galaxies that are predicted right.

    The mean is over the runs whose test part holds the class; `runs` is their number.

    Returns
    -------
    pandas.DataFrame
        condition, phase, class, runs, mean, std, thesis (missing where the thesis has none).
    """
    rows = []
    for name, result in results.items():
        known: Mapping[str, float] = thesis.CONDITIONS[name].recall if name in thesis.CONDITIONS else {}
        for phase in PHASES:
            matrices = phase_of(result, phase).confusion
            for i, galaxy_class in enumerate(result.classes):
                total = matrices[:, i, :].sum(axis=1)
                present = total > 0
                mean, std, _ = spread(pd.Series(matrices[present, i, i] / total[present], dtype=float))
                rows.append(
                    {
                        "condition": name,
                        "phase": phase,
                        "class": galaxy_class,
                        "runs": int(np.count_nonzero(present)),
                        "mean": mean,
                        "std": std,
                        "thesis": known.get(galaxy_class, math.nan),
                    }
                )
    return pd.DataFrame(rows)
