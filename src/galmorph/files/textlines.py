"""Open a text file in the form that it has come in, and read its lines with their numbers.

Plain text, gzip and a zip with one file can be read, in UTF-8 or in UTF-16 with its byte order mark, with the line ends
of Unix, Windows and old Macs. Anything else is refused with what was found.
"""

from __future__ import annotations

import codecs
import gzip
import io
import logging
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import IO, cast

from galmorph.errors import GalmorphError
from galmorph.files.reading import regular_file

log = logging.getLogger(__name__)

BLOCK = 2**17  # bytes of text in memory at once, and of the longest line

_AS_UTF8 = "save the table as UTF-8 (spreadsheets call it CSV UTF-8)"
_START = 512  # bytes, enough to recognise a file
_GZIP, _ZIP = b"\x1f\x8b", b"PK\x03\x04"
_UTF16 = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
# What files that are no text begin with, what they are, and the remedy.
_OTHERS = (
    (b"SIMPLE  =", "a FITS file", "write its table as CSV (with astropy: Table.read(file).write('table.csv'))"),
    (b"BZh", "compressed with bzip2", "unpack it"),
    (b"\xfd7zXZ", "compressed with xz", "unpack it"),
    (b"\xd0\xcf\x11\xe0", "an Excel workbook", "save it as CSV UTF-8, the ids as text"),
    (b"PAR1", "a Parquet file", "write it as CSV"),
    (b"\x89HDF", "an HDF5 file", "write it as CSV"),
    (b"%PDF", "a PDF document", "put the table itself there"),
)


def open_text(path: Path) -> IO[bytes]:
    """Open a text file as UTF-8, without a byte order mark.

    Raises
    ------
    GalmorphError
        If it is of a kind that is known and no text, or UTF-16 by its byte order mark, but not by its content.
    OSError, EOFError, zlib.error
        If it is missing, no regular file, or its compressed content is damaged.
    """
    with regular_file(path).open("rb") as file:
        packed = file.read(_START)
    with ExitStack() as stack:
        if packed.startswith(_GZIP):
            opened = cast(IO[bytes], stack.enter_context(gzip.open(path, "rb")))
        elif packed.startswith(_ZIP):
            opened = io.BytesIO(_unzip(path))
        else:
            opened = stack.enter_context(path.open("rb"))
        start = opened.read(_START)
        _refuse_others(start, path)
        if start.startswith(_UTF16):
            opened.seek(0)
            try:
                return io.BytesIO(opened.read().decode("utf-16").encode())
            except UnicodeDecodeError:
                raise GalmorphError(f"{path}: begins as UTF-16 and goes on as something else; {_AS_UTF8}") from None
        opened.seek(len(codecs.BOM_UTF8) if start.startswith(codecs.BOM_UTF8) else 0)
        stack.pop_all()
        return opened


def numbered_lines(stream: IO[bytes], path: Path) -> Iterator[tuple[list[int], list[bytes]]]:
    """Read the lines that are not blank and do not begin with #, some at a time.

    Parameters
    ----------
    stream
        From `open_text`.
    path
        Its file, for errors.

    Yields
    ------
    numbers, lines
        At least one line, without its end, and the number of each in the file, from 1.

    Raises
    ------
    GalmorphError
        If a line is not UTF-8, or longer than `BLOCK` bytes.
    """
    number, comments = 1, 0
    for piece in _pieces(stream, path):
        lines = piece.splitlines()
        kept = [(n, line) for n, line in enumerate(lines, number) if line.strip() and not line.startswith(b"#")]
        comments += sum(line.startswith(b"#") for line in lines)
        number += len(lines)
        if kept:
            numbers, texts = [n for n, _ in kept], [line for _, line in kept]
            _refuse_other_encodings(numbers, texts, path)
            yield numbers, texts
    if comments:
        log.info("%s: lines left out as comments, because they begin with #: %d", path, comments)


def _pieces(stream: IO[bytes], path: Path) -> Iterator[bytes]:
    """Read whole lines, about `BLOCK` bytes at a time."""
    rest, what = b"", "header"
    while block := stream.read(BLOCK):
        rest += block
        # A carriage return at the end may be half of a Windows line end.
        end = max(rest.rfind(b"\n"), rest.rfind(b"\r", 0, -1)) + 1
        if not end and len(rest) > BLOCK:
            raise GalmorphError(f"{path}: not a CSV table: a {what} of more than {BLOCK:,} bytes; correct the table")
        if end:
            what = "row"
            yield rest[:end]
        rest = rest[end:]
    if rest:
        yield rest


def _unzip(path: Path) -> bytes:
    """Return the file in a zip archive that holds one."""
    try:
        with zipfile.ZipFile(path) as archive:
            names = [name for name in archive.namelist() if not name.endswith("/") and not name.startswith("__MACOSX/")]
            if "[Content_Types].xml" in names:
                raise GalmorphError(
                    f"{path}: an Excel workbook, not a CSV table; save it as CSV UTF-8, the ids as text"
                )
            if len(names) != 1:
                shown = ", ".join(sorted(names)[:3])
                raise GalmorphError(f"{path}: a zip archive of {len(names)} files ({shown}); unpack the table")
            return archive.read(names[0])
    except (zipfile.BadZipFile, zlib.error, EOFError, RuntimeError):  # RuntimeError: a password, or another compression
        raise GalmorphError(
            f"{path}: a zip archive that cannot be unpacked: damaged, with a password, or of an unknown compression; "
            "fetch the file again, or unpack the table"
        ) from None


def _refuse_others(start: bytes, path: Path) -> None:
    """Raise GalmorphError if a file begins as one that is no table in text does."""
    for signature, kind, remedy in _OTHERS:
        if start.startswith(signature):
            raise GalmorphError(f"{path}: {kind}, not a CSV table; {remedy}")
    if (text := start.lstrip().lower()).startswith(b"<"):
        if b"<votable" in text:
            raise GalmorphError(f"{path}: a VOTable, not a CSV table; write it as CSV")
        raise GalmorphError(f"{path}: a web page or XML, not a CSV table; fetch the file again")


def _refuse_other_encodings(numbers: list[int], lines: list[bytes], path: Path) -> None:
    """Raise GalmorphError if lines are not UTF-8, or hold NUL as UTF-16 does."""
    text = b"\n".join(lines)
    if (nul := text.find(b"\0")) >= 0:
        line = numbers[text.count(b"\n", 0, nul)]
        raise GalmorphError(f"{path}: line {line}: not text, or UTF-16 without its byte order mark; {_AS_UTF8}")
    try:
        text.decode()
    except UnicodeDecodeError as error:
        line, byte = numbers[text.count(b"\n", 0, error.start)], text[error.start]
        latin = f", in Latin-1 {chr(byte)!r}" if byte >= 0xA0 else ""
        raise GalmorphError(f"{path}: line {line}: not UTF-8 (byte 0x{byte:02X}{latin}); {_AS_UTF8}") from None
