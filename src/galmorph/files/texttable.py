"""Read CSV tables as text, a block of rows at a time, and convert columns with errors that name the line."""

from __future__ import annotations

import csv
import gzip
import re
import textwrap
import zlib
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import IO, cast

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pacsv
from numpy.typing import NDArray

from galmorph.errors import GalmorphError
from galmorph.files.reading import regular_file

BLOCK = 2**17  # bytes of text in memory at once, and of the longest row
FIRST_LINE = 2  # the line in the file of row 0: the header is line 1


def read_blocks(path: Path, *, may_be_empty: bool = False) -> Iterator[pd.DataFrame]:
    """Read a CSV or a gzipped CSV as text, some rows at a time; the index of a block counts the rows of the file.

    Raises
    ------
    GalmorphError
        If the file is missing, damaged or not a CSV, has a row with more or fewer cells than columns, a line break in
        a cell, or no rows (unless `may_be_empty`).
    """
    rows = 0
    try:
        with _open(path) as stream:
            columns = _columns(stream)
            for batch in _batches(stream, columns):
                block = batch.to_pandas()
                block.index = pd.RangeIndex(rows, rows + len(block))
                _refuse_line_breaks(batch, rows, path)
                rows += len(block)
                yield block
    except FileNotFoundError:
        raise GalmorphError(f"{path}: no such file; put the table there or correct its name in params.yaml") from None
    except (OSError, EOFError, zlib.error) as error:
        raise GalmorphError(f"{path}: damaged or cut short ({error}); fetch the file again") from None
    except (pa.ArrowException, UnicodeDecodeError, csv.Error) as error:
        raise GalmorphError(f"{path}: not a CSV table ({error}); correct the table, or fetch the file again") from None
    if rows == 0 and not may_be_empty:
        raise GalmorphError(f"{path}: a header and no rows; put the table in its place")


def read_text_table(path: Path, *, may_be_empty: bool = False) -> pd.DataFrame:
    """Read a whole CSV or gzipped CSV as text; see `read_blocks`."""
    return pd.concat(list(read_blocks(path, may_be_empty=may_be_empty)))


def require_columns(table: pd.DataFrame, columns: tuple[str, ...], path: Path) -> None:
    """Raise GalmorphError with the name of the first column that is missing or there twice."""
    if len(twice := table.columns[table.columns.duplicated() & (table.columns != "")]):
        raise GalmorphError(f"{path}: two columns {twice[0]}; rename or remove one of them")
    for column in columns:
        if column not in table.columns:
            raise GalmorphError(f"{path}: no column {column}; the columns needed are {', '.join(columns)}")


def refuse_rows(wrong: pd.Series | NDArray[np.bool_], table: pd.DataFrame, column: str, why: str, path: Path) -> None:
    """Raise GalmorphError if rows are wrong, with the line and cell of the first and the number of the others.

    Parameters
    ----------
    wrong
        (n,) bool.
    table
        (n rows) of text, as `read_blocks` returns it.
    column
        The column that is wrong.
    why
        What is wrong, as the end of a sentence about the cell.
    path
        The file.
    """
    rows = np.flatnonzero(np.asarray(wrong, dtype=bool))
    if rows.size:
        row, more = int(rows[0]), f" ({rows.size - 1} more such rows)" if rows.size > 1 else ""
        first = table.columns[0]
        shown = "" if column == first else f" ({first} {table[first].iloc[row]})"
        cell = table[column].iloc[row]
        place = f"line {int(table.index[row]) + FIRST_LINE}{shown}"
        raise GalmorphError(f"{path}: {place}: {column} {cell!r} {why}{more}; correct the table")


def whole_numbers(table: pd.DataFrame, column: str, path: Path) -> NDArray[np.int64]:
    """Convert a column of text to int64, not by way of float, which has too few digits for object ids.

    Raises
    ------
    GalmorphError
        If a cell is not a whole number from 0.
    """
    text = table[column].str.strip()
    refuse_rows(~text.str.fullmatch(r"\d{1,18}|[1-8]\d{18}"), table, column, "is not a whole number", path)
    return np.asarray(text.astype(np.int64), dtype=np.int64)


