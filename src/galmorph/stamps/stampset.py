"""A set of stamps on disk: blocks of results, and the files that they are joined into.

Pixels are written and read one stamp at a time, so that memory use does not grow with the number of galaxies.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from galmorph.errors import GalmorphError
from galmorph.files.atomic import atomic_folder
from galmorph.sdss.galaxyzoo import VOTES
from galmorph.settings.study import CutoutSettings

# Columns of galaxies.parquet: of the catalogue, and measured (these are followed by has_wide).
CATALOGUE_COLUMNS = ("objid", "ra", "dec", "class", "nvote", *(name.lower() for name in VOTES), "redshift")
MEASURED_COLUMNS = ("frame", "x", "y", "psf_fwhm", "pixel_scale", "sky", "noise")

_NUMBERS = MEASURED_COLUMNS[1:]
_IMAGES, _WIDE, _RESULTS = "images.f4", "wide.f4", "results.parquet"  # files of a block
_LOST = "a galaxy was neither cut out nor rejected, or twice"


@dataclass(frozen=True)
class Stamp:
    """A galaxy that was cut out.

    Attributes
    ----------
    row
        Row of the galaxy in the catalogue.
    image, wide
        (size, size) and (wide_size, wide_size) float32, DN after sky subtraction, (y, x); wide is None if the galaxy
        is too near an edge of the frame.
    frame
        Name of the frame's file.
    x, y
        Position of the galaxy in the frame, 0-based pixels.
    psf_fwhm, pixel_scale
        arcsec; NaN if unknown.
    sky, noise
        DN per pixel.
    """

    row: int
    image: NDArray[np.float32]
    wide: NDArray[np.float32] | None
    frame: str
    x: float
    y: float
    psf_fwhm: float
    pixel_scale: float
    sky: float
    noise: float


@dataclass(frozen=True)
class Reject:
    """A galaxy that was not cut out.

    Attributes
    ----------
    row
        Row of the galaxy in the catalogue.
    frame
        Name of the frame's file, or "".
    reason
        "kind" or "kind: detail".
    """

    row: int
    frame: str
    reason: str


def write_block(destination: Path, results: Iterable[Stamp | Reject]) -> None:
    """Write a block of results as a folder, atomically.

    The folder contains results.parquet, one row per result, and the pixels of the stamps and of the wide stamps:
    images.f4 and wide.f4 (float32, little-endian, no header).
    """
    rows = []
    with atomic_folder(destination) as folder:
        with (folder / _IMAGES).open("wb") as images, (folder / _WIDE).open("wb") as wides:
            for result in results:
                if isinstance(result, Stamp):
                    images.write(_pixel_bytes(result.image))
                    if result.wide is not None:
                        wides.write(_pixel_bytes(result.wide))
                    measured = {name: getattr(result, name) for name in MEASURED_COLUMNS}
                    rows.append({"row": result.row, "reason": "", "has_wide": result.wide is not None, **measured})
                else:
                    nothing = dict.fromkeys(MEASURED_COLUMNS, math.nan) | {"frame": result.frame}
                    rows.append({"row": result.row, "reason": result.reason, "has_wide": False, **nothing})
        pd.DataFrame(rows).to_parquet(folder / _RESULTS, index=False)


def write_stamp_set(
    destination: Path, catalogue: Iterable[pd.DataFrame], blocks: Sequence[Path], settings: CutoutSettings
) -> tuple[int, int]:
    """Join blocks into a set of stamps, in the order of the catalogue whatever the order of the blocks.

    Parameters
    ----------
    destination
        Folder to write, atomically. It contains

        - images.npy: (n, size, size) float32, DN after sky subtraction, (y, x);
        - wide.npy: (m, wide_size, wide_size) float32, likewise, of the galaxies with has_wide, in the order of the
          table (the wide stamp of galaxy i is number `has_wide[:i].sum()`);
        - galaxies.parquet: row i describes image i: objid, ra, dec, class, nvote, the shares of the votes (p_el, ...),
          redshift, frame, x, y, psf_fwhm, pixel_scale, sky, noise, has_wide;
        - rejected.csv: objid, frame, reason.
    catalogue
        Tables with at least `CATALOGUE_COLUMNS`; together, the requested galaxies.
    blocks
        Folders from `write_block`; together, exactly one result for each row of the catalogue.
    settings
        Sizes, and the fraction that may be rejected.

    Returns
    -------
    accepted, rejected

    Raises
    ------
    GalmorphError
        If more than max_rejected_fraction of the galaxies, or all of them, are rejected. Nothing is written.
    """
    results = _Results.read(blocks)
    rejected = np.flatnonzero(~results.accepted)
    with atomic_folder(destination) as folder:
        rejects = _write_galaxies(catalogue, results, folder / "galaxies.parquet")
        _refuse_too_many(rejects, results.accepted.size, settings.max_rejected_fraction)
        rejects.to_csv(folder / "rejected.csv", index=False, lineterminator="\n")
        kept = np.flatnonzero(results.accepted)
        files = [block / _IMAGES for block in blocks]
        images = _read_pixels(results.block[kept], results.place[kept], files, settings.stamp_size)
        write_array(folder / "images.npy", images, kept.size, settings.stamp_size)
        kept = np.flatnonzero(results.has_wide)
        files = [block / _WIDE for block in blocks]
        wides = _read_pixels(results.block[kept], results.wide_place[kept], files, settings.wide_size)
        write_array(folder / "wide.npy", wides, kept.size, settings.wide_size)
    return int(results.accepted.sum()), rejected.size


def write_array(path: Path, images: Iterable[NDArray[np.float32]], count: int, side: int) -> None:
    """Write a .npy file of `count` images, each (side, side) float32, one at a time."""
    with path.open("wb") as file:
        header = {"descr": "<f4", "fortran_order": False, "shape": (count, side, side)}
        np.lib.format.write_array_header_1_0(file, header)
        for image in images:
            file.write(_pixel_bytes(image))


@dataclass(frozen=True)
class _Results:
    """The results of all blocks, by row of the catalogue.

    Attributes
    ----------
    block, place, wide_place
        (n,) int32: block of the result, and index of its image and wide image within that block.
    accepted, has_wide
        (n,) bool
    measured
        (n, k) float64: `MEASURED_COLUMNS` without the frame.
    frame
        (n,) int32, index into `frames`.
    reasons
        Why a galaxy was rejected, by row.
    """

    block: NDArray[np.int32]
    place: NDArray[np.int32]
    wide_place: NDArray[np.int32]
    accepted: NDArray[np.bool_]
    has_wide: NDArray[np.bool_]
    measured: NDArray[np.float64]
    frame: NDArray[np.int32]
    frames: list[str]
    reasons: dict[int, str]

    @classmethod
    def read(cls, blocks: Sequence[Path]) -> Self:
        """Read the results of blocks."""
        count = sum(pq.read_metadata(block / _RESULTS).num_rows for block in blocks)
        result = cls(
            block=np.full(count, -1, dtype=np.int32),
            place=np.zeros(count, dtype=np.int32),
            wide_place=np.zeros(count, dtype=np.int32),
            accepted=np.zeros(count, dtype=bool),
            has_wide=np.zeros(count, dtype=bool),
            measured=np.empty((count, len(_NUMBERS)), dtype=np.float64),
            frame=np.zeros(count, dtype=np.int32),
            frames=[],
            reasons={},
        )
        known: dict[str, int] = {}
        for number, block in enumerate(blocks):
            read = pd.read_parquet(block / _RESULTS)
            row, accepted = read["row"].to_numpy(), (read["reason"] == "").to_numpy(dtype=bool)
            if row.max() >= count or (result.block[row] >= 0).any() or np.unique(row).size < row.size:
                raise RuntimeError(_LOST)
            result.block[row] = number
            result.place[row] = np.cumsum(accepted) - 1
            result.wide_place[row] = np.cumsum(read["has_wide"]) - 1
            result.accepted[row], result.has_wide[row] = accepted, read["has_wide"]
            result.measured[row] = read[list(_NUMBERS)]
            result.frame[row] = [known.setdefault(frame, len(known)) for frame in read["frame"]]
            result.reasons.update(zip(row[~accepted].tolist(), read.loc[~accepted, "reason"], strict=True))
        result.frames.extend(known)
        return result

    def table(self, rows: slice) -> pd.DataFrame:
        """Return the measured columns and has_wide of some rows."""
        table = pd.DataFrame(self.measured[rows], columns=list(_NUMBERS))
        table["frame"] = pd.Series([self.frames[code] for code in self.frame[rows].tolist()], dtype="str")
        return table.assign(has_wide=self.has_wide[rows])[[*MEASURED_COLUMNS, "has_wide"]]


def _read_pixels(
    blocks: NDArray[np.int32], places: NDArray[np.int32], files: Sequence[Path], side: int
) -> Iterator[NDArray[np.float32]]:
    """Yield images, given the block of each, its index within the block, and the file of each block."""
    opened: dict[int, NDArray[np.float32]] = {}
    for block, place in zip(blocks, places, strict=True):
        if block not in opened:
            opened[block] = np.memmap(files[block], dtype="<f4", mode="r").reshape(-1, side, side)
        yield opened[block][place]


def _pixel_bytes(image: NDArray[np.float32]) -> memoryview:
    """Return the pixels of an image as little-endian float32, row by row."""
    # Written, not memory-mapped: on a full disk a write raises an error, a mapping kills the process.
    return np.ascontiguousarray(image, dtype="<f4").data


def _write_galaxies(catalogue: Iterable[pd.DataFrame], results: _Results, path: Path) -> pd.DataFrame:
    """Write the table of accepted galaxies; return objid, frame and reason of the rejected ones."""
    rejects, start = [], 0
    with ExitStack() as stack:
        writer = None
        for part in catalogue:
            rows = slice(start, start + len(part))
            accepted = results.accepted[rows]
            if accepted.size < len(part):
                raise RuntimeError(_LOST)
            table = part[list(CATALOGUE_COLUMNS)].reset_index(drop=True).join(results.table(rows))
            written = pa.Table.from_pandas(table[accepted], preserve_index=False)
            if writer is None:
                writer = stack.enter_context(pq.ParquetWriter(path, written.schema))
            writer.write_table(written)
            others = table.loc[~accepted, ["objid", "frame"]]
            reasons = [results.reasons[start + row] for row in others.index.tolist()]
            rejects.append(others.assign(reason=pd.Series(reasons, index=others.index, dtype="str")))
            start += len(part)
    if start != results.accepted.size:
        raise RuntimeError(_LOST)
    return pd.concat(rejects)


def _refuse_too_many(rejects: pd.DataFrame, requested: int, limit: float) -> None:
    if len(rejects) <= limit * requested and len(rejects) < requested:
        return
    kinds = Counter(reason.split(":")[0] for reason in rejects["reason"])
    counts = ", ".join(f"{count} {kind}" for kind, count in sorted(kinds.items(), key=lambda item: (-item[1], item[0])))
    first = "; ".join(
        f"{objid} {frame} {reason}".replace("  ", " ")
        for objid, frame, reason in rejects[["objid", "frame", "reason"]].head(3).itertuples(index=False)
    )
    raise GalmorphError(
        f"{len(rejects)} of {requested} galaxies rejected ({counts}), more than cutouts.max_rejected_fraction "
        f"{limit:g} allows. First: {first}. Fix their cause, or raise cutouts.max_rejected_fraction"
    )
