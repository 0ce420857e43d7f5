"""Read the arrays and tables of the pipeline, with errors that name the file and the remedy."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
from numpy.typing import NDArray

from galmorph.errors import GalmorphError, own_words
from galmorph.files.reading import regular_file

REMEDY = "dvc checkout restores it, dvc repro makes it anew"


@contextmanager
def _reading(path: Path, kind: str) -> Iterator[None]:
    """Turn any error into a GalmorphError."""
    try:
        yield
    except FileNotFoundError:
        raise GalmorphError(f"{path}: no such file; {REMEDY}") from None
    except Exception as error:  # for damaged files numpy, pyarrow and pandas raise two dozen types between them
        raise GalmorphError(f"{path}: not a whole {kind}{own_words(error)}; {REMEDY}") from None


def open_stamps(path: Path) -> NDArray[np.float32]:
    """Open a .npy file of stamps as a memory map.

    Returns
    -------
    (n, size, size) float32
        DN, (y, x).

    Raises
    ------
    GalmorphError
        If it is missing, cut short, or holds something else.
    """
    with _reading(path, ".npy file"):
        # numpy.load leaves a damaged archive open, and reads more kinds of file than this one.
        images = np.lib.format.open_memmap(regular_file(path), mode="r")
    if not isinstance(images, np.ndarray) or images.dtype != np.float32 or images.ndim != 3:
        raise GalmorphError(f"{path}: not stamps (n, size, size) of float32; {REMEDY}")
    if images.shape[1] != images.shape[2]:
        raise GalmorphError(f"{path}: stamps of {images.shape[2]} x {images.shape[1]} pixels, not square; {REMEDY}")
    return images


def table_columns(path: Path) -> list[str]:
    """Return the column names of a parquet table.

    Raises
    ------
    GalmorphError
        If it is missing or damaged.
    """
    with _reading(path, "parquet table"):
        return list(pq.read_schema(regular_file(path)).names)


def read_table(
    path: Path, columns: Sequence[str] | None = None, filters: list[tuple[str, str, Any]] | None = None
) -> pd.DataFrame:
    """Read a parquet table.

    Parameters
    ----------
    columns
        The columns to read; None: all.
    filters
        The rows to read, as in `pandas.read_parquet`.

    Raises
    ------
    GalmorphError
        If it is missing, damaged, or lacks a column.
    """
    present = table_columns(path)
    wanted = [*(columns or ()), *(name for name, _, _ in filters or ())]
    if missing := [name for name in wanted if name not in present]:
        raise GalmorphError(f"{path}: no column {missing[0]}; {REMEDY}")
    with _reading(path, "parquet table"):
        return pd.read_parquet(regular_file(path), columns=None if columns is None else list(columns), filters=filters)
