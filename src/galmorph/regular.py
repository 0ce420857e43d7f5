"""Files that come to an end: a pipe or a device, under whatever name, may not."""

from __future__ import annotations

import hashlib
from pathlib import Path

MOST = 2**28  # bytes of a file that is read at once; a frame has up to 13 million


def is_text(name: str) -> bool:
    """Return whether a file's name is UTF-8: the system takes any bytes."""
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return True


def regular(path: Path) -> Path:
    """Return the path of what is to be opened, if it is a regular file or not there at all.

    Raises
    ------
    OSError
        If it is a pipe, a device, a folder or a socket.
    """
    if path.exists() and not path.is_file():
        raise OSError("not a regular file")
    return path


def file_bytes(path: Path) -> bytes:
    """Return the content of a file.

    Raises
    ------
    OSError
        If it cannot be read, is no regular file, or holds more than `MOST` bytes.
    """
    if regular(path).stat().st_size > MOST:
        raise OSError(f"more than {MOST:,} bytes")
    return path.read_bytes()


def file_sha256(path: Path) -> str:
    """Return the sha256 of a file, in hexadecimal digits.

    Raises
    ------
    OSError
        If it cannot be read, or is no regular file.
    """
    with regular(path).open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
