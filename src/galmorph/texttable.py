"""CSV tables read as text, a block of rows at a time, and turned into numbers with the line of what is wrong."""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import IO, cast

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from galmorph.errors import GalmorphError

BLOCK = 500  # rows in memory as text at once

# A row of a table is named by its line in the file; the header is line 1.
_FIRST_LINE = 2


def _open(path: Path) -> IO[bytes]:
    return cast(IO[bytes], gzip.open(path, "rb") if path.suffix == ".gz" else path.open("rb"))


def read_blocks(path: Path, *, may_be_empty: bool = False) -> Iterator[pd.DataFrame]:
    """Read a CSV, or a gzipped one, with every cell as text; a block's index says which rows of the file it holds.

    Raises
    ------
    GalmorphError
        If the file is missing, damaged, not a CSV, or (unless it `may_be_empty`) has a header and no rows.
    """
    rows = 0
    try:
        with _open(path) as stream:
            blocks = pd.read_csv(
                stream, dtype=str, keep_default_na=False, encoding="utf-8-sig", index_col=False, chunksize=BLOCK
            )
            for block in blocks:
                rows += len(block)
                yield block
            # Only at the end of a gzip stream is its checksum compared, and pandas may stop before.
            stream.read()
    except FileNotFoundError:
        raise GalmorphError(f"{path}: no such file; put the table there or correct its name in params.yaml") from None
    except pd.errors.EmptyDataError:
        raise GalmorphError(f"{path}: empty; put the table in its place") from None
    except (OSError, EOFError, zlib.error) as error:
        raise GalmorphError(f"{path}: damaged or cut short ({error}); fetch the file again") from None
    except (pd.errors.ParserError, UnicodeDecodeError) as error:
        raise GalmorphError(f"{path}: not a CSV table ({str(error).strip()}); fetch the file again") from None
    if rows == 0 and not may_be_empty:
        raise GalmorphError(f"{path}: a header and no rows; put the table in its place")


def read_text_table(path: Path) -> pd.DataFrame:
    """Read a whole table as text: row i of the result is the i-th row below the header.

    Raises
    ------
    GalmorphError
        As `read_blocks` does.
    """
    return pd.concat(list(read_blocks(path)))


def require_columns(table: pd.DataFrame, columns: tuple[str, ...], path: Path) -> None:
    """Stop with the name of the first column that a table lacks."""
    for column in columns:
        if column not in table.columns:
            raise GalmorphError(f"{path}: no column {column}; the columns needed are {', '.join(columns)}")


def refuse_rows(wrong: pd.Series | NDArray[np.bool_], table: pd.DataFrame, column: str, why: str, path: Path) -> None:
    """Stop with the first row that is wrong: its line, its cell, why, and how many more there are (in its block)."""
    rows = np.flatnonzero(np.asarray(wrong, dtype=bool))
    if rows.size:
        row, more = int(rows[0]), f" ({rows.size - 1} more such rows)" if rows.size > 1 else ""
        first = table.columns[0]
        shown = "" if column == first else f" ({first} {table[first].iloc[row]})"
        cell = table[column].iloc[row]
        place = f"line {int(table.index[row]) + _FIRST_LINE}{shown}"
        raise GalmorphError(f"{path}: {place}: {column} {cell!r} {why}{more}; correct the table")


def whole_numbers(table: pd.DataFrame, column: str, path: Path) -> NDArray[np.int64]:
    """Convert a column of text to int64 without passing through float, which has too few digits for object ids."""
    text = table[column].str.strip()
    refuse_rows(~text.str.fullmatch(r"\d{1,18}|[1-8]\d{18}"), table, column, "is not a whole number", path)
    return np.asarray(text.astype(np.int64), dtype=np.int64)


def real_numbers(
    table: pd.DataFrame, column: str, path: Path, low: float, high: float, *, blank: bool = False
) -> NDArray[np.float64]:
    """Convert a column of text to float64 within [low, high]; with `blank`, an empty cell becomes NaN."""
    try:
        # Ten times as fast as pandas, but all or nothing.
        values = np.array(pc.cast(pa.array(table[column], type=pa.string()), pa.float64()))
    except pa.ArrowInvalid:
        values = pd.to_numeric(table[column], errors="coerce").to_numpy(dtype=np.float64)
    wrong = ~((values >= low) & (values <= high))
    if blank:
        wrong &= (table[column].str.strip() != "").to_numpy(dtype=bool)
    refuse_rows(wrong, table, column, f"is not a number from {low:g} to {high:g}", path)
    return values


def refuse_repeats(values: NDArray[np.int64], column: str, path: Path) -> None:
    """Stop where a number stands in a column for the second time."""
    repeated = np.flatnonzero(pd.Series(values).duplicated())
    if repeated.size:
        table = pd.DataFrame({column: values[repeated].astype(str)}, index=repeated)
        refuse_rows(np.ones(repeated.size, dtype=bool), table, column, "stands in the table twice", path)


def copy_rows(source: Path, rows: Collection[int], count: int, destination: Path) -> None:
    """Copy the header and some rows of a table that has been read and checked, character by character.

    Parameters
    ----------
    source
        A CSV or a gzipped CSV.
    rows
        Row numbers below the header, from 0; they are written in the order of the file.
    count
        How many rows the reader of the table found.
    destination
        The file to write, not compressed.

    Raises
    ------
    GalmorphError
        If the lines of the file are not its rows, because a cell holds a line break.
    """
    wanted = frozenset(rows)
    line_number = -1  # of the header; row 0 follows
    with _open(source) as stream, destination.open("w", encoding="utf-8", newline="\n") as copy:
        for line in stream:
            text = line.decode("utf-8-sig" if line_number < 0 else "utf-8").rstrip("\r\n")
            if not text.strip():
                continue
            if line_number < 0 or line_number in wanted:
                copy.write(f"{text}\n")
            line_number += 1
    if line_number != count:
        raise GalmorphError(f"{source}: {line_number} lines for {count} rows; remove line breaks within cells")
