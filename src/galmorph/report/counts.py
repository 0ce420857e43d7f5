"""Tables of counts: confusion matrices, recalls, the classes of the sample, and the thesis's two tables of facts."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np
import pandas as pd
from speclite import filters as speclite_filters

from galmorph.report import thesis
from galmorph.report.results import ConditionResults
from galmorph.report.tables import PHASES, Results, phase_of, spread
from galmorph.settings import CLASS_NAMES


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


def class_counts(galaxies: pd.DataFrame) -> pd.DataFrame:
    """Return the classes of the sample beside the thesis's.

    Parameters
    ----------
    galaxies
        galaxies.parquet; its column `class` is read.

    Returns
    -------
    pandas.DataFrame
        class, galaxies, fraction, thesis_galaxies, thesis_fraction.
    """
    total = sum(thesis.CLASS_COUNTS.values())
    rows = []
    for name in CLASS_NAMES:
        count = int((galaxies["class"] == name).sum())
        printed = thesis.CLASS_COUNTS[name]
        rows.append(
            {
                "class": name,
                "galaxies": count,
                "fraction": count / len(galaxies) if len(galaxies) else math.nan,
                "thesis_galaxies": printed,
                "thesis_fraction": printed / total,
            }
        )
    return pd.DataFrame(rows)


def filter_table() -> pd.DataFrame:
    """Return the SDSS filters: the thesis's figure 3.1, and the effective wavelength of the curves that are drawn.

    Returns
    -------
    pandas.DataFrame
        band, wavelength (mean, Angstrom), depth (magnitudes), effective_wavelength (Angstrom; of the reference
        response of Doi et al. 2010, AJ 139, 1628, at airmass 1.3, weighted as speclite does).
    """
    rows = []
    for row in thesis.FILTERS:
        curve = speclite_filters.load_filter(f"sdss2010-{row.band}")
        rows.append(
            {
                "band": row.band,
                "wavelength": row.wavelength,
                "depth": row.depth,
                "effective_wavelength": float(curve.effective_wavelength.to_value("Angstrom")),
            }
        )
    return pd.DataFrame(rows)


def table2_row(row: Mapping[str, object]) -> pd.DataFrame:
    """Return a row of Galaxy Zoo 1's Table 2, one line per column, values as the catalogue writes them."""
    return pd.DataFrame({"column": [str(key) for key in row], "value": [str(value) for value in row.values()]})
