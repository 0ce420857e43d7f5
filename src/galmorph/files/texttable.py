"""Read CSV tables as text, a block of rows at a time, find their columns, and convert cells with errors by line."""

from __future__ import annotations

import csv
import itertools
import logging
import re
import zlib
from collections.abc import Collection, Iterator, Sequence
from pathlib import Path
from typing import IO

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pacsv
from numpy.typing import NDArray

from galmorph.errors import GalmorphError, counted, own_words
from galmorph.files.textlines import numbered_lines, open_text

log = logging.getLogger(__name__)

# Other headings of a column, in the form of `_key`.
SYNONYMS = {
    "objid": ("objiddr7", "dr7objid"),
    "ra": ("raj2000", "radeg"),
    "dec": ("dej2000", "decj2000", "decdeg"),
    "redshift": ("z", "zspec", "specz"),
    "pixel_scale": ("pixscale",),
    "psf_fwhm": ("seeing",),
}
MAGNITUDES = {"g", "r", "i"}  # beside them z is a magnitude

_SEPARATORS = {",": "comma", ";": "semicolon", "\t": "tab"}
_FIRST_LINE = 2  # the line of row 0, where no line is blank or a comment
_ROUNDED = (
    (1000, "a spreadsheet keeps 15 digits of a number and writes zeros for the others"),
    (64, "a float64 holds no other numbers of this size, and pandas makes it of a column with empty cells"),
)
_FEW = 3  # whole ids are multiples of 64 by chance: of three, once in 260,000 tables


def read_blocks(path: Path, *, may_be_empty: bool = False) -> Iterator[pd.DataFrame]:
    """Read a CSV as text, some rows at a time; the index of a block counts the rows of the file.

    Columns are separated by commas, semicolons or tabs, whichever the header has; blank lines and lines that begin
    with # are no rows. `galmorph.files.textlines` says which files can be read.

    Raises
    ------
    GalmorphError
        If the file is missing, damaged or not a CSV, has a row with more or fewer cells than columns, a line break in
        a cell, or no rows (unless `may_be_empty`).
    """
    rows = 0
    try:
        with open_text(path) as stream:
            for table in _tables(stream, path):
                block = table.to_pandas()
                block.index = pd.RangeIndex(rows, rows + len(block))
                rows += len(block)
                yield block
    except FileNotFoundError:
        raise GalmorphError(f"{path}: no such file; put the table there or correct its name in params.yaml") from None
    except (OSError, EOFError, zlib.error) as error:
        fault = "cannot be read" if own_words(error) else "damaged or cut short"
        raise GalmorphError(f"{path}: {fault}{own_words(error)}; fetch the file again") from None
    if rows == 0 and not may_be_empty:
        raise GalmorphError(f"{path}: a header and no rows; put the table in its place")


def read_text_table(path: Path, *, may_be_empty: bool = False) -> pd.DataFrame:
    """Read a whole CSV as text; see `read_blocks`."""
    return pd.concat(list(read_blocks(path, may_be_empty=may_be_empty)))


def find_columns(
    table: pd.DataFrame, path: Path, needed: Sequence[str], optional: Sequence[str] = (), *, announce: bool = False
) -> pd.DataFrame:
    """Find columns by their headings, whose case, blanks, hyphens and underscores do not count.

    Parameters
    ----------
    table
        As `read_blocks` returns it.
    path
        Its file.
    needed, optional
        Names of columns. `SYNONYMS` has other headings of some.
    announce
        Whether to log which columns are used and which are not.

    Returns
    -------
    pandas.DataFrame
        The columns that were found, under the names asked for, in the order of the file.

    Raises
    ------
    GalmorphError
        If a needed column is missing, or two columns have the name of one.
    """
    keys = [_key(heading) for heading in table.columns]
    names = {_key(name): name for name in (*needed, *optional)}
    for name in (*needed, *optional):
        for other in SYNONYMS.get(name.lower(), ()):
            if other != "z" or not MAGNITUDES & set(keys):
                names.setdefault(other, name)
    found: dict[str, int] = {}
    for place, key in enumerate(keys):
        name = names.get(key, "")
        if name in found:
            one, two = table.columns[found[name]].strip(), table.columns[place].strip()
            raise GalmorphError(f"{path}: two columns {name} ({one}, {two}); rename or remove one of them")
        if name:
            found[name] = place
    for name in needed:
        if name not in found:
            raise GalmorphError(
                f"{path}: no column {name}; the columns needed are {', '.join(needed)}; {_headings(table)}"
            )
    if announce:
        _announce(table, found, optional, path)
    return table.iloc[:, list(found.values())].set_axis(list(found), axis=1)


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
        place = f"line {_line_of(int(table.index[row]), path)}{shown}"
        raise GalmorphError(f"{path}: {place}: {column} {cell!r} {why}{more}; correct the table")


