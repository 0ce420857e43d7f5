"""What is lost against how large a galaxy is beside the blur: from the answers on single galaxies."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from galmorph.report.resolution.results import LEVEL, Level
from galmorph.tracking.content import ConditionRecords
from galmorph.training.records import Evaluation

PARTS = 4
COLUMNS = ["trained", "tested", "part", "ratio", "galaxies", "loss_mean", "loss_std"]


def right(evaluation: Evaluation) -> NDArray[np.bool_]:
    """Return for each galaxy of a set whether it was classified right, (n,)."""
    answers: NDArray[np.bool_] = np.argmax(evaluation.probabilities, axis=1) == evaluation.truth
    return answers


def loss_by_size(
    transfers: Mapping[str, ConditionRecords], levels: Sequence[Level], radii: NDArray[np.float64]
) -> pd.DataFrame:
    """Return what networks of the first level lose at each other one, by quarters of the sample by size.

    MLflow holds no answers on single galaxies: these are read from the records that it shows.

    Parameters
    ----------
    transfers
        By level, its records; the confirmed ones are tested at every level.
    levels
        Of which those of the sample's own galaxies with a FWHM are compared.
    radii
        (n,) half-light radius in arcsec of each galaxy of the resolution sample; NaN where it could not be measured,
        which leaves the galaxy out here.

    Returns
    -------
    pandas.DataFrame
        trained, tested, part (1: the largest galaxies), ratio (median of FWHM over half-light radius), galaxies (in a
        run, mean), loss_mean, loss_std: accuracy on that quarter of networks trained where they are tested less that
        of networks of the first level, run by run (ddof = 1).
    """
    own = [level for level in levels if level.role == LEVEL and np.isfinite(level.psf_fwhm)]
    if len(own) < 2 or not np.isfinite(radii).any():
        return pd.DataFrame(columns=COLUMNS)
    first = own[0].name
    edges = np.nanquantile(radii, np.arange(1, PARTS) / PARTS)
    rows = []
    for level in own[1:]:
        pieces = []
        pairs = zip(transfers[first].phases["confirmed"], transfers[level.name].phases["confirmed"], strict=True)
        for run, (here, there) in enumerate(pairs, start=1):
            seen, matched = here.sets[level.name], there.sets[level.name]
            size = radii[seen.rows]
            pieces.append(
                pd.DataFrame(
                    {
                        "run": run,
                        "size": size,
                        "part": PARTS - np.searchsorted(edges, size, side="right"),
                        "loss": right(matched).astype(float) - right(seen),
                    }
                )
            )
        answers = pd.concat(pieces).dropna(subset="size")
        for part, members in answers.groupby("part"):
            by_run = members.groupby("run")["loss"].mean()
            median = float((level.psf_fwhm / members["size"]).median())
            spread = float(by_run.std(ddof=1))
            counted = len(members) / len(pieces)
            rows.append((first, level.name, part, median, counted, float(by_run.mean()), spread))
    return pd.DataFrame(rows, columns=COLUMNS)
