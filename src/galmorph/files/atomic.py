"""Write files and folders atomically: they appear at their destination complete, or not at all."""

from __future__ import annotations

import errno
import os
import shutil
import tempfile
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from galmorph.errors import GalmorphError

PARTIAL = ".partial."  # how the names of temporary folders begin
LEFTOVER_SECONDS = 7 * 86_400  # after which a temporary folder is taken for that of a killed process


@contextmanager
def atomic_file(destination: Path) -> Iterator[Path]:
    """Write a file atomically.

    Yields a temporary path of the same file name. If the block succeeds, that file replaces `destination`; otherwise
    it is removed. Two processes may write the same file.

    Raises
    ------
    GalmorphError
        If the file cannot be written: the disk is full, or the folder is not writable.

    Examples
    --------
    >>> folder = Path(tempfile.mkdtemp())
    >>> with atomic_file(folder / "votes.csv") as partial:
    ...     _ = partial.write_text("objid,nvote")
    ...     (folder / "votes.csv").exists()
    False
    >>> (folder / "votes.csv").read_text()
    'objid,nvote'
    """
    try:
        with _temporary_folder(destination.parent) as folder:
            partial = Path(folder, destination.name)
            yield partial
            # Otherwise a power cut may leave the name without the content.
            with partial.open("rb") as file:
                os.fsync(file.fileno())
            partial.replace(destination)
    except OSError as error:
        raise GalmorphError(
            f"{destination}: cannot be written ({error.strerror or error}); make room on the disk, or the folder "
            "writable, and repeat the command: finished work is kept"
        ) from None


@contextmanager
def atomic_folder(destination: Path) -> Iterator[Path]:
    """Write a folder atomically.

    Yields an empty temporary folder beside `destination`. If the block succeeds, it replaces `destination`; otherwise
    it is removed. If two processes write the same folder, the later one wins.
    """
    destination = _resolve(destination)
    try:
        with _temporary_folder(destination.parent) as folder:
            partial = Path(folder, destination.name)
            partial.mkdir()
            yield partial
            _replace(partial, destination)
    except OSError as error:
        error.filename = error.filename or str(destination)  # pyarrow and numpy do not name it
        raise


def move_into_place(source: Path, destination: Path) -> None:
    """Move a file or folder to its destination, replacing what is there; across file systems too.

    What is there stays until all of the new content is on the same disk.
    """
    destination = _resolve(destination)
    if source.stat().st_dev == destination.parent.stat().st_dev:
        _replace(source, destination)
        return
    with _temporary_folder(destination.parent) as folder:
        partial = Path(folder, destination.name)
        _copy(source, partial)
        _replace(partial, destination)
    if source.is_dir():
        shutil.rmtree(source, ignore_errors=True)
    else:
        source.unlink()


def _temporary_folder(parent: Path) -> tempfile.TemporaryDirectory[str]:
    """Make a temporary folder, and remove those that killed processes left beside it a week ago."""
    for leftover in parent.glob(f"{PARTIAL}????????"):  # not those of `_replace`, which hold old content
        with suppress(FileNotFoundError):
            if time.time() - leftover.stat().st_mtime > LEFTOVER_SECONDS:
                shutil.rmtree(leftover, ignore_errors=True)
    return tempfile.TemporaryDirectory(prefix=PARTIAL, dir=parent, ignore_cleanup_errors=True)


def _resolve(destination: Path) -> Path:
    """Follow a link to a folder, and make the parent folder.

    A link to a file is not followed but replaced: it may point into DVC's cache.
    """
    if destination.is_dir():
        return destination.resolve()
    parent = Path(os.path.realpath(destination.parent))
    try:
        parent.mkdir(parents=True, exist_ok=True)
    except FileExistsError:
        raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), str(parent)) from None
    return parent / destination.name


def _replace(source: Path, destination: Path) -> None:
    """Rename a file or folder; an old folder, which no system replaces, is first renamed and removed at the end."""
    old = destination.with_name(f"{PARTIAL}{uuid.uuid4().hex}.old")
    while True:
        if destination.is_dir():
            with suppress(FileNotFoundError):  # another process moved it first
                destination.rename(old)
        try:
            source.replace(destination)
            return
        except OSError as error:
            if error.errno in (errno.ENOTEMPTY, errno.EEXIST):
                continue  # another process has put its own folder there
            if old.exists():
                old.rename(destination)
            error.filename = str(destination)
            raise
        finally:
            shutil.rmtree(old, ignore_errors=True)


def _copy(source: Path, destination: Path) -> None:
    # shutil.copytree collects errors and hides that the disk is full.
    if source.is_dir():
        destination.mkdir()
        for part in source.iterdir():
            _copy(part, destination / part.name)
    else:
        shutil.copyfile(source, destination)
