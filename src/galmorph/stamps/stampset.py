"""A set of stamps on disk: blocks of results, and the files that they are joined into.

Pixels are written and read one stamp at a time, so that memory use does not grow with the number of galaxies.
"""

from __future__ import annotations

import hashlib
import logging
from collections import Counter
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

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

# Why stamps with the same pixels are rejected; a detail follows after a colon.
SAME_PIXELS = "same pixels as another galaxy"
SAME_PIXELS_OTHER_CLASS = "same pixels under several classes"
SAME_PIXELS_ELSEWHERE = "same pixels as a galaxy of the training survey"

_IMAGES, _WIDE, _RESULTS = "images.f4", "wide.f4", "results.parquet"  # files of a block
_LOST = "a galaxy was neither cut out nor rejected, or twice"

log = logging.getLogger(__name__)


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
        DN per pixel; in pixels of stamps from elsewhere, what `origin.pixel_unit` says.
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
    images.f4 and wide.f4 (float32, little-endian, no header). Its column pixels is a hash of the stamp's pixels.
    """
    rows = []
    with atomic_folder(destination) as folder:
        with (folder / _IMAGES).open("wb") as images, (folder / _WIDE).open("wb") as wides:
            for result in results:
                row = {name: value for name, value in vars(result).items() if name not in ("image", "wide")}
                if isinstance(result, Stamp):
                    images.write(_pixel_bytes(result.image))
                    if result.wide is not None:
                        wides.write(_pixel_bytes(result.wide))
                    digest = pixel_hash(result.image)
                    row |= {"reason": "", "has_wide": result.wide is not None, "pixels": digest}
                rows.append({"has_wide": False, "pixels": ""} | row)
        columns = ["row", "reason", "has_wide", "pixels", *MEASURED_COLUMNS]
        pd.DataFrame(rows, columns=columns).to_parquet(folder / _RESULTS, index=False)


def pixel_hash(image: NDArray[np.float32]) -> str:
    """Return a hash of the pixels of an image."""
    return hashlib.blake2b(_pixel_bytes(image), digest_size=16).hexdigest()


def write_stamp_set(
    destination: Path,
    catalogue: Callable[[], Iterable[pd.DataFrame]],
    blocks: Sequence[Path],
    settings: CutoutSettings,
    known: Mapping[str, int] = MappingProxyType({}),
) -> tuple[int, int]:
    """Join blocks into a set of stamps, in the order of the catalogue whatever the order of the blocks.

    Of galaxies with the same pixels the first is kept: in a split, the others would be tested on pixels that trained.
    Where their classes differ, all are rejected, because nothing says which class is right.

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
        Called for the tables, with at least `CATALOGUE_COLUMNS`; together, the requested galaxies.
    blocks
        Folders from `write_block`; together, exactly one result for each row of the catalogue.
    settings
        Sizes, and the fraction that may be rejected.
    known
        Hash of the pixels to object id of galaxies of another set, on which networks train: the same are rejected.

    Returns
    -------
    accepted, rejected

    Raises
    ------
    GalmorphError
        If more than max_rejected_fraction of the galaxies, or all of them, are rejected. Nothing is written.
    """
    results = _reject_known(_reject_same_pixels(_read_results(blocks), catalogue), known)
    accepted = results[results["reason"] == ""]
    wide = results[results["has_wide"]]
    with atomic_folder(destination) as folder:
        rejects = _write_galaxies(catalogue(), results, folder / "galaxies.parquet")
        _refuse_too_many(rejects, len(results), settings.max_rejected_fraction)
        rejects.to_csv(folder / "rejected.csv", index=False, lineterminator="\n")
        images = _read_pixels(accepted, "place", blocks, _IMAGES, settings.stamp_size)
        write_array(folder / "images.npy", images, len(accepted), settings.stamp_size)
        wides = _read_pixels(wide, "wide_place", blocks, _WIDE, settings.wide_size)
        write_array(folder / "wide.npy", wides, len(wide), settings.wide_size)
    return len(accepted), len(rejects)


def write_row_groups(path: Path, tables: Iterable[pd.DataFrame]) -> int:
    """Write tables to one parquet file, each as a row group; return their number."""
    count, writer = 0, None
    with ExitStack() as stack:
        for table in tables:
            group = pa.Table.from_pandas(table, preserve_index=False)
            writer = writer or stack.enter_context(pq.ParquetWriter(path, group.schema))
            writer.write_table(group)
            count += 1
    return count


def write_array(path: Path, images: Iterable[NDArray[np.float32]], count: int, side: int) -> None:
    """Write a .npy file of `count` images, each (side, side) float32, one at a time."""
    with path.open("wb") as file:
        header = {"descr": "<f4", "fortran_order": False, "shape": (count, side, side)}
        np.lib.format.write_array_header_1_0(file, header)
        for image in images:
            file.write(_pixel_bytes(image))


def _read_results(blocks: Sequence[Path]) -> pd.DataFrame:
    """Return the results of blocks by row of the catalogue, each with its block and the places of its images there."""
    parts = []
    for number, block in enumerate(blocks):
        part = pd.read_parquet(block / _RESULTS)
        places = {"place": (part["reason"] == "").cumsum() - 1, "wide_place": part["has_wide"].cumsum() - 1}
        parts.append(part.assign(block=number, **places))
    results = pd.concat(parts).set_index("row").sort_index()
    if not results.index.equals(pd.RangeIndex(len(results))):
        raise RuntimeError(_LOST)
    return results


def _reject_same_pixels(results: pd.DataFrame, catalogue: Callable[[], Iterable[pd.DataFrame]]) -> pd.DataFrame:
    """Return the results with a reason for each galaxy that has the same pixels as an earlier one."""
    pixels = results.loc[results["reason"] == "", "pixels"]
    pixels = pixels[pixels.duplicated(keep=False)]
    if pixels.empty:
        return results
    named = pd.concat([part[["objid", "class"]] for part in catalogue()], ignore_index=True).loc[pixels.index]
    reasons: dict[Hashable, str] = {}
    for _, group in named.groupby(pixels, sort=False):
        rows, objids = group.index.tolist(), group["objid"].tolist()
        if group["class"].nunique() == 1:
            reasons |= dict.fromkeys(rows[1:], f"{SAME_PIXELS}: {objids[0]}, which is kept")
        else:
            members = ", ".join(f"{objid} {kind}" for objid, kind in zip(objids, group["class"], strict=True))
            reasons |= dict.fromkeys(rows, f"{SAME_PIXELS_OTHER_CLASS}: {members}")
    log.warning("%d stamps have the same pixels as another; %d of them are rejected", len(pixels), len(reasons))
    return _rejected(results, reasons)


def _reject_known(results: pd.DataFrame, known: Mapping[str, int]) -> pd.DataFrame:
    """Return the results with a reason for each galaxy that has the same pixels as one of another set."""
    pixels = results.loc[results["reason"] == "", "pixels"]
    reasons = {row: f"{SAME_PIXELS_ELSEWHERE}: {known[each]}" for row, each in pixels.items() if each in known}
    if not reasons:
        return results
    log.warning("stamps with the same pixels as a galaxy of the training survey, which are rejected: %d", len(reasons))
    return _rejected(results, reasons)


def _rejected(results: pd.DataFrame, reasons: Mapping[Hashable, str]) -> pd.DataFrame:
    """Return the results with reasons by row."""
    reason = pd.Series(reasons, dtype="str").reindex(results.index).fillna(results["reason"])
    return results.assign(reason=reason, has_wide=results["has_wide"] & (reason == ""))


def _read_pixels(
    results: pd.DataFrame, place: str, blocks: Sequence[Path], file: str, side: int
) -> Iterator[NDArray[np.float32]]:
    """Yield the image of each result; column `place` is its index in the file of its block."""
    opened: dict[int, NDArray[np.float32]] = {}
    for block, index in zip(results["block"].tolist(), results[place].tolist(), strict=True):
        if block not in opened:
            opened[block] = np.memmap(blocks[block] / file, dtype="<f4", mode="r").reshape(-1, side, side)
        yield opened[block][index]


def _pixel_bytes(image: NDArray[np.float32]) -> memoryview:
    """Return the pixels of an image as little-endian float32, row by row."""
    # Written, not memory-mapped: on a full disk a write raises an error, a mapping kills the process.
    return np.ascontiguousarray(image, dtype="<f4").data


def _write_galaxies(catalogue: Iterable[pd.DataFrame], results: pd.DataFrame, path: Path) -> pd.DataFrame:
    """Write the table of accepted galaxies; return objid, frame and reason of the rejected ones."""
    rejects = []

    def accepted() -> Iterator[pd.DataFrame]:
        start = 0
        for part in catalogue:
            found = results[start : start + len(part)].reset_index(drop=True)
            start += len(part)
            if start > len(results):
                raise RuntimeError(_LOST)
            table = part[list(CATALOGUE_COLUMNS)].reset_index(drop=True).join(found)
            rejected = table["reason"] != ""
            rejects.append(table.loc[rejected, ["objid", "frame", "reason"]])
            yield table.loc[~rejected, [*CATALOGUE_COLUMNS, *MEASURED_COLUMNS, "has_wide"]]
        if start < len(results):
            raise RuntimeError(_LOST)

    write_row_groups(path, accepted())
    return pd.concat(rejects)


def _refuse_too_many(rejects: pd.DataFrame, requested: int, limit: float) -> None:
    if len(rejects) <= limit * requested and len(rejects) < requested:
        return
    kinds = Counter(reason.split(":")[0] for reason in rejects["reason"])
    counts = ", ".join(f"{count} {kind}" for kind, count in sorted(kinds.items(), key=lambda item: (-item[1], item[0])))
    rows = rejects[["objid", "frame", "reason"]].head(3).astype(str).to_numpy().tolist()
    first = "; ".join(" ".join(filter(None, row)) for row in rows)
    raise GalmorphError(
        f"{len(rejects)} of {requested} galaxies rejected ({counts}), more than cutouts.max_rejected_fraction "
        f"{limit:g} allows. First: {first}. Fix their cause, or raise cutouts.max_rejected_fraction"
    )
