"""Cut stamps out of frames: the galaxies of one frame, and those of a whole survey."""

from __future__ import annotations

import functools
import logging
import math
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
from astropy.coordinates import SkyCoord
from astropy.wcs.utils import proj_plane_pixel_area
from numpy.typing import NDArray

from galmorph.errors import GalmorphError
from galmorph.files.texttable import read_text_table
from galmorph.sdss.frame_index import (
    REDSHIFTS_NAME,
    TABLE2_NAME,
    FrameFile,
    assign_frames,
    find_frames,
    find_tsfields,
    read_missing,
)
from galmorph.sdss.frames import Frame, read_frame, read_psf_width
from galmorph.sdss.galaxyzoo import read_table2, read_table2_blocks
from galmorph.sdss.names import ObjectId
from galmorph.sdss.redshifts import join_redshifts, read_redshifts
from galmorph.settings.study import CutoutSettings
from galmorph.stamps.blocks import file_version, make_blocks
from galmorph.stamps.pixels import cut, local_sky
from galmorph.stamps.stampset import Reject, Stamp

log = logging.getLogger(__name__)

# Why a galaxy is rejected; a detail may follow after a colon.
TOO_NEAR_THE_EDGE = "too near the edge"
OFF_THE_FRAME = "off the frame"
OTHER_PLACE = "id and position disagree: the object id names this frame, the position lies off it"
FRAME_MISSING = "frame missing"
FRAME_UNREADABLE = "frame unreadable"
NON_FINITE_PIXELS = "non-finite pixels"
FLAT = "all pixels the same"
TOO_LITTLE_SKY = "too little sky"

# A block takes about a third of a second, and its rows little memory.
FRAMES_PER_BLOCK, GALAXIES_PER_BLOCK = 8, 240


def cut_survey(folder: Path, destination: Path, settings: CutoutSettings, partial: Path) -> tuple[int, int]:
    """Cut the galaxies of a survey out of its frames, opening each frame once.

    Parameters
    ----------
    folder
        As written by the sources simulated, sdss and local: frames of one band and tsField files, in the archive's
        layout; the sample's rows of Table 2; redshifts. An absolute path, for the workers.
    destination
        Folder to write, see `galmorph.stamps.stampset.write_stamp_set`. psf_fwhm is the tsField's psf_width, NaN if
        there is no tsField.
    settings
        Sizes of stamps and sky, and the fraction that may be rejected.
    partial
        Folder for finished blocks, with which a later call resumes.

    Returns
    -------
    accepted, rejected

    Raises
    ------
    GalmorphError
        If a table or a tsField is invalid, there are frames of several bands, or too many galaxies are rejected.
    """
    table2 = folder / TABLE2_NAME
    # The other columns are read again when they are written, to save memory.
    sample = join_redshifts(read_table2(table2, ["objid", "ra", "dec"]), read_redshifts(folder / REDSHIFTS_NAME))
    frames = find_frames(folder)
    bands = sorted({frame.name.band for frame in frames})
    if len(bands) > 1:
        raise GalmorphError(f"{folder}: frames of the bands {', '.join(bands)}; a study uses one: remove the others")
    redshift = sample.pop("redshift")

    def catalogue() -> Iterator[pd.DataFrame]:
        return (block.join(redshift) for block in read_table2_blocks(table2))

    # The limit affects no stamp: after raising it, the blocks made before are still valid.
    work = functools.partial(cut_frames, settings=settings.model_copy(update={"max_rejected_fraction": 0.0}))
    counts = make_blocks(_requests(sample, frames, folder), work, catalogue, destination, settings, partial, "cutouts")
    reasons = read_text_table(destination / "rejected.csv", may_be_empty=True)["reason"]
    if disagreeing := int((reasons == OTHER_PLACE).sum()):
        log.warning("%d of %d galaxies: object id and position disagree; are the ids right?", disagreeing, sum(counts))
    return counts


def _requests(sample: pd.DataFrame, frames: list[FrameFile], folder: Path) -> Iterator[pd.DataFrame]:
    """Yield the galaxies of each block with the frame that each is cut from, or the reason if there is none."""
    assignment = assign_frames(sample, frames)
    tsfields = find_tsfields(folder)
    unsearched = len(assignment.unreadable)
    detail = f": {unsearched} of the frames cannot be read, and may contain it" if unsearched else ""
    missing = read_missing(folder)
    # Galaxies without a frame come first.
    order = np.argsort(assignment.frame, kind="stable")
    for rows in np.split(order, np.flatnonzero(np.diff(_blocks(assignment.frame[order]))) + 1):
        block = sample.iloc[rows][["objid", "ra", "dec"]].assign(row=rows)
        files = [frames[index] if index >= 0 else None for index in assignment.frame[rows].tolist()]
        block["frame"] = ["" if file is None else str(file.path) for file in files]
        block["tsfield"] = ["" if file is None else str(tsfields.get(file.name.place, "")) for file in files]
        used = block[["frame", "tsfield"]]
        versions = {path: file_version(Path(path)) for path in set(used.to_numpy().flat) - {""}}
        block["version"] = [" ".join(versions.get(path, "") for path in paths) for paths in used.to_numpy()]
        named = (ObjectId.parse(objid) for objid in block["objid"].tolist())
        reasons = [f": {missing[name.place]}" if name and name.place in missing else detail for name in named]
        block["reason"] = ["" if file else FRAME_MISSING + why for file, why in zip(files, reasons, strict=True)]
        yield block.astype(dict.fromkeys(("frame", "tsfield", "version", "reason"), "str"))