def real_numbers(
    table: pd.DataFrame, column: str, path: Path, low: float, high: float, *, blank: bool = False, unit: str = ""
) -> NDArray[np.float64]:
    """Convert a column of text to float64 within [low, high], in `unit`; with `blank`, an empty cell becomes NaN.

    Raises
    ------
    GalmorphError
        If a cell is not such a number.
    """
    try:
        # Ten times as fast as pandas, but it converts every cell or none.
        values = np.array(pc.cast(pa.array(table[column], type=pa.string()), pa.float64()))
    except pa.ArrowInvalid:
        values = pd.to_numeric(table[column], errors="coerce").to_numpy(dtype=np.float64)
    wrong = ~((values >= low) & (values <= high))
    if blank:
        wrong &= (table[column].str.strip() != "").to_numpy(dtype=bool)
    refuse_rows(wrong, table, column, f"is not a number from {low:g} to {high:g} {unit}".rstrip(), path)
    return values


def copy_rows(source: Path, rows: Collection[int], count: int, destination: Path) -> None:
    """Copy the header and some rows of a table, character by character.

    Parameters
    ----------
    source
        A CSV or a gzipped CSV.
    rows
        Row numbers, from 0; they are copied in the order of the file.
    count
        The number of rows that `read_blocks` finds.
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


def _open(path: Path) -> IO[bytes]:
    path = regular_file(path)
    return cast(IO[bytes], gzip.open(path, "rb") if path.suffix == ".gz" else path.open("rb"))


def _columns(stream: IO[bytes]) -> list[str]:
    """Read the header."""
    line = "\n"
    while line and not line.strip():
        line = stream.readline(BLOCK + 1).decode("utf-8-sig")
    if len(line) > BLOCK:
        raise csv.Error(f"a header of more than {BLOCK:,} bytes")
    if not line.strip():
        raise csv.Error("it is empty")
    (columns,) = csv.reader([line], strict=True)
    return columns


def _shorten(error: Exception, first: int) -> str:
    """Shorten an error of pyarrow and give the line in the file instead of the row after row `first`."""
    words = textwrap.shorten(str(error).removeprefix("CSV parse error: "), 120)
    return re.sub(r"Row #(\d+):", lambda found: f"line {first + int(found[1]) + FIRST_LINE - 1}:", words)


def _pieces(stream: IO[bytes]) -> Iterator[bytes]:
    """Read whole lines, about `BLOCK` bytes at a time."""
    rest = b""
    while block := stream.read(BLOCK):
        rest += block
        end = max(rest.rfind(b"\n"), rest.rfind(b"\r")) + 1
        if not end and len(rest) > BLOCK:
            raise csv.Error(f"a row of more than {BLOCK:,} bytes")
        if end:
            yield rest[:end]
        rest = rest[end:]
    if rest:
        yield rest


def _refuse_line_breaks(batch: pa.RecordBatch, first: int, path: Path) -> None:
    """Raise GalmorphError if a cell holds a line break: a stray quote makes one cell of all that follows."""
    for name, cells in zip(batch.schema.names, batch.columns, strict=True):
        broken = np.flatnonzero(pc.match_substring_regex(cells, "[\r\n]").to_numpy(zero_copy_only=False))
        if broken.size:
            raise GalmorphError(
                f"{path}: line {first + int(broken[0]) + FIRST_LINE}: {name} holds a line break, or begins with a "
                "quote that is not closed; correct the table"
            )


def _batches(stream: IO[bytes], columns: list[str]) -> Iterator[pa.RecordBatch]:
    """Read the rows below the header as text.

    pyarrow gets bytes and not the file, from which it would read ahead in a thread: if the file is closed meanwhile,
    the process can crash.
    """
    rows = 0
    for piece in _pieces(stream):
        try:
            table = pacsv.read_csv(
                pa.BufferReader(piece),
                pacsv.ReadOptions(column_names=columns, block_size=len(piece) + 1, use_threads=False),
                pacsv.ParseOptions(newlines_in_values=True),
                pacsv.ConvertOptions(column_types=dict.fromkeys(columns, pa.string()), strings_can_be_null=False),
            )
        except pa.ArrowInvalid as error:
            if str(error) == "Empty CSV file":
                continue  # blank lines alone
            raise csv.Error(_shorten(error, rows)) from None
        yield from table.to_batches()
        rows += table.num_rows
    if not rows:
        yield pa.RecordBatch.from_arrays([pa.array([], pa.string()) for _ in columns], names=columns)
