"""The embedded survey: what the archive would hold of a sky that is drawn to a seed."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from galmorph.parallel.workers import spread
from galmorph.sdss.galaxyzoo import COLUMNS as TABLE2
from galmorph.settings.survey import SimulatedSettings
from galmorph.sources.simulated import archive, frames, volunteers
from galmorph.sources.simulated.pointing import STRIP_FIELDS, pointing


def take(
    settings: SimulatedSettings, strip: int, first: int, count: int, folder: str
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Write the frames of one strip and their calibration, and let the volunteers see them.

    Parameters
    ----------
    settings, strip, first, count
        As in `frames.observe`.
    folder
        The archive's root.

    Returns
    -------
    truth, votes
        One row per galaxy each.
    """
    tables = []
    for part, seen in enumerate(frames.observe(settings, strip, first, count)):
        # SKY and FLUX20 are absent from half of the archive's headers.
        frame = archive.frame_bytes(seen.pixels, seen.pointing, seen.exposure, calibrated=(strip + part) % 2 == 0)
        stars = int(seen.sources["is_star"].sum())
        galaxies = len(seen.sources) - stars + len(seen.truth)
        calibration = archive.tsfield_bytes(seen.pointing, seen.exposure, stars, galaxies)
        for name, content in (
            (archive.frame_file(seen.pointing), frame),
            (archive.tsfield_file(seen.pointing), calibration),
        ):
            path = Path(folder) / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
        tables.append(seen.truth)
    truth = pd.concat(tables, ignore_index=True)
    return truth, volunteers.poll(truth, frames.stream(settings.seed, strip, frames.VOTES))


def strips(settings: SimulatedSettings) -> list[tuple[int, int, int]]:
    """Return what each strip holds: its number, its first galaxy, and how many; all are full but the last."""
    full = STRIP_FIELDS * settings.galaxies_per_frame
    starts = range(0, settings.galaxies, full)
    return [(strip, first, min(full, settings.galaxies - first)) for strip, first in enumerate(starts)]


def acquire(settings: SimulatedSettings, folder: Path) -> None:
    """Make the simulated survey.

    Parameters
    ----------
    settings
        How many galaxies, how many of them in a frame, their types, the seeing, and the seed; nothing else decides a
        byte of the files.
    folder
        Existing and empty. It receives the frames and tsField files in the archive's layout under imaging/,
        GalaxyZoo1_DR_table2.csv, redshifts.csv, and truth.parquet: what the galaxies are and what can be seen of
        them, on which the votes depend. The tables are in the order of right ascension, as the original.

    Raises
    ------
    GalmorphError
        If more galaxies are asked for than the simulated sky, or a frame of it, has room for.
    """
    plan = strips(settings)
    # The last strip is looked for, and a place for every galaxy, before any pixel is drawn.
    pointing(plan[-1][0], STRIP_FIELDS - 1)
    for strip, first, count in plan:
        frames.compose(settings, strip, first, count)
    jobs = [(settings, strip, first, count, str(folder)) for strip, first, count in plan]
    results: list[tuple[pd.DataFrame, pd.DataFrame] | None] = [None] * len(jobs)
    for index, result in spread(take, jobs, label="simulated survey", unit="strip"):
        results[index] = result
    tables = [pd.concat(result, axis=1) for result in results if result is not None]
    catalogue = pd.concat(tables, ignore_index=True).sort_values(["ra", "objid"], ignore_index=True)
    archive.write_table2(catalogue, folder / "GalaxyZoo1_DR_table2.csv")
    archive.write_redshifts(catalogue, folder / "redshifts.csv")
    truth = catalogue.drop(columns=list(TABLE2[3:]))
    truth.to_parquet(folder / "truth.parquet", index=False)
