"""Read files, and hash them."""

from __future__ import annotations

import functools
import hashlib
import os
import re
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from galmorph.errors import GalmorphError, NotRegularFileError

PACKAGE = Path(__file__).parents[1]
SOURCES = (".py", ".html", ".css", ".po")  # how the names of the package's files end, as pyproject.toml installs them
_IN_DVC_CACHE = re.compile(r"/files/md5/[0-9a-f]{2}/[0-9a-f]{30}$")


def regular_file(path: Path) -> Path:
    """Return a path unchanged, unless it is a pipe, a device or a folder: reading one may never end.

    Raises
    ------
    NotRegularFileError
        If something exists there that is not a regular file.
    """
    if path.exists() and not path.is_file():
        raise NotRegularFileError("not a regular file")
    return path


def files_below(folder: Path) -> Iterator[Path]:
    """Find all files below a folder, those in linked folders included; no folder is searched twice."""
    searched = set()
    for place, folders, names in os.walk(folder, followlinks=True):
        status = os.stat(place)
        if (status.st_dev, status.st_ino) in searched:
            folders.clear()
            continue
        searched.add((status.st_dev, status.st_ino))
        folders.sort()  # which of two links to one folder is taken must not depend on the disk
        yield from (Path(place, name) for name in names)


def refuse_disguised(path: Path) -> None:
    """Refuse a file that is a link to a file of another name, other than to one in DVC's cache.

    A folder from elsewhere may hold a link to any file of this machine. What is copied from it, `dvc push` publishes.

    Raises
    ------
    GalmorphError
        With the name of the other file.
    """
    real = path.resolve()
    if real.name != path.name and real.parent != path.parent.resolve() and not _IN_DVC_CACHE.search(real.as_posix()):
        raise GalmorphError(f"{path}: a link to {real}, a file of another name; put the file itself there")


def file_sha256(path: Path) -> str:
    """Return the sha256 of a file, in hexadecimal digits.

    Raises
    ------
    OSError
        If it cannot be read, or is not a regular file.
    """
    return _digest(path, "sha256")


def file_md5(path: Path) -> str:
    """Return the md5 of a file, by which DVC identifies it, in hexadecimal digits.

    Raises
    ------
    GalmorphError
        If it is missing or cannot be read.
    """
    try:
        status = regular_file(path).stat()
        return _known_md5(path.absolute(), status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns)
    except FileNotFoundError:
        raise GalmorphError(f"{path}: no such file; run dvc repro, which makes it") from None
    except OSError as error:
        raise GalmorphError(f"{path}: cannot be read ({error.strerror or error}); put the file in its place") from None


@functools.lru_cache(maxsize=4096)
def _known_md5(path: Path, *status: int) -> str:
    """Hash a file once while its status stays the same: all conditions have the same stamps."""
    return _digest(path, "md5")


def _digest(path: Path, algorithm: str) -> str:
    with regular_file(path).open("rb") as file:
        return hashlib.file_digest(file, algorithm).hexdigest()


@functools.cache
def source_hash(parts: tuple[str, ...]) -> str:
    """Return the sha256 of part of the package's source code.

    Parameters
    ----------
    parts
        Packages and modules, relative to the package: ``("training", "files/datafiles.py")``. A package stands for
        all its modules and their names.
    """
    total = hashlib.sha256()
    for part in parts:
        place = PACKAGE / part
        for path in sorted(place.rglob("*.py")) if place.is_dir() else [place]:
            source = path.read_bytes()
            total.update(f"{path.relative_to(PACKAGE).as_posix()} {len(source)}\n".encode() + source)
    return total.hexdigest()


def source_files() -> dict[Path, str]:
    """Return the sha256 of each file of the package's source code, hidden files of editors excepted, by its path."""
    hashes = {}
    for path in PACKAGE.rglob("*"):
        if path.suffix in SOURCES and not path.name.startswith("."):
            with suppress(FileNotFoundError):  # removed at this moment
                hashes[path] = file_sha256(path)
    return hashes