def whole_numbers(table: pd.DataFrame, column: str, path: Path) -> NDArray[np.int64]:
    """Convert a column of text to int64, not by way of float, which has too few digits for object ids.

    Raises
    ------
    GalmorphError
        If a cell is not a whole number from 0.
    """
    text = table[column].str.strip()
    wrong = ~text.str.fullmatch(r"\d{1,18}|[1-8]\d{18}")
    if wrong.any():
        refuse_rows(wrong, table, column, _not_whole(text[wrong].iloc[0]), path)
    return np.asarray(text.astype(np.int64), dtype=np.int64)


def object_ids(table: pd.DataFrame, column: str, path: Path) -> NDArray[np.int64]:
    """Convert a column of object ids to int64, and refuse those that a spreadsheet or a float64 has rounded.

    Raises
    ------
    GalmorphError
        If a cell is not a whole number from 0, or the ids are rounded.
    """
    ids = whole_numbers(table, column, path)
    refuse_rounded(ids, column, path)
    return ids


def refuse_rounded(ids: NDArray[np.int64], column: str, path: Path) -> None:
    """Raise GalmorphError if most ids are such as remain when a spreadsheet or a float64 has rounded them.

    Only ids above 2^53 are looked at: a float64 holds every whole number below.
    """
    large = ids[ids > 2**53]
    for divisor, reason in _ROUNDED:
        rounded = int((large % divisor == 0).sum())
        if rounded >= _FEW and 2 * rounded > large.size:
            raise GalmorphError(
                f"{path}: {rounded:,} of {large.size:,} numbers in {column} are multiples of {divisor:,}: {reason}. "
                f"They are rounded, and the ids of other objects; fetch the table again, and read {column} as text or "
                "as 64-bit integers wherever you edit it"
            )


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
    comma = wrong.any() and re.fullmatch(r"\s*[+-]?\d+,\d+\s*", table[column].iloc[int(wrong.argmax())])
    hint = " (decimals follow a point, not a comma)" if comma else ""
    refuse_rows(wrong, table, column, f"is not a number from {low:g} to {high:g} {unit}".rstrip() + hint, path)
    return values


def copy_rows(source: Path, rows: Collection[int], count: int, destination: Path) -> None:
    """Copy the header and some rows of a table, character by character.

    Parameters
    ----------
    source
        A table that `read_blocks` reads.
    rows
        Row numbers, from 0; they are copied in the order of the file.
    count
        The number of rows that `read_blocks` finds.
    destination
        The file to write, as UTF-8, not compressed.

    Raises
    ------
    GalmorphError
        If the lines of the file are not its rows, because a cell holds a line break.
    """
    wanted = frozenset(rows)
    line_number = -1  # of the header; row 0 follows
    with open_text(source) as stream, destination.open("wb") as copy:
        for _, lines in numbered_lines(stream, source):
            for line in lines:
                if line_number < 0 or line_number in wanted:
                    copy.write(line + b"\n")
                line_number += 1
    if line_number != count:
        found = f"{counted(line_number, 'line')} for {counted(count, 'row')}"
        raise GalmorphError(f"{source}: {found}; remove line breaks within cells")


def _key(heading: str) -> str:
    """Return what counts of a heading: its letters and digits, in one case."""
    return re.sub(r"[\W_]+", "", heading).casefold()


def _announce(table: pd.DataFrame, found: dict[str, int], optional: Sequence[str], path: Path) -> None:
    """Log which columns are used and which are not, and which optional ones there are none of."""
    headings = [heading.strip() or "''" for heading in table.columns]
    used = [name if headings[place] == name else f"{name} ({headings[place]})" for name, place in found.items()]
    unused = [heading for place, heading in enumerate(headings) if place not in found.values()]
    absent = [name for name in optional if name not in found]
    parts = (("columns used", used), ("not used", unused), ("absent", absent))
    log.info("%s: %s", path, "; ".join(f"{what}: {', '.join(names)}" for what, names in parts if names))


def _headings(table: pd.DataFrame) -> str:
    """Describe the headings of a table that lacks a column."""
    first = ", ".join(repr(heading) for heading in table.columns[:12])
    more = f" and {len(table.columns) - 12} more" if len(table.columns) > 12 else ""
    separator = re.search(r"[|:]|\s", table.columns[0].strip()) if len(table.columns) == 1 else None
    if separator is None:
        return f"those of the table are {first}{more}"
    return f"the separator seems to be {separator[0]!r}: separate the columns by {', '.join(_SEPARATORS.values())}"


