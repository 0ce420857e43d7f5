"""Find the frames in a folder, and the frame of each galaxy."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from astropy.coordinates import SkyCoord
from astropy.wcs import WCS
from numpy.typing import NDArray

from galmorph.errors import GalmorphError
from galmorph.files.reading import files_below
from galmorph.files.texttable import find_columns, read_text_table
from galmorph.sdss.frames import read_frame_wcs
from galmorph.sdss.names import FrameName, ObjectId, Place, parse_tsfield_name

TABLE2_NAME = "GalaxyZoo1_DR_table2.csv"
REDSHIFTS_NAME = "redshifts.csv"
MISSING_NAME = "missing.csv"
FRAME_DIAGONAL_DEG = 0.28  # 2048 x 1489 pixels of 0.396 arcsec


@dataclass(frozen=True)
class FrameFile:
    """A frame on disk.

    Attributes
    ----------
    rerun
        For DR7 the rerun in its path, ``.../{run}/{rerun}/corr/{camcol}/file``; None in a flat folder.
    """

    path: Path
    name: FrameName
    rerun: int | None


def write_missing(failures: Mapping[str, str], folder: Path) -> None:
    """Write missing.csv: the files that could not be downloaded, and why."""
    table = pd.DataFrame({"path": list(failures), "reason": list(failures.values())}, dtype=str)
    table.to_csv(folder / MISSING_NAME, index=False, lineterminator="\n")


def read_missing(folder: Path) -> dict[Place, str]:
    """Read from missing.csv, if there is one, why frames are missing, by run, camcol and field."""
    path = folder / MISSING_NAME
    if not path.exists():
        return {}
    table = find_columns(read_text_table(path, may_be_empty=True), path, ("path", "reason"))
    names = (FrameName.parse(Path(file).name) for file in table["path"])
    return {name.place: reason for name, reason in zip(names, table["reason"], strict=True) if name is not None}


@dataclass(frozen=True)
class Assignment:
    """The frame of each galaxy.

    Attributes
    ----------
    frame
        (n,) int64, index into the list of frames; -1 if no frame contains the galaxy.
    by_objid
        (n,) bool, whether the frame was found by the object id.
    unreadable
        Indices of the frames whose headers could not be read when galaxies were searched by position.
    """

    frame: NDArray[np.int64]
    by_objid: NDArray[np.bool_]
    unreadable: tuple[int, ...]


def find_frames(folder: Path, band: str | None = None) -> list[FrameFile]:
    """Find the frames below a folder, of one band or of all, sorted by path.

    Of a frame that lies beside its own compressed file, the compressed one is found.

    Raises
    ------
    GalmorphError
        If there is no such folder.
    """
    if not folder.is_dir():
        raise GalmorphError(f"{folder}: no such folder; put the frames there, or correct its name in params.yaml")
    frames = []
    paths = set(files_below(folder))
    for path in sorted(paths):
        name = FrameName.parse(path.name)
        beside = name is not None and path.name != name.file and path.with_name(name.file) in paths
        if name is not None and band in (None, name.band) and not beside:
            rerun = re.search(rf"/{name.run}/(\d+)/corr/{name.camcol}/[^/]+$", path.as_posix())
            frames.append(FrameFile(path, name, int(rerun[1]) if rerun else None))
    return frames


def find_tsfields(folder: Path) -> dict[Place, Path]:
    """Find the tsField files below a folder, by run, camcol and field; of several reruns the last."""
    found: dict[Place, tuple[int, Path]] = {}
    for path in sorted(files_below(folder)):
        if (name := parse_tsfield_name(path.name)) is not None:
            run, rerun, camcol, field = name
            found[run, camcol, field] = max((rerun, path), found.get((run, camcol, field), (-1, path)))
    return {place: path for place, (_, path) in found.items()}


def assign_frames(galaxies: pd.DataFrame, frames: Sequence[FrameFile]) -> Assignment:
    """Find the frame of each galaxy: the one that its object id names, otherwise one that contains its position.

    Neighbouring frames overlap. The object id names the frame in which the object was found; of several others, the
    one in which the galaxy is farthest from the edge is used.

    Parameters
    ----------
    galaxies
        Columns objid, ra, dec (degrees, ICRS). An objid that is not of DR7 names no frame.
    frames
        As `find_frames` returns them. A DR7 frame is preferred to a DR8+ frame of the same field; of several reruns,
        the one that the object id names, otherwise the last.
    """
    assigned = _by_objid(galaxies, frames)
    by_objid = assigned >= 0
    left = np.flatnonzero(~by_objid)
    unreadable: list[int] = []
    if left.size:
        assigned[left], unreadable = _by_position(galaxies.iloc[left], frames)
    return Assignment(assigned, by_objid, tuple(unreadable))


def count_misplaced(galaxies: pd.DataFrame, frames: Sequence[FrameFile], most: int | None = None) -> tuple[int, int]:
    """Count the galaxies whose position does not lie on the frame that their object id names.

    Parameters
    ----------
    galaxies, frames
        As in `assign_frames`. A galaxy whose frame is not among them, or cannot be read, is not compared.
    most
        Number of frames whose headers are read, evenly from all; None: all of them.

    Returns
    -------
    misplaced, compared
    """
    assigned = _by_objid(galaxies, frames)
    named = np.unique(assigned[assigned >= 0])
    if most is not None and named.size > most:
        named = named[np.linspace(0, named.size - 1, most).astype(int)]
    misplaced = compared = 0
    for index in named.tolist():
        try:
            wcs, (ny, nx) = read_frame_wcs(frames[index].path)
        except GalmorphError:
            continue
        here = galaxies[assigned == index]
        x, y = wcs.world_to_pixel(SkyCoord(here["ra"].to_numpy(), here["dec"].to_numpy(), unit="deg"))
        inside = (x >= -0.5) & (x < nx - 0.5) & (y >= -0.5) & (y < ny - 0.5)
        misplaced, compared = misplaced + int((~inside).sum()), compared + len(here)
    return misplaced, compared


def count_scattered(galaxies: pd.DataFrame) -> tuple[int, int]:
    """Count the frames whose galaxies lie farther apart than a frame reaches, by object id and position alone.

    Parameters
    ----------
    galaxies
        Columns objid, ra, dec (degrees, ICRS).

    Returns
    -------
    scattered, compared
        Of the frames that the object ids of two or more galaxies name.
    """
    rows: dict[Place, list[int]] = defaultdict(list)
    for row, objid in enumerate(galaxies["objid"].tolist()):
        if (name := ObjectId.parse(objid)) is not None:
            rows[name.place].append(row)
    sky = SkyCoord(galaxies["ra"].to_numpy(), galaxies["dec"].to_numpy(), unit="deg")
    directions = sky.cartesian.xyz.value.T
    nearest = np.cos(np.deg2rad(FRAME_DIAGONAL_DEG))
    shared = [directions[here] for here in rows.values() if len(here) > 1]
    return sum(bool((here @ here[0] < nearest).any()) for here in shared), len(shared)


def _by_objid(galaxies: pd.DataFrame, frames: Sequence[FrameFile]) -> NDArray[np.int64]:
    """Return the frame that each object id names, as `Assignment.frame`."""
    candidates: dict[Place, list[int]] = defaultdict(list)
    for index, frame in enumerate(frames):
        candidates[frame.name.place].append(index)
    assigned = np.full(len(galaxies), -1, dtype=np.int64)
    for row, objid in enumerate(galaxies["objid"].tolist()):
        names = ObjectId.parse(objid)
        if names is not None and names.place in candidates:
            assigned[row] = max(candidates[names.place], key=lambda index: _preference(frames[index], names.rerun))
    return assigned


def _preference(frame: FrameFile, rerun: int) -> tuple[bool, bool, int]:
    return (frame.name.release == "dr7", frame.rerun == rerun, -1 if frame.rerun is None else frame.rerun)


def _by_position(galaxies: pd.DataFrame, frames: Sequence[FrameFile]) -> tuple[NDArray[np.int64], list[int]]:
    sky = SkyCoord(galaxies["ra"].to_numpy(), galaxies["dec"].to_numpy(), unit="deg")
    directions = sky.cartesian.xyz.value
    best = np.full(len(galaxies), -1, dtype=np.int64)
    room = np.zeros(len(galaxies))
    unreadable = []
    for index, frame in enumerate(frames):
        try:
            wcs, (ny, nx) = read_frame_wcs(frame.path)
        except GalmorphError:
            unreadable.append(index)
            continue
        near = np.flatnonzero(_near(directions, wcs, nx, ny))
        if near.size:
            x, y = wcs.world_to_pixel(sky[near])
            distance = np.min([x + 0.5, y + 0.5, nx - 0.5 - x, ny - 0.5 - y], axis=0)
            better = distance > room[near]
            room[near[better]] = distance[better]
            best[near[better]] = index
    return best, unreadable


def _near(directions: NDArray[np.float64], wcs: WCS, nx: int, ny: int) -> NDArray[np.bool_]:
    """Return which directions are in the circle around a frame, which is faster than computing pixels."""
    corners = wcs.pixel_to_world([(nx - 1) / 2, -0.5, nx - 0.5, -0.5, nx - 0.5], [(ny - 1) / 2, -0.5, -0.5, ny, ny])
    vectors = corners.cartesian.xyz.value
    centre = vectors[:, 0]
    inside: NDArray[np.bool_] = centre @ directions >= (centre @ vectors[:, 1:]).min() - 1e-9
    return inside