def _blocks(frame: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the block of each galaxy; a block is full after some frames or galaxies, and no frame is divided.

    Parameters
    ----------
    frame
        (n,) int64, ascending: the frame of each galaxy.
    """
    _, counts = np.unique(frame, return_counts=True)
    blocks, frames, galaxies, block = [], 0, 0, 0
    for count in counts.tolist():
        if frames == FRAMES_PER_BLOCK or (frames and galaxies + count > GALAXIES_PER_BLOCK):
            frames, galaxies, block = 0, 0, block + 1
        frames, galaxies = frames + 1, galaxies + count
        blocks.append(block)
    return np.repeat(np.asarray(blocks, dtype=np.int64), counts)


def cut_frames(requests: pd.DataFrame, settings: CutoutSettings) -> Iterator[Stamp | Reject]:
    """Yield the results of a block of requests; runs in a worker."""
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
        # rejected.csv must not depend on the project's location.
        reason = f"{FRAME_UNREADABLE}: {str(error).removeprefix(f'{path}: ')}"
        yield from (Reject(row, path.name, reason) for row in galaxies.index.tolist())
        return
    tsfield = galaxies["tsfield"].iloc[0]
    psf_fwhm = read_psf_width(Path(tsfield), frame.name.band) if tsfield else math.nan
    for result in frame_cutouts(frame, galaxies, settings, psf_fwhm):
        if isinstance(result, Reject) and result.reason == OFF_THE_FRAME:
            name = ObjectId.parse(int(galaxies["objid"].loc[result.row]))
            if name is not None and name.place == frame.name.place:
                yield replace(result, reason=OTHER_PLACE)
                continue
        yield result


def frame_cutouts(
    frame: Frame, galaxies: pd.DataFrame, settings: CutoutSettings, psf_fwhm: float = math.nan
) -> Iterator[Stamp | Reject]:
    """Cut galaxies out of a frame.

    Parameters
    ----------
    frame
        From `galmorph.sdss.frames.read_frame`.
    galaxies
        Columns ra, dec (degrees, ICRS); the index is the row in the catalogue.
    settings
        Sizes of stamps and sky.
    psf_fwhm
        FWHM of the frame's PSF, arcsec.

    Yields
    ------
    Stamp or Reject
        One per galaxy, in their order.
    """
    pixel_scale = math.sqrt(proj_plane_pixel_area(frame.wcs)) * 3600.0
    # SkyCoord, because declination is the first axis of one frame in ten.
    xs, ys = frame.wcs.world_to_pixel(SkyCoord(galaxies["ra"].to_numpy(), galaxies["dec"].to_numpy(), unit="deg"))
    for row, x, y in zip(galaxies.index.tolist(), xs.tolist(), ys.tolist(), strict=True):
        yield _cutout(frame, row, x, y, settings, psf_fwhm, pixel_scale)


def _cutout(
    frame: Frame, row: int, x: float, y: float, settings: CutoutSettings, psf_fwhm: float, pixel_scale: float
) -> Stamp | Reject:
    ny, nx = frame.image.shape
    # Written so that NaN, the pixel position of the far side of the sky, is off the frame too.
    if not (-0.5 <= x < nx - 0.5 and -0.5 <= y < ny - 0.5):
        return Reject(row, frame.name.file, OFF_THE_FRAME)
    image = cut(frame.image, x, y, settings.stamp_size)
    if image is None:
        return Reject(row, frame.name.file, TOO_NEAR_THE_EDGE)
    if not np.isfinite(image).all():
        return Reject(row, frame.name.file, NON_FINITE_PIXELS)
    if image.min() == image.max():
        return Reject(row, frame.name.file, FLAT)
    measured = local_sky(frame.image, x, y, settings.sky_inner, settings.sky_outer)
    if measured is None:
        return Reject(row, frame.name.file, TOO_LITTLE_SKY)
    sky, noise = measured
    wide = cut(frame.image, x, y, settings.wide_size)
    with np.errstate(over="ignore"):
        image -= np.float32(sky)
        wide = None if wide is None else wide - np.float32(sky)
    if not np.isfinite(image).all():
        return Reject(row, frame.name.file, NON_FINITE_PIXELS)
    if wide is not None and not np.isfinite(wide).all():
        wide = None
    return Stamp(row, image, wide, frame.name.file, x, y, psf_fwhm, pixel_scale, sky, noise)
