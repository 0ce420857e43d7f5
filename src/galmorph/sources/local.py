"""The survey source local: frames and a catalogue on the disk, in the archive's layout or in a flat folder."""

from __future__ import annotations

import bz2
import gzip
import logging
import shutil
from pathlib import Path

import pandas as pd

from galmorph.errors import GalmorphError
from galmorph.files.reading import refuse_disguised
from galmorph.files.texttable import copy_rows
from galmorph.sdss.frame_index import (
    REDSHIFTS_NAME,
    TABLE2_NAME,
    assign_frames,
    count_misplaced,
    find_frames,
    find_tsfields,
)
from galmorph.sdss.galaxyzoo import read_table2
from galmorph.sdss.names import ObjectId, Place, parse_tsfield_name, tsfield_path
from galmorph.sdss.redshifts import empty_redshifts, join_redshifts, read_redshifts, write_redshifts
from galmorph.settings.survey import LocalSettings, SampleSettings
from galmorph.sources.sample import choose_sample

# The rerun, in the path, of a DR7 frame from a flat folder, if neither an object id nor a tsField has it.
UNKNOWN_RERUN = 0

CHECKED_FRAMES = 200  # whose headers `check` reads, in a second or two

log = logging.getLogger(__name__)


def check(settings: LocalSettings) -> str | None:
    """Say how many object ids of the catalogue name a frame at hand that does not hold the position of their row.

    Returns
    -------
    str or None
        None if the catalogue or the folder of frames is not there yet.

    Raises
    ------
    GalmorphError
        If the catalogue is wrong.
    """
    if not (Path(settings.catalogue).exists() and Path(settings.frames).is_dir()):
        return None
    catalogue, frames = read_table2(Path(settings.catalogue)), find_frames(Path(settings.frames), settings.band)
    misplaced, compared = count_misplaced(catalogue, frames, CHECKED_FRAMES)
    return (
        f"{settings.catalogue}: {misplaced} of {compared} object ids disagree with the position of their row (at most "
        f"{CHECKED_FRAMES} frames at hand are compared)"
    )


def acquire(settings: LocalSettings, sample: SampleSettings, folder: Path) -> list[str]:
    """Copy a sample and its frames.

    Parameters
    ----------
    settings
        The band, and the paths of the frames, Table 2 and the redshifts.
    sample
        How the galaxies are chosen. in_frames: those whose frame is there by object id, or whose position is in any
        frame (galaxies too near its edge are rejected later). first, random: rows of the catalogue, with or without
        a frame (galaxies without one are rejected later).
    folder
        An empty folder. It receives the frames of the sample in the archive's layout (``imaging/...`` for DR7,
        ``frames/301/...`` for DR8+), the tsField files of the same fields, GalaxyZoo1_DR_table2.csv (the sample's
        rows, unchanged) and redshifts.csv (objid, ra, dec, redshift of the galaxies that have one).

    Returns
    -------
    list of str
        The paths of the frames and tsField files.

    Raises
    ------
    GalmorphError
        If a folder or table is missing or wrong, there is no frame of the band, a frame that no object id names cannot
        be read and so might contain a galaxy, or the sample is empty.
    """
    source = Path(settings.frames)
    frames = find_frames(source, settings.band)
    if not frames:
        raise GalmorphError(
            f"{source}: no frame of band {settings.band} (fpC-RRRRRR-{settings.band}C-FFFF.fit.gz or "
            f"frame-{settings.band}-RRRRRR-C-FFFF.fits.bz2); put frames there, or correct local.frames or local.band"
        )
    table2 = Path(settings.catalogue)
    catalogue = read_table2(table2)
    redshifts = empty_redshifts() if settings.redshifts is None else read_redshifts(Path(settings.redshifts))
    if sample.limits.redshift is not None:
        catalogue = join_redshifts(catalogue, redshifts)
    searched = catalogue if sample.rule == "in_frames" else choose_sample(catalogue, sample)
    assignment = assign_frames(searched, frames)
    # An unreadable frame that an object id names becomes that galaxy's reject; others would pass unnoticed.
    named = set(assignment.frame[assignment.by_objid].tolist())
    if unnoticed := [frames[index].path for index in assignment.unreadable if index not in named]:
        raise GalmorphError(
            f"{unnoticed[0]}: the header cannot be read, so it is unknown which galaxies the frame contains "
            f"({len(unnoticed)} such frames); fetch it again or remove it"
        )
    frame_of = pd.Series(assignment.frame, index=searched.index)
    chosen = searched
    if sample.rule == "in_frames":
        held = searched[assignment.frame >= 0]
        if held.empty:
            raise GalmorphError(
                f"{source}: the sample is empty: none of its {len(frames)} frames contains a galaxy of {table2}; "
                "put the frames of its galaxies there, or choose survey.sample.rule first"
            )
        chosen = choose_sample(held, sample)
    if "redshift" not in chosen:
        chosen = join_redshifts(chosen, redshifts)
    used = [frames[index] for index in sorted(set(frame_of[chosen.index]) - {-1})]
    tsfields = find_tsfields(source)
    reruns = _reruns(chosen["objid"].tolist(), tsfields)
    copied = []
    for frame in used:
        rerun = reruns.get(frame.name.place, UNKNOWN_RERUN) if frame.rerun is None else frame.rerun
        copied.append(frame.name.path(rerun))
        _copy(frame.path, folder / copied[-1])
    for place in {frame.name.place for frame in used} & tsfields.keys():
        if name := parse_tsfield_name(tsfields[place].name):
            copied.append(tsfield_path(*name))
            _copy(tsfields[place], folder / copied[-1])
    copy_rows(table2, chosen.index.tolist(), len(catalogue), folder / TABLE2_NAME)
    write_redshifts(chosen, folder / REDSHIFTS_NAME)
    log.info("%d galaxies, %d of %d frames", len(chosen), len(used), len(frames))
    return copied


def _reruns(objids: list[int], tsfields: dict[Place, Path]) -> dict[Place, int]:
    """Return the rerun of each field, from object ids or otherwise from tsField files."""
    reruns = {place: name[1] for place, path in tsfields.items() if (name := parse_tsfield_name(path.name))}
    return reruns | {names.place: names.rerun for names in map(ObjectId.parse, objids) if names is not None}


def _copy(source: Path, destination: Path) -> None:
    if destination.exists():
        raise GalmorphError(f"{source}: there are two such files below the folder of frames; remove one")
    refuse_disguised(source)
    destination.parent.mkdir(parents=True, exist_ok=True)
    if source.suffix in (destination.suffix, ".gz", ".bz2"):
        shutil.copyfile(source, destination)
    else:  # decompressed; without a time, so that the same frame gives the same bytes
        compressed = {".gz": lambda content: gzip.compress(content, mtime=0), ".bz2": bz2.compress}
        destination.write_bytes(compressed[destination.suffix](source.read_bytes()))
