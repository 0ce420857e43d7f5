"""Rows of a CSV table, copied as they were written."""

from __future__ import annotations

import gzip
from collections.abc import Sequence
from pathlib import Path

from galmorph.errors import GalmorphError


def copy_rows(source: Path, rows: Sequence[int], count: int, destination: Path) -> None:
    """Copy the header and some rows of a table that has been read and checked, character by character.

    Parameters
    ----------
    source
        A CSV or a gzipped CSV.
    rows
        Row numbers below the header, from 0, in the order in which they are written.
    count
        How many rows the reader of the table found.
    destination
        The file to write, not compressed.

    Raises
    ------
    GalmorphError
        If the lines of the file are not its rows, because a cell holds a line break.
    """
    content = gzip.decompress(source.read_bytes()) if source.suffix == ".gz" else source.read_bytes()
    lines = [line for line in content.decode("utf-8-sig").splitlines() if line.strip()]
    if len(lines) != count + 1:
        raise GalmorphError(f"{source}: {len(lines) - 1} lines for {count} rows; remove line breaks within cells")
    chosen = [lines[0], *(lines[row + 1] for row in rows)]
    destination.write_text("\n".join(chosen) + "\n", encoding="utf-8", newline="\n")
