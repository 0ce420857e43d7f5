"""Choose the galaxies of a sample from a catalogue."""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from galmorph.errors import GalmorphError
from galmorph.settings.survey import LimitsSettings, SampleSettings


def within(catalogue: pd.DataFrame, limits: LimitsSettings) -> NDArray[np.bool_]:
    """Return which galaxies are within limits, both ends included.

    Parameters
    ----------
    catalogue
        A table with the columns that have limits (ra, dec in degrees, redshift, nvote).
    limits
        Minimum and maximum of each; right ascension from 350 to 10 passes through 0.

    Returns
    -------
    (n,) bool
        False also for unknown values (NaN).

    Raises
    ------
    GalmorphError
        If a limited column is missing.
    """
    inside = np.ones(len(catalogue), dtype=bool)
    for column, bounds in limits:
        if bounds is None:
            continue
        if column not in catalogue.columns:
            raise GalmorphError(
                f"survey.sample.limits.{column}: the catalogue has no such column; set it to null"
                + (", or name a table of redshifts" if column == "redshift" else "")
            )
        least, most = bounds
        values = catalogue[column].to_numpy(dtype=np.float64)
        above, below = values >= least, values <= most
        inside &= above | below if column == "ra" and least > most else above & below
    return inside


def choose_sample(catalogue: pd.DataFrame, settings: SampleSettings) -> pd.DataFrame:
    """Choose a sample.

    Parameters
    ----------
    catalogue
        One row per galaxy, in the order of the file; for the rule in_frames only the galaxies in the frames.
    settings
        Limits; the rule (the first rows within them, also for in_frames, or random ones); the number of galaxies (None:
        all); the seed.

    Returns
    -------
    pandas.DataFrame
        The chosen rows, in the order of the file, with their index.

    Raises
    ------
    GalmorphError
        If there are fewer galaxies than requested, or none.
    """
    rows = np.flatnonzero(within(catalogue, settings.limits))
    among = f"{rows.size} to choose from" + (f" within the limits, of {len(catalogue)}" if settings.limited else "")
    size = rows.size if settings.galaxies is None else settings.galaxies
    if size > rows.size:
        raise GalmorphError(f"survey.sample.galaxies: {size} requested, {among}; lower it, or null for all")
    if size == 0:
        raise GalmorphError(f"the sample is empty: {among}; look at survey.sample and the catalogue")
    if settings.rule == "random":
        drawn = np.random.default_rng(settings.seed).choice(rows.size, size, replace=False)
        return catalogue.iloc[rows[np.sort(drawn)]]
    return catalogue.iloc[rows[:size]]
