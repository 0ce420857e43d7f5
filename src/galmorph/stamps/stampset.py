"""The files of a set of stamps: images.npy, wide.npy, galaxies.parquet and rejected.csv."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from contextlib import ExitStack
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from galmorph.errors import GalmorphError
from galmorph.files.atomic import whole_folder
from galmorph.sdss.galaxyzoo import VOTES
from galmorph.settings.study import CutoutSettings
from galmorph.stamps.stamp import IMAGES, LOST, WIDE, Results, pixel_bytes, pixels

CATALOGUE_COLUMNS = ("objid", "ra", "dec", "class", "nvote", *(name.lower() for name in VOTES), "redshift")


def write_stamp_set(
    destination: Path, catalogue: Iterable[pd.DataFrame], blocks: Sequence[Path], settings: CutoutSettings
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
        The galaxies requested, some rows at a time, with the columns from objid to redshift.
    blocks
        Folders that `galmorph.stamp.write_block` made: together, exactly one result for each row of the catalogue.
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
    results = Results.read(blocks)
    rejected = np.flatnonzero(~results.accepted)
    with whole_folder(destination) as folder:
        rejects = _write_galaxies(catalogue, results, folder / "galaxies.parquet")
        _refuse_too_many(rejects, results.accepted.size, settings.max_rejected_fraction)
        rejects.to_csv(folder / "rejected.csv", index=False, lineterminator="\n")
        side, wide_side = settings.stamp_size, settings.wide_size
        kept = np.flatnonzero(results.accepted)
        images = pixels(results.block[kept], results.place[kept], [block / IMAGES for block in blocks], side)
        write_array(folder / "images.npy", images, kept.size, side)
        kept = np.flatnonzero(results.has_wide)
        wides = pixels(results.block[kept], results.wide_place[kept], [block / WIDE for block in blocks], wide_side)
        write_array(folder / "wide.npy", wides, kept.size, wide_side)
    return int(results.accepted.sum()), rejected.size


def _write_galaxies(catalogue: Iterable[pd.DataFrame], results: Results, path: Path) -> pd.DataFrame:
    """Write the table of the accepted galaxies, and return that of the others: objid, frame, reason."""
    rejects, start = [], 0
    with ExitStack() as stack:
        writer = None
        for part in catalogue:
            rows = slice(start, start + len(part))
            accepted = results.accepted[rows]
            if accepted.size < len(part):
                raise RuntimeError(LOST)
            table = part[list(CATALOGUE_COLUMNS)].reset_index(drop=True).join(results.of(rows))
            written = pa.Table.from_pandas(table[accepted], preserve_index=False)
            if writer is None:
                writer = stack.enter_context(pq.ParquetWriter(path, written.schema))
            writer.write_table(written)
            others = table.loc[~accepted, ["objid", "frame"]]
            reasons = [results.reasons[start + row] for row in others.index.tolist()]
            rejects.append(others.assign(reason=pd.Series(reasons, index=others.index, dtype="str")))
            start += len(part)
    if start != results.accepted.size:
        raise RuntimeError(LOST)
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
        f"{limit:g} allows. First: {first}. Put right what is named, or raise cutouts.max_rejected_fraction"
    )


def write_array(path: Path, images: Iterable[NDArray[np.float32]], count: int, side: int) -> None:
    """Write a .npy file of `count` images (side, side) float32, one after the other."""
    with path.open("wb") as file:
        header = {"descr": "<f4", "fortran_order": False, "shape": (count, side, side)}
        np.lib.format.write_array_header_1_0(file, header)
        for image in images:
            file.write(pixel_bytes(image))
