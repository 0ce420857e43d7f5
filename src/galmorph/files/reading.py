"""Read regular files: their content, and hashes of it.

A pipe or a device under a file's name would never end; every reader of the project opens files through `regular`.
"""

from __future__ import annotations

import functools
import hashlib
from pathlib import Path

from galmorph.errors import GalmorphError

PACKAGE = Path(__file__).parents[1]
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


def file_md5(path: Path) -> str:
    """Return a file's md5, which is what DVC knows it by."""
    try:
        with regular(path).open("rb") as file:
            return hashlib.file_digest(file, "md5").hexdigest()
    except FileNotFoundError:
        raise GalmorphError(f"{path}: no such file; run dvc repro, which makes it") from None
    except OSError as error:
        raise GalmorphError(f"{path}: cannot be read ({error.strerror or error}); put the file in its place") from None


@functools.cache
def source_hash(parts: tuple[str, ...]) -> str:
    """Return the sha256 of some of the package's source code.

    Parameters
    ----------
    parts
        Packages and modules, relative to the package: ``("training", "files/datafiles.py")``. Of a package, all
        modules count, with their names.
    """
    total = hashlib.sha256()
    for part in parts:
        place = PACKAGE / part
        for path in sorted(place.rglob("*.py")) if place.is_dir() else [place]:
            source = path.read_bytes()
            total.update(f"{path.relative_to(PACKAGE).as_posix()} {len(source)}\n".encode() + source)
    return total.hexdigest()
