"""New galaxies: a folder of stamps, or a frame and positions on it."""

from __future__ import annotations

import functools
import math
import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from galmorph.errors import GalmorphError
from galmorph.files.texttable import find_columns, object_ids, read_text_table, real_numbers, refuse_rows
from galmorph.sdss.frames import Frame, read_frame
from galmorph.sdss.galaxyzoo import sexagesimal
from galmorph.settings.fields import ARCSEC_BOUNDS, CLASS_NAMES
from galmorph.settings.study import CutoutSettings
from galmorph.settings.survey import StampsSettings
from galmorph.sources.pictures import ENDINGS
from galmorph.sources.stamps import read_stamps
from galmorph.stamps.cutouts import frame_cutouts
from galmorph.stamps.stampset import Reject, Stamp

Read = Callable[[pd.DataFrame], Iterator[Stamp | Reject]]


@dataclass(frozen=True)
class Targets:
    """Galaxies to be classified.

    Attributes
    ----------
    table
        One row for each, index 0, 1, ...: name (str), ra, dec (degrees; NaN where unknown), class (str; empty where
        unknown), and what `read` needs.
    read
        Called with some rows of it: yields a `Stamp` or a `Reject` for each, in their order. It can be pickled.
    source
        Where they come from, for people.
    hint
        What to look at if none of them can be used.
    """

    table: pd.DataFrame
    read: Read
    source: str
    hint: str


def stamp_targets(
    folder: Path, labels: Path | None, stamps: StampsSettings, cutouts: CutoutSettings, sky_subtracted: bool = False
) -> Targets:
    """List the stamps of a folder; they are read as those of the source `stamps` are.

    Parameters
    ----------
    folder
        FITS, npy, PNG or JPEG.
    labels
        A CSV with a column stamp (file name); optional name or objid, ra, dec (degrees, or as in Galaxy Zoo 1),
        pixel_scale (arcsec) and class, which is only compared. None: all stamps of the folder, by name.
    stamps, cutouts
        How those of the training were read.
    sky_subtracted
        Whether the stamps have no sky. Otherwise it is measured on the border of each, and subtracted.

    Raises
    ------
    GalmorphError
        If there is no such folder or no stamp in it, or the labels are wrong or name a stamp that is not there.
    """
    if not folder.is_dir():
        raise GalmorphError(f"{folder}: no such folder; --stamps names the folder that the stamps lie in")
    names = sorted(path.name for path in folder.iterdir() if path.name.lower().endswith(ENDINGS))
    present = [name for name in names if not name.startswith(".")]  # editors and file managers leave those
    if labels is None:
        if not present:
            raise GalmorphError(f"{folder}: no stamp in it (none ends in {', '.join(ENDINGS)})")
        if odd := [name for name in present if name.encode(errors="replace") != name.encode(errors="surrogateescape")]:
            raise GalmorphError(f"{folder}: the name {os.fsencode(odd[0])!r} is not UTF-8; rename the file")
        table = pd.DataFrame({"stamp": present})
    else:
        table = _read_columns(labels, ("stamp",), ("name", "objid", "ra", "dec", "pixel_scale", "class"))
        table["stamp"] = table["stamp"].str.strip()
        refuse_rows(~table["stamp"].isin(present), table, "stamp", f"is no stamp in {folder}", labels)
        refuse_rows(table["stamp"].duplicated(), table, "stamp", "is in the table twice", labels)
    scale = _numbers(table, "pixel_scale", labels or folder, *ARCSEC_BOUNDS)
    default = math.nan if stamps.pixel_scale is None else stamps.pixel_scale
    targets = _describe(table, table["stamp"], labels or folder).assign(
        pixel_scale=np.where(np.isnan(scale), default, scale),
        psf_fwhm=math.nan,
        row=table.index,
        stamp=table["stamp"],
    )
    function = read_subtracted if sky_subtracted else read_stamps
    read = functools.partial(function, folder=folder.resolve(), settings=stamps, cutouts=cutouts)
    hint = "docs/classify.md says how stamps must be made"
    return Targets(targets, read, f"stamps in {folder.resolve().name}", hint)


