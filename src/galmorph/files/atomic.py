"""Files and folders that appear whole or not at all."""

from __future__ import annotations

import errno
import fcntl
import hashlib
import os
import re
import shutil
import socket
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from galmorph.errors import GalmorphError

PARTIAL = "partial."
# Of folders: with the host, because locks need not reach from one host to another on a disk that both have.
HIDDEN = f".{PARTIAL}{hashlib.sha256(socket.gethostname().encode()).hexdigest()[:8]}"


@contextmanager
def whole_file(destination: Path) -> Iterator[Path]:
    """Give a path to write; where the block ends well it replaces `destination`, else nothing is left of it.

    Parameters
    ----------
    destination
        What is to be made. The path given lies beside it and ends in its name; no two calls give the same one, so
        that two processes may make the same file.

    Raises
    ------
    GalmorphError
        If the file cannot be written: a full disk, a missing permission.
    """
    partial = destination.with_name(f"{PARTIAL}{uuid.uuid4().hex}.{destination.name}")
    try:
        yield partial
        # Else a loss of power may leave the name without the bytes.
        with partial.open("rb") as file:
            os.fsync(file.fileno())
        partial.replace(destination)
    except OSError as error:
        # HDF5 wraps the system's words into several lines of its own.
        words = re.search(r"error message = '([^']+)'", str(error))
        reason = words[1] if words else error.strerror or error
        raise GalmorphError(
            f"{destination}: cannot be written ({reason}); make room on the disk, or the folder "
            "writable, and repeat the command: what had finished is kept"
        ) from None
    finally:
        with suppress(OSError):  # of a disk that may not even be read, which the error above has told
            partial.unlink(missing_ok=True)


@contextmanager
def whole_folder(destination: Path) -> Iterator[Path]:
    """Give an empty folder to fill; where the block ends well it replaces `destination`, else nothing is left of it.

    Parameters
    ----------
    destination
        What is to be made. The folder given lies beside it, under a name of its own: of two processes that make the
        same one, the later has the last word, whole.
    """
    destination = _place(destination)
    with _held(destination) as partial:
        yield partial
        _replace(partial, destination)


def put(source: Path, destination: Path) -> None:
    """Move a file or a folder to its place, in the stead of what lies there; to another disk, too.

    What lies there stays until all of the new is on its disk. A folder is then moved aside first, because no system
    replaces one that is not empty.
    """
    destination = _place(destination)
    if source.stat().st_dev == destination.parent.stat().st_dev:
        _replace(source, destination)
        return
    with _held(destination) as partial:
        copy = partial / destination.name
        try:
            if source.is_dir():
                shutil.copytree(source, copy)
            else:
                shutil.copy2(source, copy)
        except shutil.Error as error:
            # Of a folder it tells all that went wrong, and hides the system's number in it.
            number = re.search(r"\[Errno (\d+)\]", str(error))
            cause = int(number[1]) if number else errno.EIO
            raise OSError(cause, os.strerror(cause), str(destination)) from None
        _replace(copy, destination)
    if source.is_dir():
        shutil.rmtree(source, ignore_errors=True)
    else:
        source.unlink()


def _place(destination: Path) -> Path:
    """Return where a file or folder is to lie, and see to it that there is a place.

    A link to a folder is followed. One to a file is replaced: it may lead into DVC's cache.
    """
    followed = destination if destination.is_dir() else destination.parent
    place = Path(os.path.realpath(followed)) / ("" if destination.is_dir() else destination.name)
    try:
        place.parent.mkdir(parents=True, exist_ok=True)
    except FileExistsError:
        raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), str(place.parent)) from None
    return place


def _replace(source: Path, destination: Path) -> None:
    while True:
        before = destination.with_name(f"{HIDDEN}{uuid.uuid4().hex}.old")
        if destination.is_dir():
            with suppress(FileNotFoundError):  # another process was faster
                destination.rename(before)
        try:
            source.replace(destination)
            return
        except OSError as error:
            if error.errno in (errno.ENOTEMPTY, errno.EEXIST):
                continue  # another process has put its own there meanwhile
            if before.exists():
                before.rename(destination)
            error.filename = str(destination)
            raise
        finally:
            shutil.rmtree(before, ignore_errors=True)


@contextmanager
def _held(destination: Path) -> Iterator[Path]:
    """Give an empty folder beside a place, which `_sweep` leaves alone for as long as this process lives."""
    _sweep(destination.parent)
    folder = destination.with_name(f"{HIDDEN}{uuid.uuid4().hex}")
    unheld = folder.with_name(f"{folder.name}.new")
    unheld.mkdir()
    handle = os.open(unheld, os.O_RDONLY)
    try:
        with suppress(OSError):  # a file system without locks, on which nothing is swept either
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        unheld.rename(folder)
        yield folder
    finally:
        os.close(handle)
        shutil.rmtree(folder, ignore_errors=True)


def _sweep(parent: Path) -> None:
    """Remove the folders that killed processes of this host have left."""
    for folder in parent.glob(f"{HIDDEN}{'[0-9a-f]' * 32}"):
        with suppress(OSError):
            handle = os.open(folder, os.O_RDONLY)
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                shutil.rmtree(folder, ignore_errors=True)
            finally:
                os.close(handle)
