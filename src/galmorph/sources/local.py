"""The survey source local: frames and a catalogue on the disk, in the archive's layout or in a flat folder."""

from __future__ import annotations

import logging
import shutil
from collections.abc import Iterable
from pathlib import Path

import pandas as pd

from galmorph.errors import GalmorphError
from galmorph.files.atomic import atomic_folder
from galmorph.files.texttable import copy_rows
from galmorph.sdss.frame_index import REDSHIFTS_NAME, TABLE2_NAME, FrameFile, assign_frames, find_frames, find_tsfields
from galmorph.sdss.galaxyzoo import read_table2
from galmorph.sdss.names import ObjectId, dr8_frame_path, frame_path, parse_tsfield_name, tsfield_path
from galmorph.sdss.redshifts import empty_redshifts, join_redshifts, known_redshifts, read_redshifts
from galmorph.settings.survey import LocalSettings, SampleSettings
from galmorph.sources.sample import choose_sample

# The rerun, in the path, of a DR7 frame from a flat folder, if neither an object id nor a tsField has it.
UNKNOWN_RERUN = 0

log = logging.getLogger(__name__)


def acquire(settings: LocalSettings, sample: SampleSettings, folder: Path) -> None:
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
        The folder to write. It receives the frames of the sample in the archive's layout (``imaging/...`` for DR7,
        ``frames/301/...`` for DR8+), the tsField files of the same fields, GalaxyZoo1_DR_table2.csv (the sample's
        rows, unchanged) and redshifts.csv (objid, ra, dec, redshift of the galaxies that have one).

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
        catalogue, _ = join_redshifts(catalogue, redshifts)
    searched = catalogue if sample.rule == "in_frames" else choose_sample(catalogue, sample)
    assignment = assign_frames(searched, frames)
    # An unreadable frame that an object id names becomes that galaxy's reject; others would pass unnoticed.
    named = set(assignment.frame[assignment.by_objid].tolist())
    unnoticed = [frames[index].path for index in assignment.unreadable if index not in named]
    if unnoticed:
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
    needed = sorted(index for index in set(frame_of[chosen.index].tolist()) if index >= 0)
    tsfields = find_tsfields(source)
    with atomic_folder(folder) as partial:
        used = [frames[index] for index in needed]
        reruns = _reruns(chosen["objid"].tolist(), tsfields)
        _copy_all((frame.path, partial / _place(frame, reruns)) for frame in used)
        _copy_all(_tsfield_copies(used, tsfields, partial))
        copy_rows(table2, chosen.index.tolist(), len(catalogue), partial / TABLE2_NAME)
        joined, counts = join_redshifts(chosen, redshifts)
        known_redshifts(joined).to_csv(partial / REDSHIFTS_NAME, index=False, lineterminator="\n")
    log.info("redshifts: %s", counts)
    log.info("%d galaxies, %d of %d frames", len(chosen), len(used), len(frames))


def _reruns(objids: list[int], tsfields: dict[tuple[int, int, int], Path]) -> dict[tuple[int, int, int], int]:
    """Return the rerun of each field, from object ids or otherwise from tsField files."""
    reruns = {}
    for objid in objids:
        try:
            names = ObjectId.decode(objid)
        except GalmorphError:
            continue
        reruns[names.run, names.camcol, names.field] = names.rerun
    for place, path in tsfields.items():
        if (name := parse_tsfield_name(path.name)) is not None:
            reruns.setdefault(place, name[1])
    return reruns


def _place(frame: FrameFile, reruns: dict[tuple[int, int, int], int]) -> str:
    run, camcol, field = frame.place
    if frame.name.release == "dr8":
        return dr8_frame_path(run, camcol, field, frame.name.band)
    rerun = reruns.get(frame.place, UNKNOWN_RERUN) if frame.rerun is None else frame.rerun
    return frame_path(run, rerun, camcol, field, frame.name.band)


def _tsfield_copies(
    frames: list[FrameFile], tsfields: dict[tuple[int, int, int], Path], folder: Path
) -> Iterable[tuple[Path, Path]]:
    for place in sorted({frame.place for frame in frames} & tsfields.keys()):
        path = tsfields[place]
        name = parse_tsfield_name(path.name)
        if name is not None:
            yield path, folder / tsfield_path(*name)


def _copy_all(copies: Iterable[tuple[Path, Path]]) -> None:
    for source, destination in copies:
        if destination.exists():
            raise GalmorphError(f"{source}: there are two such files below the folder of frames; remove one")
        destination.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source, destination)