def frame_targets(frame: Path, positions: Path, cutouts: CutoutSettings) -> Targets:
    """List positions on a frame; they are cut out as the galaxies of a survey are.

    Parameters
    ----------
    frame
        A DR7 or DR8+ frame, named as the archive names it.
    positions
        A CSV with columns ra, dec: degrees, or hours:minutes:seconds and degrees:minutes:seconds as in Galaxy Zoo 1;
        optional name or objid, and class, which is only compared.
    cutouts
        How the stamps of the training were cut.

    Raises
    ------
    GalmorphError
        If the frame cannot be read, or the table is wrong.
    """
    opened = _read_frame(frame.resolve())
    table = _read_columns(positions, ("ra", "dec"), ("name", "objid", "class"))
    targets = _describe(table, pd.Series(np.arange(1, len(table) + 1).astype(str)), positions)
    refuse_rows(targets[["ra", "dec"]].isna().any(axis=1), table, "ra", "and dec: one of them is empty", positions)
    read = functools.partial(read_positions, frame=frame.resolve(), cutouts=cutouts)
    ny, nx = opened.image.shape
    centre = opened.wcs.pixel_to_world((nx - 1) / 2, (ny - 1) / 2)
    hint = (
        f"the middle of the frame is at RA {centre.ra.deg:.4f}, Dec {centre.dec.deg:+.4f} degrees; are the positions "
        "meant for it?"
    )
    return Targets(targets, read, f"positions on {frame.name}", hint)


def read_subtracted(
    requests: pd.DataFrame, folder: Path, settings: StampsSettings, cutouts: CutoutSettings
) -> Iterator[Stamp | Reject]:
    """Read stamps whose sky is subtracted already: what is measured as sky on their borders is added again."""
    for result in read_stamps(requests, folder, settings, cutouts):
        if isinstance(result, Stamp):
            result = replace(result, image=result.image + np.float32(result.sky), wide=None, sky=0.0)
        yield result


def read_positions(requests: pd.DataFrame, frame: Path, cutouts: CutoutSettings) -> Iterator[Stamp | Reject]:
    """Cut positions out of a frame."""
    yield from frame_cutouts(_read_frame(frame), requests, cutouts)


@functools.lru_cache(maxsize=1)
def _read_frame(path: Path) -> Frame:
    """Read a frame, once for all blocks of a process."""
    return read_frame(path)


def _read_columns(path: Path, needed: Sequence[str], optional: Sequence[str]) -> pd.DataFrame:
    """Read a table of text, and log which columns are used."""
    return find_columns(read_text_table(path), path, needed, optional, announce=True)


def _describe(table: pd.DataFrame, names: pd.Series, path: Path) -> pd.DataFrame:
    """Return name, ra, dec and class; `names` are those of a table that has none."""
    if column := next((column for column in ("name", "objid") if column in table.columns), None):
        names = table[column].str.strip()
        refuse_rows(names == "", table, column, "is empty", path)
        if column == "objid" and names.str.fullmatch(r"[\d.]+([eE][+]?\d+)?").all():
            object_ids(table, column, path)
        refuse_rows(names.duplicated(), table, column, "is in the table twice", path)
    kinds = table["class"].str.strip() if "class" in table.columns else pd.Series([""] * len(table))
    refuse_rows(~kinds.isin([*CLASS_NAMES, ""]), table, "class", f"is not one of {', '.join(CLASS_NAMES)}", path)
    return pd.DataFrame(
        {
            "name": names.astype("str"),
            "ra": _angles(table, "ra", path, (0.0, 360.0), "hour"),
            "dec": _angles(table, "dec", path, (-90.0, 90.0), "degree"),
            "class": kinds.astype("str"),
        }
    )


def _numbers(table: pd.DataFrame, column: str, path: Path, low: float, high: float) -> NDArray[np.float64]:
    if column not in table.columns:
        return np.full(len(table), math.nan)
    unit = "arcsec" if (low, high) == ARCSEC_BOUNDS else ""
    return real_numbers(table, column, path, low, high, blank=True, unit=unit)


def _angles(
    table: pd.DataFrame, column: str, path: Path, bounds: tuple[float, float], unit: str
) -> NDArray[np.float64]:
    """Convert a column of angles to degrees; where there are colons, it is sexagesimal, in hours or degrees."""
    if column not in table.columns or not table[column].str.contains(":").any():
        return _numbers(table, column, path, *bounds)
    hour = 15.0 if unit == "hour" else 1.0
    return hour * sexagesimal(table, column, path, bounds[1] / hour, f"{unit}s:minutes:seconds")
