"""The files of a set of stamps: images.npy, wide.npy, galaxies.parquet and rejected.csv."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
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
MEASURED_COLUMNS = ("frame", "x", "y", "psf_fwhm", "pixel_scale", "sky", "noise")

_BLOCK = 256


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


def _refuse_too_many(rejects: list[Reject], requested: int, catalogue: pd.DataFrame, limit: float) -> None:
    if len(rejects) <= limit * requested and len(rejects) < requested:
        return
    kinds = Counter(reject.reason.split(":")[0] for reject in rejects)
    counts = ", ".join(f"{count} {kind}" for kind, count in sorted(kinds.items(), key=lambda item: (-item[1], item[0])))
    first = "; ".join(
        f"{catalogue['objid'].iloc[reject.row]} {reject.frame} {reject.reason}".replace("  ", " ")
        for reject in rejects[:3]
    )
    raise GalmorphError(
        f"{len(rejects)} of {requested} galaxies rejected ({counts}), more than cutouts.max_rejected_fraction "
        f"{limit:g} allows. First: {first}. Put right what is named, or raise cutouts.max_rejected_fraction"
    )


def write_stamp_set(
    destination: Path, catalogue: pd.DataFrame, results: Iterable[Stamp | Reject], settings: CutoutSettings
) -> tuple[int, int]:
    """Write a set of stamps; whatever the order of `results`, the files are the same, in the order of the catalogue.

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
    results
        Exactly one for each row of the catalogue, in any order.
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
    requested = len(catalogue)
    stamps: dict[int, Stamp] = {}
    rejects: list[Reject] = []
    with whole_folder(destination) as folder:
        # The number of accepted stamps is known only at the end; until then they lie at their row of the sample.
        scratch = folder / "scratch.npy"
        wide_scratch = folder / "scratch_wide.npy"
        side, wide_side = settings.stamp_size, settings.wide_size
        images = _open(scratch, requested, side)
        wides = _open(wide_scratch, requested, wide_side)
        has_wide = np.zeros(requested, dtype=bool)
        for result in results:
            if isinstance(result, Reject):
                rejects.append(result)
                continue
            images[result.row] = result.image
            if result.wide is not None:
                wides[result.row] = result.wide
                has_wide[result.row] = True
            stamps[result.row] = _without_pixels(result)
        rejects.sort(key=lambda reject: reject.row)
        if sorted([*stamps, *(reject.row for reject in rejects)]) != list(range(requested)):
            raise RuntimeError("a galaxy was neither cut out nor rejected, or twice")
        _refuse_too_many(rejects, requested, catalogue, settings.max_rejected_fraction)

        accepted = np.array(sorted(stamps), dtype=np.int64)
        _compact(images, accepted, folder / "images.npy")
        _compact(wides, np.flatnonzero(has_wide), folder / "wide.npy")
        del images, wides
        scratch.unlink()
        wide_scratch.unlink()
        table = catalogue.iloc[accepted].reset_index(drop=True)[list(CATALOGUE_COLUMNS)]
        for column in MEASURED_COLUMNS:
            table[column] = pd.Series([getattr(stamps[row], column) for row in accepted.tolist()])
        table.assign(has_wide=has_wide[accepted]).to_parquet(folder / "galaxies.parquet", index=False)
        rejected = pd.DataFrame(
            {
                "objid": catalogue["objid"].iloc[[reject.row for reject in rejects]].to_numpy(),
                "frame": [reject.frame for reject in rejects],
                "reason": [reject.reason for reject in rejects],
            }
        )
        rejected.to_csv(folder / "rejected.csv", index=False, lineterminator="\n")
    return len(accepted), len(rejects)


def _without_pixels(stamp: Stamp) -> Stamp:
    nothing = np.empty((0, 0), dtype=np.float32)
    values = {name: getattr(stamp, name) for name in ("row", *MEASURED_COLUMNS)}
    return Stamp(image=nothing, wide=None, **values)


def _open(path: Path, count: int, side: int) -> NDArray[np.float32]:
    array: NDArray[np.float32] = np.lib.format.open_memmap(path, mode="w+", dtype=np.float32, shape=(count, side, side))
    return array


def _compact(source: NDArray[np.float32], rows: NDArray[np.int64], path: Path) -> None:
    """Write some rows of a memory-mapped array to a file, a block at a time."""
    if rows.size == 0:
        np.save(path, np.empty((0, *source.shape[1:]), dtype=np.float32))
        return
    target = _open(path, rows.size, source.shape[1])
    for start in range(0, rows.size, _BLOCK):
        target[start : start + _BLOCK] = source[rows[start : start + _BLOCK]]
    target.flush()  # type: ignore[attr-defined]
