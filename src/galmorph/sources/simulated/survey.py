"""The embedded survey: what the archive would hold of a sky that is drawn to a seed."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from galmorph.galaxyzoo import COLUMNS as TABLE2
from galmorph.settings import SimulatedSettings
from galmorph.sources.simulated import archive, frames, volunteers
from galmorph.sources.simulated.pointing import pointing
from galmorph.workers import spread


def take(seed: int, index: int, first: int, count: int, folder: str) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Write one frame and its calibration, and let the volunteers see it.

    Parameters
    ----------
    seed, index, first, count
        As in `frames.observe`.
    folder
        The archive's root.

    Returns
    -------
    truth, votes
        One row per galaxy each.
    """
    seen = frames.observe(seed, index, first, count)
    # SKY and FLUX20 are absent from half of the archive's headers.
    frame = archive.frame_bytes(seen.pixels, seen.pointing, seen.exposure, calibrated=index % 2 == 0)
    stars = int(seen.sources["is_star"].sum())
    calibration = archive.tsfield_bytes(seen.pointing, seen.exposure, stars, len(seen.sources) - stars + count)
    for name, content in (
        (archive.frame_file(seen.pointing), frame),
        (archive.tsfield_file(seen.pointing), calibration),
    ):
        path = Path(folder) / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    return seen.truth, volunteers.poll(seen.truth, frames.stream(seed, index, frames.VOTES))


def acquire(settings: SimulatedSettings, folder: Path) -> None:
    """Make the simulated survey.

    Parameters
    ----------
    settings
        How many galaxies, how many of them in a frame, and the seed; nothing else decides a byte of the files.
    folder
        Existing and empty. It receives the frames and tsField files in the archive's layout under imaging/,
        GalaxyZoo1_DR_table2.csv, redshifts.csv, and truth.parquet: what the galaxies are and what can be seen of
        them, on which the votes depend. The tables are in the order of right ascension, as the original.

    Raises
    ------
    GalmorphError
        If more galaxies are asked for than the simulated sky has room for.
    """
    # The last frame is looked for before any is drawn.
    pointing((settings.galaxies - 1) // settings.galaxies_per_frame)
    jobs = []
    for index, first in enumerate(range(0, settings.galaxies, settings.galaxies_per_frame)):
        count = min(settings.galaxies_per_frame, settings.galaxies - first)
        jobs.append((settings.seed, index, first, count, str(folder)))
    results: list[tuple[pd.DataFrame, pd.DataFrame] | None] = [None] * len(jobs)
    for index, result in spread(take, jobs, label="simulated survey", unit="frame"):
        results[index] = result
    tables = [pd.concat(result, axis=1) for result in results if result is not None]
    catalogue = pd.concat(tables, ignore_index=True).sort_values(["ra", "objid"], ignore_index=True)
    archive.write_table2(catalogue, folder / "GalaxyZoo1_DR_table2.csv")
    archive.write_redshifts(catalogue, folder / "redshifts.csv")
    truth = catalogue.drop(columns=list(TABLE2[3:]))
    truth.to_parquet(folder / "truth.parquet", index=False)