def _line_of(row: int, path: Path) -> int:
    """Return the line in the file of a row; after an error, so that no reader need carry it along."""
    try:
        with open_text(path) as stream:
            numbers = itertools.chain.from_iterable(numbers for numbers, _ in numbered_lines(stream, path))
            return next(itertools.islice(numbers, row + 1, None))
    except (GalmorphError, OSError, EOFError, zlib.error, StopIteration):
        return row + _FIRST_LINE  # it has gone since


def _not_whole(cell: str) -> str:
    """Return why a cell is not a whole number, as the end of a sentence."""
    if re.fullmatch(r"-\d+", cell):
        return "is negative"
    if re.fullmatch(r"\d{19,}", cell):
        return f"has too many digits ({len(cell)}) for a number of 64 bits"
    if re.fullmatch(r"[+-]?\d+(\.\d*)?([eE][+-]?\d+)?", cell):
        return (
            "is not a whole number but one that a spreadsheet or a float64 may have rounded: write the column as text "
            "or as 64-bit integers"
        )
    return "is not a whole number"


def _header(line: bytes, number: int, path: Path) -> tuple[list[str], str]:
    """Return the headings in the line of this number, and the separator."""
    text = line.decode()
    bare = re.sub(r'"[^"]*"', "", text)
    separator = next((character for character in _SEPARATORS if character in bare), ",")
    try:
        (columns,) = csv.reader([text], delimiter=separator, strict=True)
    except csv.Error:
        raise _not_csv(path, f"line {number}, the header, has a quote that is not closed, or text behind it") from None
    if all(re.fullmatch(r"\s*[-+]?\d[-+.:\deE]*\s*", heading) for heading in columns):
        raise _not_csv(path, f"no header: {text[:40]!r} are numbers, not the names of columns")
    return columns, separator


def _tables(stream: IO[bytes], path: Path) -> Iterator[pa.Table]:
    """Read the rows below the header as text; of a table without rows, one without rows."""
    columns: list[str] = []
    separator, empty = ",", True
    for numbers, lines in numbered_lines(stream, path):
        if not columns:
            columns, separator = _header(lines.pop(0), numbers.pop(0), path)
        if lines:
            empty = False
            yield _table(lines, numbers, columns, separator, path)
    if not columns:
        raise _not_csv(path, "it is empty")
    if empty:
        yield pa.Table.from_arrays([pa.array([], pa.string()) for _ in columns], names=columns)


def _table(lines: list[bytes], numbers: list[int], columns: list[str], separator: str, path: Path) -> pa.Table:
    """Convert lines to a table of text.

    pyarrow gets bytes and not the file, from which it would read ahead in a thread: if the file is closed meanwhile,
    the process can crash.
    """
    text = b"\n".join(lines) + b"\n"
    wrong: list[pacsv.InvalidRow] = []

    def refuse(row: pacsv.InvalidRow) -> str:
        wrong.append(row)
        return "error"

    try:
        table = pacsv.read_csv(
            pa.BufferReader(text),
            pacsv.ReadOptions(column_names=columns, block_size=len(text) + 1, use_threads=False),
            pacsv.ParseOptions(delimiter=separator, newlines_in_values=True, invalid_row_handler=refuse),
            pacsv.ConvertOptions(column_types=dict.fromkeys(columns, pa.string()), strings_can_be_null=False),
        )
    except pa.ArrowInvalid:
        if not wrong:
            raise _not_csv(path, f"the lines from {numbers[0]} to {numbers[-1]} are no rows") from None
        row = wrong[0]
        line, cells = numbers[(row.number or 1) - 1], counted(row.actual_columns, "cell")
        expected = counted(row.expected_columns, "column")
        raise _not_csv(path, f"line {line}: {cells}, the header has {expected}") from None
    for name, cells in zip(table.column_names, table.columns, strict=True):
        broken = np.flatnonzero(pc.match_substring_regex(cells, "[\r\n]").to_numpy())
        if broken.size:
            raise GalmorphError(
                f"{path}: line {numbers[int(broken[0])]}: {name} holds a line break, or begins with a quote that is "
                "not closed; correct the table"
            )
    return table


def _not_csv(path: Path, fault: str) -> GalmorphError:
    return GalmorphError(f"{path}: not a CSV table: {fault}; correct the table, or fetch the file again")
