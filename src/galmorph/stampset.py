"""The files of a set of stamps: images.npy, wide.npy, galaxies.parquet and rejected.csv; and of its blocks.

Pixels are written and read one stamp at a time, so that the memory needed does not grow with the set.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from galmorph.atomic import whole_folder
from galmorph.errors import GalmorphError
from galmorph.galaxyzoo import VOTES
from galmorph.settings import CutoutSettings

CATALOGUE_COLUMNS = ("objid", "ra", "dec", "class", "nvote", *(name.lower() for name in VOTES), "redshift")
IMAGES, WIDE, RESULTS = "images.f4", "wide.f4", "results.parquet"  # of a block

MEASURED_COLUMNS = ("frame", "x", "y", "psf_fwhm", "pixel_scale", "sky", "noise")


@dataclass(frozen=True)
class Stamp:
    """A galaxy that was cut out.

    Attributes
    ----------
    row
        Its row in the sample.
    image, wide
        (size, size) and (wide_size, wide_size) float32, DN after sky subtraction, (y, x); wide is None where the
        frame is too small around the galaxy.
    frame
        Name of the file it comes from.
    x, y
        Its position there, 0-based pixels.
    psf_fwhm, pixel_scale
        arcsec; NaN where unknown.
    sky, noise
        DN a pixel.
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
    """A galaxy that was not: its row in the sample, the frame (or ""), and "kind of reason: detail"."""

    row: int
    frame: str
    reason: str


def write_block(destination: Path, results: Iterable[Stamp | Reject]) -> None:
    """Write some results to a folder that appears when everything is in it.

    It holds results.parquet, one row for each result, and the pixels of the stamps, one after the other: images.f4 and,
    of those that have one, wide.f4 (float32, little-endian, no header).
    """
    rows = []
    with whole_folder(destination) as folder:
        with (folder / IMAGES).open("wb") as images, (folder / WIDE).open("wb") as wides:
            for result in results:
                if isinstance(result, Stamp):
                    images.write(_bytes(result.image))
                    if result.wide is not None:
                        wides.write(_bytes(result.wide))
                    measured = {name: getattr(result, name) for name in MEASURED_COLUMNS}
                    rows.append({"row": result.row, "reason": "", "has_wide": result.wide is not None, **measured})
                else:
                    nothing = dict.fromkeys(MEASURED_COLUMNS, math.nan) | {"frame": result.frame}
                    rows.append({"row": result.row, "reason": result.reason, "has_wide": False, **nothing})
        pd.DataFrame(rows).to_parquet(folder / RESULTS, index=False)


def write_stamp_set(
    destination: Path, catalogue: pd.DataFrame, blocks: Sequence[Path], settings: CutoutSettings
) -> tuple[int, int]:
    """Write a set of stamps; whatever the order of the blocks, the files are the same, in the order of the catalogue.

    Parameters
    ----------
    destination
        A folder, which is replaced when everything is written. It then holds

        - images.npy: (n, size, size) float32, DN after sky subtraction, (y, x);
        - wide.npy: (m, wide_size, wide_size) float32, likewise, one for each galaxy with has_wide, in the order of
          the table (so the wide stamp of a galaxy is number `has_wide[:i].sum()`);
        - galaxies.parquet: row i describes image i: objid, ra, dec, class, nvote, the shares of the votes (p_el, ...),
          redshift, frame, x, y, psf_fwhm, pixel_scale, sky, noise, has_wide;
        - rejected.csv: objid, frame, reason.
    catalogue
        The galaxies requested, with the columns from objid to redshift.
    blocks
        Folders that `write_block` made: together, exactly one result for each row of the catalogue.
    settings
        Sizes, and how many may be rejected.

    Returns
    -------
    accepted, rejected

    Raises
    ------
    GalmorphError
        If more than max_rejected_fraction of the galaxies, or all of them, are rejected. Nothing is then written.
    """
    results = pd.concat([_read_block(block, number) for number, block in enumerate(blocks)]).sort_values("row")
    if results["row"].tolist() != list(range(len(catalogue))):
        raise RuntimeError("a galaxy was neither cut out nor rejected, or twice")
    rejected = (results["reason"] != "").to_numpy(dtype=bool)
    table = catalogue[list(CATALOGUE_COLUMNS)].reset_index(drop=True)
    for column in (*MEASURED_COLUMNS, "has_wide", "reason"):
        table[column] = results[column].to_numpy()
    _refuse_too_many(table[rejected], len(table), settings.max_rejected_fraction)
    accepted = results[~rejected]
    with whole_folder(destination) as folder:
        side, wide_side = settings.stamp_size, settings.wide_size
        images = _pixels(accepted["block"], accepted["place"], [block / IMAGES for block in blocks], side)
        _write_array(folder / "images.npy", images, len(accepted), side)
        wide = accepted[accepted["has_wide"]]
        wides = _pixels(wide["block"], wide["wide_place"], [block / WIDE for block in blocks], wide_side)
        _write_array(folder / "wide.npy", wides, len(wide), wide_side)
        table[~rejected].drop(columns="reason").to_parquet(folder / "galaxies.parquet", index=False)
        table.loc[rejected, ["objid", "frame", "reason"]].to_csv(
            folder / "rejected.csv", index=False, lineterminator="\n"
        )
    return len(accepted), int(rejected.sum())


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
        f"{limit:g} allows. First: {first}. Put right what is named, or raise cutouts.max_rejected_fraction"
    )


def _read_block(block: Path, number: int) -> pd.DataFrame:
    results = pd.read_parquet(block / RESULTS)
    accepted = results["reason"] == ""
    return results.assign(block=number, place=accepted.cumsum() - 1, wide_place=results["has_wide"].cumsum() - 1)


def _pixels(blocks: pd.Series, places: pd.Series, files: Sequence[Path], side: int) -> Iterator[NDArray[np.float32]]:
    """Yield the images of some results, which lie at some place in the file of some block."""
    opened: dict[int, NDArray[np.float32]] = {}
    for block, place in zip(blocks.tolist(), places.tolist(), strict=True):
        if block not in opened:
            opened[block] = np.memmap(files[block], dtype="<f4", mode="r").reshape(-1, side, side)
        yield opened[block][place]


def _bytes(image: NDArray[np.float32]) -> memoryview:
    # Written, not mapped: on a full disk a write is an error, a mapping the death of the process.
    return np.ascontiguousarray(image, dtype="<f4").data


def _write_array(path: Path, images: Iterable[NDArray[np.float32]], count: int, side: int) -> None:
    """Write a .npy file, one image after the other."""
    with path.open("wb") as file:
        header = {"descr": "<f4", "fortran_order": False, "shape": (count, side, side)}
        np.lib.format.write_array_header_1_0(file, header)
        for image in images:
            file.write(_bytes(image))
