"""A stamp, a reject, and blocks of them: the results of a piece of work, as a worker leaves them.

Pixels are written and read one stamp at a time, so that the memory needed does not grow with their number.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
from numpy.typing import NDArray

from galmorph.files.atomic import whole_folder

MEASURED_COLUMNS = ("frame", "x", "y", "psf_fwhm", "pixel_scale", "sky", "noise")
NUMBERS = MEASURED_COLUMNS[1:]  # all but the frame

IMAGES, WIDE, RESULTS = "images.f4", "wide.f4", "results.parquet"  # of a block
LOST = "a galaxy was neither cut out nor rejected, or twice"


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
                    images.write(pixel_bytes(result.image))
                    if result.wide is not None:
                        wides.write(pixel_bytes(result.wide))
                    measured = {name: getattr(result, name) for name in MEASURED_COLUMNS}
                    rows.append({"row": result.row, "reason": "", "has_wide": result.wide is not None, **measured})
                else:
                    nothing = dict.fromkeys(MEASURED_COLUMNS, math.nan) | {"frame": result.frame}
                    rows.append({"row": result.row, "reason": result.reason, "has_wide": False, **nothing})
        pd.DataFrame(rows).to_parquet(folder / RESULTS, index=False)


def pixel_bytes(image: NDArray[np.float32]) -> memoryview:
    """Return the pixels of an image as they are written: float32, little-endian, row by row."""
    # Written, not mapped: on a full disk a write is an error, a mapping the death of the process.
    return np.ascontiguousarray(image, dtype="<f4").data


@dataclass(frozen=True)
class Results:
    """What the blocks of a set say, by row of the catalogue.

    Attributes
    ----------
    block, place, wide_place
        (n,) int32: which block has the result, and which image and wide image of that block are its own.
    accepted, has_wide
        (n,) bool.
    measured
        (n, k) float64: MEASURED_COLUMNS but the frame.
    frame
        (n,) int32, index into `frames`.
    reasons
        By row, why a galaxy was rejected.
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
        """Read the results of blocks, one after the other."""
        count = sum(pq.read_metadata(block / RESULTS).num_rows for block in blocks)
        result = cls(
            block=np.full(count, -1, dtype=np.int32),
            place=np.zeros(count, dtype=np.int32),
            wide_place=np.zeros(count, dtype=np.int32),
            accepted=np.zeros(count, dtype=bool),
            has_wide=np.zeros(count, dtype=bool),
            measured=np.empty((count, len(NUMBERS)), dtype=np.float64),
            frame=np.zeros(count, dtype=np.int32),
            frames=[],
            reasons={},
        )
        known: dict[str, int] = {}
        for number, block in enumerate(blocks):
            read = pd.read_parquet(block / RESULTS)
            row, accepted = read["row"].to_numpy(), (read["reason"] == "").to_numpy(dtype=bool)
            if row.max() >= count or (result.block[row] >= 0).any() or np.unique(row).size < row.size:
                raise RuntimeError(LOST)
            result.block[row] = number
            result.place[row] = np.cumsum(accepted) - 1
            result.wide_place[row] = np.cumsum(read["has_wide"]) - 1
            result.accepted[row], result.has_wide[row] = accepted, read["has_wide"]
            result.measured[row] = read[list(NUMBERS)]
            result.frame[row] = [known.setdefault(frame, len(known)) for frame in read["frame"]]
            result.reasons.update(zip(row[~accepted].tolist(), read.loc[~accepted, "reason"], strict=True))
        result.frames.extend(known)
        return result

    def of(self, rows: slice) -> pd.DataFrame:
        """Return the measurements of some rows as a table."""
        table = pd.DataFrame(self.measured[rows], columns=list(NUMBERS))
        table["frame"] = pd.Series([self.frames[code] for code in self.frame[rows].tolist()], dtype="str")
        return table.assign(has_wide=self.has_wide[rows])[[*MEASURED_COLUMNS, "has_wide"]]


def pixels(
    blocks: NDArray[np.int32], places: NDArray[np.int32], files: Sequence[Path], side: int
) -> Iterator[NDArray[np.float32]]:
    """Yield the images of some results, which lie at some place in the file of some block."""
    opened: dict[int, NDArray[np.float32]] = {}
    for block, place in zip(blocks, places, strict=True):
        if block not in opened:
            opened[block] = np.memmap(files[block], dtype="<f4", mode="r").reshape(-1, side, side)
        yield opened[block][place]
