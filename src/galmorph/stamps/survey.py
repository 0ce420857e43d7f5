"""A survey's folder -> its set of stamps."""

from __future__ import annotations

import functools
import logging
import math
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from galmorph.errors import GalmorphError
from galmorph.files.texttable import refuse_repeats
from galmorph.sdss.frame_index import (
    REDSHIFTS_NAME,
    TABLE2_NAME,
    FrameFile,
    assign_frames,
    find_frames,
    find_tsfields,
    read_missing,
)
from galmorph.sdss.frames import read_frame, read_tsfield
from galmorph.sdss.galaxyzoo import read_table2_blocks
from galmorph.sdss.names import ObjectId
from galmorph.sdss.redshifts import join_redshifts, read_redshifts
from galmorph.settings.study import CutoutSettings
from galmorph.stamps.blocks import make_blocks
from galmorph.stamps.cutouts import FRAME_MISSING, FRAME_UNREADABLE, frame_cutouts
from galmorph.stamps.stamp import Reject, Stamp

log = logging.getLogger(__name__)

# A third of a second of work, and no more rows in memory than needed.
FRAMES_PER_BLOCK, GALAXIES_PER_BLOCK = 8, 240


def cut_survey(folder: Path, destination: Path, settings: CutoutSettings, partial: Path) -> tuple[int, int]:
    """Cut the galaxies of a survey out of its frames; each frame is opened once, for all of its galaxies.

    Parameters
    ----------
    folder
        What the sources simulated, sdss and local leave: frames of one band and tsField files, in the archive's
        layout; the sample's rows of Table 2; redshifts. An absolute path, for the workers.
    destination
        The folder to make; `galmorph.stampset.write_stamp_set` says what it holds. x and y are the 0-based position
        in the frame; psf_fwhm is the tsField's psf_width, NaN without one.
    settings
        Sizes, sky, and how many galaxies may be rejected.
    partial
        Where work gathers that a later call goes on with.

    Returns
    -------
    accepted, rejected

    Raises
    ------
    GalmorphError
        If a table or a tsField is wrong, the frames are of several bands, or too many galaxies are rejected.
    """
    table2 = folder / TABLE2_NAME
    # Of the catalogue only this is kept: the rest is read again where it is written.
    sample = pd.concat([block[["objid", "ra", "dec"]] for block in read_table2_blocks(table2)])
    refuse_repeats(sample["objid"].to_numpy(), "OBJID", table2)
    sample, counts = join_redshifts(sample, read_redshifts(folder / REDSHIFTS_NAME))
    log.info("redshifts: %s", counts)
    frames = find_frames(folder)
    bands = sorted({frame.name.band for frame in frames})
    if len(bands) > 1:
        raise GalmorphError(f"{folder}: frames of the bands {', '.join(bands)}; the study is of one: remove the others")
    redshift = sample.pop("redshift")
    catalogue = (block.join(redshift) for block in read_table2_blocks(table2))
    # The limit decides no stamp: whoever raises it goes on with those that were cut.
    work = functools.partial(cut_frames, settings=settings.model_copy(update={"max_rejected_fraction": 0.0}))
    return make_blocks(_requests(sample, frames, folder), work, catalogue, destination, settings, partial, "cutouts")


def _requests(sample: pd.DataFrame, frames: list[FrameFile], folder: Path) -> Iterator[pd.DataFrame]:
    """Say of each galaxy which frame it is cut from, or why from none; a table for each block of work."""
    assignment = assign_frames(sample, frames)
    tsfields = find_tsfields(folder)
    unsearched = len(assignment.unreadable)
    detail = f": {unsearched} of the frames at hand cannot be read, nor searched" if unsearched else ""
    missing = read_missing(folder)
    # Galaxies without a frame are the first.
    order = np.argsort(assignment.frame, kind="stable")
    for rows in np.split(order, np.flatnonzero(np.diff(_blocks(assignment.frame[order]))) + 1):
        block = sample.iloc[rows][["objid", "ra", "dec"]].assign(row=rows)
        files = [frames[index] if index >= 0 else None for index in assignment.frame[rows].tolist()]
        block["frame"] = ["" if file is None else str(file.path) for file in files]
        block["tsfield"] = ["" if file is None else str(tsfields.get(file.place, "")) for file in files]
        # Of a file that was changed by hand, nothing that was cut from it before is used.
        versions = {file.path: _version(file.path) for file in files if file is not None}
        block["version"] = ["" if file is None else versions[file.path] for file in files]
        block["reason"] = [
            (_why_missing(objid, missing) or FRAME_MISSING + detail) if file is None else ""
            for objid, file in zip(block["objid"].tolist(), files, strict=True)
        ]
        yield block.astype(dict.fromkeys(("frame", "tsfield", "version", "reason"), "str"))


def _version(path: Path) -> str:
    stat = path.stat()
    return f"{stat.st_size} {stat.st_mtime_ns}"


def _blocks(frame: NDArray[np.int64]) -> NDArray[np.int64]:
    """Number the blocks: so many frames, or so many galaxies, whichever is reached first, and no frame in two.

    Parameters
    ----------
    frame
        (n,) int64, ascending; the frame of each galaxy.
    """
    _, counts = np.unique(frame, return_counts=True)
    blocks, frames, galaxies, block = [], 0, 0, 0
    for count in counts.tolist():
        if frames == FRAMES_PER_BLOCK or (frames and galaxies + count > GALAXIES_PER_BLOCK):
            frames, galaxies, block = 0, 0, block + 1
        frames, galaxies = frames + 1, galaxies + count
        blocks.append(block)
    return np.repeat(np.asarray(blocks, dtype=np.int64), counts)


def _why_missing(objid: int, missing: dict[tuple[int, int, int], str]) -> str | None:
    """Return the reason that a source gave for the frame that an object id names."""
    try:
        names = ObjectId.decode(objid)
    except GalmorphError:
        return None
    reason = missing.get((names.run, names.camcol, names.field))
    return None if reason is None else f"{FRAME_MISSING}: {reason}"


def cut_frames(requests: pd.DataFrame, settings: CutoutSettings) -> Iterator[Stamp | Reject]:
    """Open the frames of a block, one after the other, and cut their galaxies out; in a worker."""
    for frame, galaxies in requests.groupby("frame", sort=False):
        if frame == "":
            yield from (
                Reject(row, "", reason) for row, reason in zip(galaxies["row"], galaxies["reason"], strict=True)
            )
        else:
            yield from _open_and_cut(Path(str(frame)), galaxies.set_index("row"), settings)


def _open_and_cut(path: Path, galaxies: pd.DataFrame, settings: CutoutSettings) -> Iterator[Stamp | Reject]:
    try:
        frame = read_frame(path)
    except GalmorphError as error:
        # Where the project lies is no business of rejected.csv.
        reason = f"{FRAME_UNREADABLE}: {str(error).removeprefix(f'{path}: ')}"
        yield from (Reject(row, path.name, reason) for row in galaxies.index.tolist())
        return
    tsfield = galaxies["tsfield"].iloc[0]
    psf_fwhm = read_tsfield(Path(tsfield), frame.band).psf_width if tsfield else math.nan
    yield from frame_cutouts(frame, galaxies, settings, psf_fwhm)
